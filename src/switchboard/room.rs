//! One conversation: who is in it, who has been rung, and what each participant is told. Knows no
//! connection and no other conversation.
//!
//! Everything that happens in a room happens under its one lock, in which all participants are told
//! of it. So all see joining, leaving and every sender's messages in the same order. Under it only
//! the lock of a participant's queue is taken, and what goes straight is written; nothing is called
//! back.

use super::{
    budget::Budget,
    queue::{Debris, Ending, Hold, Overflowed, Piece, Queue, Sender, queue},
};
use crate::{
    hub::{Person, RoomId},
    model::Address,
    protocol::{Dialect, Event},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{mem, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Bounds and times of a room.
#[derive(Debug, Clone, Copy)]
pub struct RoomLimits {
    /// Participants, those who have been rung included.
    pub members_max: usize,
    /// Bytes that may wait for one participant, [`super::queue::ENTRY_BYTES`] for each line
    /// included.
    pub queue_bytes_max: usize,
    /// How long nobody may say anything, come, or call somebody.
    pub idle: Duration,
    /// How long somebody who has been rung counts as such.
    pub ring: Duration,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: RoomId,
    /// The switchboard it is on, if there are several.
    pub(super) server: Option<Arc<str>>,
    limits: RoomLimits,
    budget: Arc<Budget>,
    opened_at: Instant,
    state: Mutex<State>,
}

/// What each message touches comes first.
#[derive(Debug)]
#[repr(C)]
struct State {
    /// In joining order, nobody twice.
    members: Vec<Member>,
    /// When somebody last said something, came, or was rung.
    active_at: Instant,
    /// Everybody has left: nobody comes any more.
    is_over: bool,
    /// The number of the next place or ring.
    next_number: u64,
    /// Not yet answered, oldest first.
    rung: Vec<Ring>,
}

/// Who had no room for what happened.
#[derive(Debug, Default)]
struct Outcasts {
    /// Members whose queue was full; out before the lock is given back.
    places: Vec<u64>,
    /// What waited for them; freed after the lock is given back.
    debris: Vec<Debris>,
    /// Who has left; the same, for what waits for them may hang on nothing else.
    gone: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    place: u64,
    person: Arc<Person>,
    sender: Sender,
}

#[derive(Debug)]
struct Ring {
    number: u64,
    address: Address,
    until: Instant,
    /// Whether it has come to that; before, the place is only held.
    is_rung: bool,
}

/// Somebody who has just come in.
#[derive(Debug)]
pub(super) struct Joined {
    /// The number of its place in this room.
    pub(super) place: u64,
    /// What it will be told.
    pub(super) queue: Queue,
    /// Who was there before, in joining order.
    pub(super) present: Vec<Arc<Person>>,
}

/// Why somebody does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unjoined {
    /// The room has ended.
    Over,
    /// The account is in the room already.
    AlreadyThere,
    /// The room is full.
    Full,
}

/// A message with its header, yet to be copied into a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// See [`crate::protocol::event::said_by`].
    pub(super) head: &'a [u8],
    /// Not empty.
    pub(super) payload: &'a [u8],
}

impl Said<'_> {
    /// Bytes of the line: behind the head a space, the length and the line end; exact, or a second
    /// allocation would follow.
    pub(super) fn len(&self) -> usize {
        let digits = self.payload.len().ilog10() as usize + 1;
        self.head.len() + 1 + digits + 2 + self.payload.len()
    }

    /// Appends the line.
    pub(super) fn write(&self, lines: &mut Vec<u8>) {
        let Self { head, payload } = *self;
        Event::SaidBy { head, payload }.encode(Dialect::Msnp9, lines);
    }

    pub(super) fn to_bytes(self) -> Bytes {
        let mut line = Vec::with_capacity(self.len());
        self.write(&mut line);
        line.into()
    }
}

/// Why nobody is to be rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninvited {
    /// A participant, or rung and not yet timed out.
    AlreadyThere,
    /// As many as may be are there or have been rung.
    Full,
    /// The one who calls is out of the room itself.
    Out,
}

/// What became of a line.
#[derive(Debug, Default)]
struct Relayed {
    /// How many had no room for it.
    refused: usize,
    /// Whether the only other one is behind now, if that is known.
    is_ahead: Option<bool>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Somebody gets it, and nobody was too far behind for it.
    pub is_delivered: bool,
    /// Who was too far behind, and is out now.
    pub overflows: usize,
    /// There is one other, for whom much waits now: its sender should wait.
    pub is_ahead: bool,
}

impl Room {
    pub(super) fn new(
        id: RoomId,
        server: Option<Arc<str>>,
        limits: RoomLimits,
        budget: Arc<Budget>,
        now: Instant,
    ) -> Self {
        let state = State {
            members: Vec::new(),
            rung: Vec::new(),
            next_number: 0,
            active_at: now,
            is_over: false,
        };
        Self { id, server, limits, budget, opened_at: now, state: Mutex::new(state) }
    }

