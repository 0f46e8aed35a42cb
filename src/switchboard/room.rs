//! One conversation: who is in it, who has been rung, and what each participant is told. Knows no
//! connection and no other conversation.
//!
//! Everything that happens in a room happens under its one lock, in which all participants are told
//! of it. So all see joining, leaving and every sender's messages in the same order. Under it only
//! the lock of a participant's queue is taken; nothing is called back.

use super::queue::{Ending, Overflowed, Queue, Sender, queue};
use crate::{
    hub::{Person, RoomId},
    model::Address,
    protocol::{Dialect, Event},
};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Bounds and times of a room.
#[derive(Debug, Clone, Copy)]
pub struct RoomLimits {
    /// Participants, those who have been rung included.
    pub members_max: usize,
    /// Bytes that may wait for one participant, [`super::queue::ENTRY_BYTES`] for each line
    /// included.
    pub queue_bytes_max: usize,
    /// How long nobody may say anything.
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
    opened_at: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In joining order, nobody twice.
    members: Vec<Member>,
    /// Not yet answered, oldest first.
    rung: Vec<Ring>,
    next_place: u64,
    said_at: Instant,
    /// Everybody has left: nobody comes any more.
    is_over: bool,
    /// Members whose queue was full; out before the lock is given back.
    overflowed: Vec<u64>,
}

#[derive(Debug)]
struct Member {
    place: u64,
    person: Arc<Person>,
    sender: Sender,
}

#[derive(Debug)]
struct Ring {
    address: Address,
    until: Instant,
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

/// Why nobody is to be rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uninvited {
    /// A participant, or rung and not yet timed out.
    AlreadyThere,
    /// As many as may be are there or have been rung.
    Full,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Somebody gets it, and nobody was too far behind for it.
    pub is_delivered: bool,
    /// Who was too far behind, and is out now.
    pub overflows: usize,
}

impl Room {
    pub(super) fn new(
        id: RoomId,
        server: Option<Arc<str>>,
        limits: RoomLimits,
        now: Instant,
    ) -> Self {
        let state = State {
            members: Vec::new(),
            rung: Vec::new(),
            next_place: 0,
            said_at: now,
            is_over: false,
            overflowed: Vec::new(),
        };
        Self { id, server, limits, opened_at: now, state: Mutex::new(state) }
    }

    /// Lets `person` in. Everybody else is told; the newcomer's queue has what follows.
    pub(super) fn join(&self, person: &Arc<Person>) -> Result<Joined, Unjoined> {
        let mut state = self.state.lock();
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
        state.rung.retain(|ring| ring.address != *address);
        let present = state.members.iter().map(|member| member.person.clone()).collect();
        state.tell_others(None, &line(&Event::Joi { address, name }));
        let place = state.next_place;
        state.next_place += 1;
        let (sender, queue) = queue(self.limits.queue_bytes_max);
        state.members.push(Member { place, person: person.clone(), sender });
        // Only now, so that the newcomer hears that somebody it was told of is out.
        state.settle();
        Ok(Joined { place, queue, present })
    }

    /// Notes that `callee` is about to be rung.
    pub(super) fn invite(&self, callee: &Address, now: Instant) -> Result<(), Uninvited> {
        let mut state = self.state.lock();
        state.rung.retain(|ring| now < ring.until);
        if state.is_member(callee) || state.rung.iter().any(|ring| ring.address == *callee) {
            return Err(Uninvited::AlreadyThere);
        }
        if state.members.len() + state.rung.len() >= self.limits.members_max {
            return Err(Uninvited::Full);
        }
        state.rung.push(Ring { address: callee.clone(), until: now + self.limits.ring });
        Ok(())
    }

    /// `callee` has not been rung after all.
    pub(super) fn withdraw(&self, callee: &Address) {
        self.state.lock().rung.retain(|ring| ring.address != *callee);
    }

    /// Tells all others what the one at `place` says. An empty message counts, but goes nowhere.
    pub(super) fn say(&self, place: u64, message: Option<&Bytes>, now: Instant) -> Delivery {
        let mut state = self.state.lock();
        let is_member = state.members.iter().any(|member| member.place == place);
        if !is_member {
            return Delivery { is_delivered: false, overflows: 0 };
        }
        state.said_at = now;
        let others = state.members.len() - 1;
        let refused = message.map_or(0, |message| state.tell_others(Some(place), message));
        let overflows = state.settle();
        Delivery { is_delivered: others > 0 && refused == 0, overflows }
    }

    /// Ends the stay of the one at `place`, if it has not ended. Returns whether the room is empty.
    pub(super) fn leave(&self, place: u64) -> bool {
        let mut state = self.state.lock();
        state.remove(place);
        state.settle();
        state.is_over
    }

    /// When everybody is sent away unless somebody says something before.
    pub(super) fn idle_at(&self) -> Instant {
        self.state.lock().said_at + self.limits.idle
    }

    /// Sends everybody away if nobody has said anything for long enough.
    pub(super) fn end_if_idle(&self, now: Instant) {
        let mut state = self.state.lock();
        if now < state.said_at + self.limits.idle || state.members.is_empty() {
            return;
        }
        let members = std::mem::take(&mut state.members);
        for gone in &members {
            let bye = line(&Event::Bye { address: &gone.person.address, idle: true });
            for other in members.iter().filter(|other| other.place != gone.place) {
                // Whoever has no room for it is out just the same.
                let _ = other.sender.send(bye.clone());
            }
        }
        members.iter().for_each(|member| member.sender.end(Ending::Idle));
        state.is_over = true;
    }

    /// Who is here, when it began, and when somebody last said something.
    pub(super) fn look(&self) -> (Vec<Address>, Instant, Instant) {
        let state = self.state.lock();
        let members = state.members.iter().map(|member| member.person.address.clone()).collect();
        (members, self.opened_at, state.said_at)
    }
}

impl State {
    fn is_member(&self, address: &Address) -> bool {
        self.members.iter().any(|member| member.person.address == *address)
    }

    /// Queues a line for everybody but the one at `but`. Returns how many had no room for it.
    fn tell_others(&mut self, but: Option<u64>, line: &Bytes) -> usize {
        let before = self.overflowed.len();
        for member in self.members.iter().filter(|member| Some(member.place) != but) {
            if member.sender.send(line.clone()) == Err(Overflowed)
                && !self.overflowed.contains(&member.place)
            {
                self.overflowed.push(member.place);
            }
        }
        self.overflowed.len() - before
    }

    fn remove(&mut self, place: u64) {
        let Some(at) = self.members.iter().position(|member| member.place == place) else { return };
        let gone = self.members.remove(at);
        self.is_over = self.members.is_empty();
        let bye = line(&Event::Bye { address: &gone.person.address, idle: false });
        self.tell_others(None, &bye);
    }

    /// Puts those out whose queue was full, of which others are told, whose queues may be full too.
    /// Returns how many.
    fn settle(&mut self) -> usize {
        let mut count = 0;
        while let Some(place) = self.overflowed.pop() {
            self.remove(place);
            count += 1;
        }
        count
    }
}

/// A line for many. What is sent on a switchboard is the same in all dialects.
pub(super) fn line(event: &Event<'_>) -> Bytes {
    let mut line = BytesMut::with_capacity(128);
    event.encode(Dialect::Msnp9, &mut line);
    line.freeze()
}
