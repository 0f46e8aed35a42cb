//! Messages of one participant that came together: they are told the others together, and then
//! their receipts are written. Knows no connection.

use super::{
    counts::Counts,
    message::Kind,
    queue::{ENTRY_BYTES, FAIR_SHARE_BYTES, Piece},
    rooms::Seat,
};
use crate::{protocol::TrId, session::Outbox};
use std::{fmt, mem};
use tokio::time::Instant;

/// What messages of one speech count at most, and one message more: whoever has only a fair share
/// has room for them.
const BYTES_MAX: usize = FAIR_SHARE_BYTES / 2;

/// Messages of one kind that are not delivered yet.
#[derive(Default)]
pub(super) struct Speech {
    kind: Kind,
    /// Of the first message: mostly there is no other, and no need for a list.
    first: Option<TrId>,
    /// Of those that follow.
    others: Vec<TrId>,
    payload_bytes: usize,
    /// What the others hear: all messages but empty ones.
    lines: Vec<u8>,
    line_count: usize,
}

/// Shows sizes only.
impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, bytes) = (self.len(), self.lines.len());
        f.debug_struct("Speech")
            .field("messages", &messages)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Speech {
    /// Whether one more message can be [added](Self::add), and be of this kind.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        let counted = self.lines.len() + self.len() * ENTRY_BYTES;
        self.len() == 0 || self.kind == kind && counted < BYTES_MAX
    }

    const fn len(&self) -> usize {
        self.first.is_some() as usize + self.others.len()
    }

    /// Adds a message that `seat` says. Of what came with it `behind` bytes are yet to be carried
    /// out, most likely more of the same.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        trid: TrId,
        seat: &Seat,
        payload: &[u8],
        behind: usize,
    ) {
        self.kind = kind;
        match self.first {
            None => self.first = Some(trid),
            Some(_) => self.others.push(trid),
        }
        self.payload_bytes += payload.len();
        let Some(said) = seat.said(payload) else { return };
        if self.lines.capacity() == 0 {
            let alike = said.len() * (1 + behind / payload.len());
            self.lines.reserve_exact(alike.min(BYTES_MAX + said.len()));
        }
        said.write(&mut self.lines);
        self.line_count += 1;
    }

    /// Delivers all messages, and sends the receipts that their kind has. If `more` follows they
    /// are not worth a write of their own. Returns whether the sender should wait.
    pub(super) fn deliver(
        &mut self,
        seat: &Seat,
        more: bool,
        now: Instant,
        counts: &Counts,
        outbox: &mut Outbox,
    ) -> bool {
        let count = self.len();
        if count == 0 {
            return false;
        }
        let mut lines = mem::take(&mut self.lines);
        // Less came than seemed likely. What is told keeps little more in memory than itself.
        if lines.capacity() > 2 * lines.len() {
            lines.shrink_to_fit();
        }
        let count_of_lines = mem::take(&mut self.line_count);
        let piece = Piece { lines: lines.into(), count: count_of_lines, is_straight: !more };
        let delivery = seat.tell(piece, now);
        counts.said(self.kind, count, mem::take(&mut self.payload_bytes), delivery);
        let others = mem::take(&mut self.others);
        for trid in self.first.take().into_iter().chain(others) {
            if let Some(receipt) = self.kind.receipt(trid, delivery.is_delivered) {
                outbox.send(&receipt);
            }
        }
        delivery.is_ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::Person,
        metrics::Metrics,
        model::{AccountId, Address, Name},
        switchboard::{
            queue::{News, Queue},
            room::RoomLimits,
            rooms::{Rooms, RoomsLimits},
        },
    };
    use std::{sync::Arc, time::Duration};

    fn person(number: u64) -> Arc<Person> {
        let address = Address::parse(&format!("u{number}@example.test")).unwrap();
        Person::new(AccountId(number), address, Name::new("U").unwrap())
    }

    /// Somebody who speaks, and who hears it.
    fn pair(queue_bytes_max: usize) -> (Seat, Seat, Queue) {
        let wait = Duration::from_secs(60);
        let room = RoomLimits { members_max: 2, queue_bytes_max, idle: wait, ring: wait };
        let limits = RoomsLimits {
            rooms_max: 1,
            per_user_max: 1,
            queues_bytes_max: 1,
            fair_share_bytes: FAIR_SHARE_BYTES,
            room,
        };
        let rooms = Rooms::new(limits, 1);
        let (speaker, _) = rooms.open(&person(1), None).unwrap();
        let (listener, queue, _) = rooms.join(speaker.room(), &person(2), None).unwrap();
        (speaker, listener, queue)
    }

    fn deliver(speech: &mut Speech, seat: &Seat) -> Outbox {
        let mut outbox = Outbox::new(1 << 20);
        let counts = Counts::new(&Metrics::default());
        assert!(!speech.deliver(seat, false, Instant::now(), &counts, &mut outbox));
        assert_eq!((speech.len(), speech.lines.capacity(), speech.others.capacity()), (0, 0, 0));
        outbox
    }

    /// Whatever it was taken for that followed.
    #[test]
    fn what_is_told_takes_at_most_twice_what_it_is() {
        let (speaker, _listener, mut queue) = pair(65_536);
        for (payload, behind) in [(1, 0), (1, 60_000), (200, 1_000), (200, 60_000), (1600, 60_000)]
        {
            for count in [1, 2, 5] {
                let mut speech = Speech::default();
                for _ in 0..count {
                    speech.add(Kind::Answered, TrId::ZERO, &speaker, &vec![b'x'; payload], behind);
                }
                assert!(speech.lines.capacity() <= BYTES_MAX + 2000);
                assert_eq!(deliver(&mut speech, &speaker).len(), count * "ACK 0\r\n".len());
                let Some(News::Lines(lines)) = queue.try_recv() else { panic!("nothing") };
                let told = lines.len();
                assert!(told > count * payload);
                let taken = lines.try_into_mut().unwrap().capacity();
                assert!(taken <= 2 * told, "{taken} for {told}");
            }
        }
    }

    /// Also when all are together at their limit.
    #[test]
    fn whoever_has_a_fair_share_has_room_for_all_that_is_told_together() {
        let (speaker, _listener, mut queue) = pair(65_536);
        for payload in [0, 1, 200, 1600] {
            let mut speech = Speech::default();
            while speech.takes(Kind::Answered) {
                speech.add(Kind::Answered, TrId::ZERO, &speaker, &vec![b'x'; payload], 0);
            }
            assert!(!speech.takes(Kind::Negative));
            let count = speech.len();
            assert_eq!(deliver(&mut speech, &speaker).len(), count * "ACK 0\r\n".len());
            assert_eq!(queue.try_recv().is_some(), payload > 0);
            assert_eq!(queue.try_recv(), None);
        }
    }
}