    /// Lets `person` in. Everybody else is told; the newcomer's queue has what follows.
    pub(super) fn join(&self, person: &Arc<Person>, now: Instant) -> Result<Joined, Unjoined> {
        self.act(|state, out| {
            if state.is_over {
                return Err(Unjoined::Over);
            }
            let Person { address, name, .. } = &**person;
            if state.is_member(address) {
                return Err(Unjoined::AlreadyThere);
            }
            if state.members.len() >= self.limits.members_max {
                return Err(Unjoined::Full);
            }
            state.active_at = now;
            state.rung.retain(|ring| ring.address != *address);
            let present = state.members.iter().map(|member| member.person.clone()).collect();
            // Where there are three nobody waits for anybody.
            state.members.iter().for_each(|member| member.sender.release());
            state.tell_others(None, line(&Event::Joi { address, name }), 1, out);
            let place = state.number();
            let (sender, queue) = queue(self.limits.queue_bytes_max, self.budget.clone());
            state.members.push(Member { place, person: person.clone(), sender });
            // Only now, so that the newcomer hears that somebody it was told of is out.
            state.settle(out);
            Ok(Joined { place, queue, present })
        })
    }

    /// Notes that the one at `place` is about to ring `callee`. Returns the number of that call.
    pub(super) fn invite(
        &self,
        place: u64,
        callee: &Address,
        now: Instant,
    ) -> Result<u64, Uninvited> {
        let mut state = self.state.lock();
        if !state.is_seated(place) {
            return Err(Uninvited::Out);
        }
        state.rung.retain(|ring| now < ring.until);
        if state.is_member(callee) || state.rung.iter().any(|ring| ring.address == *callee) {
            return Err(Uninvited::AlreadyThere);
        }
        if state.members.len() + state.rung.len() >= self.limits.members_max {
            return Err(Uninvited::Full);
        }
        let (number, until) = (state.number(), now + self.limits.ring);
        state.rung.push(Ring { number, address: callee.clone(), until, is_rung: false });
        Ok(number)
    }

    /// It has come to the call of this number.
    pub(super) fn rung(&self, number: u64, now: Instant) {
        let mut state = self.state.lock();
        state.active_at = now;
        if let Some(ring) = state.rung.iter_mut().find(|ring| ring.number == number) {
            ring.is_rung = true;
            ring.until = now + self.limits.ring;
        }
    }

    /// Who has been rung and has neither come nor timed out, with the numbers of the calls.
    pub(super) fn pending(&self, now: Instant) -> Vec<(u64, Address)> {
        let state = self.state.lock();
        let rung = state.rung.iter().filter(|ring| ring.is_rung && now < ring.until);
        rung.map(|ring| (ring.number, ring.address.clone())).collect()
    }

    /// Nobody can answer these calls, or it has not come to them after all.
    pub(super) fn withdraw(&self, numbers: &[u64]) {
        self.state.lock().rung.retain(|ring| !numbers.contains(&ring.number));
    }

    /// Tells all others what the one at `place` says: in so many lines, which are all
    /// messages but the empty ones. Those count, but go nowhere.
    pub(super) fn say(&self, place: u64, piece: Piece, now: Instant) -> Delivery {
        self.act(|state, out| {
            if !state.is_seated(place) {
                return Delivery { is_delivered: false, overflows: 0, is_ahead: false };
            }
            // Who waited may have been heard before others.
            state.active_at = state.active_at.max(now);
            let others = state.members.len() - 1;
            let relayed = (!piece.lines.is_empty()).then(|| state.relay(place, piece, out));
            let Relayed { refused, is_ahead } = relayed.unwrap_or_default();
            let overflows = state.settle(out);
            let is_ahead =
                is_ahead.unwrap_or_else(|| state.only_other(place).is_some_and(Sender::is_behind));
            Delivery { is_delivered: others > 0 && refused == 0, overflows, is_ahead }
        })
    }

    /// Lets the one at `place` wait for the only other one, if much waits for that one.
    pub(super) fn hold(&self, place: u64, now: Instant) -> Option<Hold> {
        self.state.lock().only_other(place)?.hold(now)
    }

    /// Puts out for whom the one at `place` waits, if it has taken nothing for too long. Returns
    /// how many are out.
    pub(super) fn end_stalled(&self, place: u64, now: Instant) -> usize {
        self.act(|state, out| {
            let Some(debris) = state.only_other(place).and_then(|other| other.end_stalled(now))
            else {
                return 0;
            };
            out.debris.push(debris);
            let stalled = state.members.iter().map(|member| member.place);
            out.places.extend(stalled.filter(|other| *other != place));
            state.settle(out)
        })
    }

