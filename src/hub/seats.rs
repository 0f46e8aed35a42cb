//! A small number for each session, and where it is told. With it a pair of watcher and watched
//! takes four bytes, and telling many people looks up nobody. Knows not who watches whom.

use super::inbox::Sender;
use crate::model::{AccountId, Circle};

/// The number of a session that is there. When it has left, another one gets it: nothing may keep
/// the number longer than the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat(u32);

/// Who has a number.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) id: AccountId,
    pub(super) inbox: Sender,
}

/// All sessions by number; as long as the most there have been at the same time.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Vec<Option<Seated>>,
    free: Vec<Seat>,
}

impl Seats {
    /// Gives a session a number.
    pub(super) fn take(&mut self, id: AccountId, inbox: Sender) -> Seat {
        let seated = Some(Seated { id, inbox });
        if let Some(seat) = self.free.pop()
            && let Some(place) = self.seats.get_mut(seat.0 as usize)
        {
            *place = seated;
            return seat;
        }
        // There are never as many sessions: each has a connection or a tunnel.
        let seat = Seat(u32::try_from(self.seats.len()).unwrap_or(u32::MAX));
        self.seats.push(seated);
        seat
    }

    /// Takes it back.
    pub(super) fn leave(&mut self, seat: Seat) -> Option<Seated> {
        let seated = self.seats.get_mut(seat.0 as usize)?.take()?;
        self.free.push(seat);
        Some(seated)
    }

    /// Who has this number.
    pub(super) fn get(&self, seat: Seat) -> Option<&Seated> {
        self.seats.get(seat.0 as usize)?.as_ref()
    }

    /// Events that wait for who has this number.
    pub(super) fn queued(&self, seat: Seat) -> usize {
        self.get(seat).map_or(0, |seated| seated.inbox.len())
    }

    /// Whether the owner of `circle` lets who has this number see it.
    pub(super) fn is_allowed(&self, seat: Seat, circle: &Circle) -> bool {
        self.get(seat).is_some_and(|seated| circle.allows(seated.id))
    }
}