    /// Ends the stay of the one at `place`, if it has not ended. Returns whether the room is empty.
    pub(super) fn leave(&self, place: u64) -> bool {
        self.act(|state, out| {
            state.remove(place, out);
            state.settle(out);
            state.is_over
        })
    }

    /// When everybody is sent away unless something happens before.
    pub(super) fn idle_at(&self) -> Instant {
        self.state.lock().active_at + self.limits.idle
    }

    /// Sends everybody away if nothing has happened for long enough.
    pub(super) fn end_if_idle(&self, now: Instant) {
        self.act(|state, out| {
            if now < state.active_at + self.limits.idle || state.members.is_empty() {
                return;
            }
            let members = mem::take(&mut state.members);
            for gone in &members {
                let bye = line(&Event::Bye { address: &gone.person.address, idle: true });
                for other in members.iter().filter(|other| other.place != gone.place) {
                    // Whoever has no room for it is out just the same.
                    if let Err(Overflowed(debris)) = other.sender.send(bye.clone()) {
                        out.debris.push(*debris);
                    }
                }
            }
            members.iter().for_each(|member| member.sender.end(Ending::Idle));
            state.is_over = true;
        });
    }

    /// Who is here, when it began, and when something last happened.
    pub(super) fn look(&self) -> (Vec<Address>, Instant, Instant) {
        let state = self.state.lock();
        let members = state.members.iter().map(|member| member.person.address.clone()).collect();
        (members, self.opened_at, state.active_at)
    }

    /// Does something that may throw away what waits: under the lock, but that is freed after it.
    fn act<R>(&self, act: impl FnOnce(&mut State, &mut Outcasts) -> R) -> R {
        let mut out = Outcasts::default();
        let mut state = self.state.lock();
        let result = act(&mut state, &mut out);
        drop(state);
        result
    }
}

impl State {
    fn is_member(&self, address: &Address) -> bool {
        self.members.iter().any(|member| member.person.address == *address)
    }

    fn is_seated(&self, place: u64) -> bool {
        self.members.iter().any(|member| member.place == place)
    }

    /// The queue of the one other, if there are exactly two with the one at `place`.
    fn only_other(&self, place: u64) -> Option<&Sender> {
        match &self.members[..] {
            [other, own] | [own, other] if own.place == place => Some(&other.sender),
            _ => None,
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Queues so many lines for everybody but the one at `but`. Returns how many had no room.
    fn tell_others(
        &mut self,
        but: Option<u64>,
        mut lines: Bytes,
        count: usize,
        out: &mut Outcasts,
    ) -> usize {
        let before = out.places.len();
        let others = self.members.iter().filter(|member| Some(member.place) != but);
        let mut others = others.peekable();
        while let Some(member) = others.next() {
            // The last one, mostly the only one, needs no share of its own.
            let is_last = others.peek().is_none();
            let own = if is_last { mem::take(&mut lines) } else { lines.clone() };
            let own = Piece { lines: own, count, is_straight: false };
            let Err(Overflowed(debris)) = member.sender.send_together(own) else { continue };
            out.debris.push(*debris);
            if !out.places.contains(&member.place) {
                out.places.push(member.place);
            }
        }
        out.places.len() - before
    }

    /// Queues what the one at `place` says for all others.
    fn relay(&mut self, place: u64, piece: Piece, out: &mut Outcasts) -> Relayed {
        let [one, another] = &self.members[..] else {
            let refused = self.tell_others(Some(place), piece.lines, piece.count, out);
            return Relayed { refused, is_ahead: None };
        };
        let other = if one.place == place { another } else { one };
        match other.sender.send_together(piece) {
            Ok(is_ahead) => Relayed { refused: 0, is_ahead: Some(is_ahead) },
            Err(Overflowed(debris)) => {
                out.debris.push(*debris);
                out.places.push(other.place);
                Relayed { refused: 1, is_ahead: None }
            }
        }
    }

    fn remove(&mut self, place: u64, out: &mut Outcasts) {
        let Some(at) = self.members.iter().position(|member| member.place == place) else { return };
        let gone = self.members.remove(at);
        self.is_over = self.members.is_empty();
        self.members.iter().for_each(|member| member.sender.release());
        let bye = line(&Event::Bye { address: &gone.person.address, idle: false });
        out.gone.push(gone);
        self.tell_others(None, bye, 1, out);
    }

    /// Puts those out whose queue was full, of which others are told, whose queues may be full too.
    /// Returns how many.
    fn settle(&mut self, out: &mut Outcasts) -> usize {
        let mut count = 0;
        while let Some(place) = out.places.pop() {
            self.remove(place, out);
            count += 1;
        }
        count
    }
}

/// A line for many. What is sent on a switchboard is the same in all dialects.
pub(super) fn line(event: &Event<'_>) -> Bytes {
    let mut line = Vec::with_capacity(128);
    event.encode(Dialect::Msnp9, &mut line);
    line.into()
}
