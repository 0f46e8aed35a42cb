//! All conversations of this process, by number, and the places people have in them. Its lock is
//! never held together with that of a room.

use super::{
    budget::Budget,
    queue::{Hold, Piece, Queue},
    room::{Delivery, Room, RoomLimits, Said, Uninvited, Unjoined},
};
use crate::{
    hub::{Person, RoomId},
    model::{AccountId, Address},
    protocol::event,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Bounds of all rooms together.
#[derive(Debug, Clone, Copy)]
pub struct RoomsLimits {
    /// Rooms.
    pub rooms_max: usize,
    /// Rooms that one account has opened and is still in.
    pub per_user_max: usize,
    /// Bytes that may wait in all of them together for those who have more than a fair share.
    pub queues_bytes_max: usize,
    /// Bytes that may wait for a participant even beyond that.
    pub fair_share_bytes: usize,
    /// The bounds of each.
    pub room: RoomLimits,
}

/// The handle; clones share all rooms.
#[derive(Debug, Clone)]
pub struct Rooms(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: RoomsLimits,
    budget: Arc<Budget>,
    registry: Mutex<Registry>,
}

#[derive(Debug)]
struct Registry {
    rooms: BTreeMap<RoomId, Arc<Room>>,
    /// How many rooms each account has opened and is still in.
    opened: HashMap<AccountId, usize>,
    /// The number to try for the next room.
    next: u32,
}

/// Why somebody gets no place in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseated {
    /// As many rooms as there may be.
    TooManyRooms,
    /// As many as this account may open.
    TooManyOfUser,
    /// The account is in the room already.
    AlreadyThere,
    /// The room is full.
    RoomFull,
}

/// What others may know of a conversation. Nothing of what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its number.
    pub id: RoomId,
    /// Who is in it, in joining order.
    pub members: Vec<Address>,
    /// Since when it exists.
    pub age: Duration,
    /// How long nobody has said anything, come, or called somebody.
    pub idle: Duration,
}

impl Rooms {
    /// No rooms; the first will have the number `first`, or the nearest legal one.
    #[must_use]
    pub fn new(limits: RoomsLimits, first: u32) -> Self {
        let registry = Registry { rooms: BTreeMap::new(), opened: HashMap::new(), next: first };
        let budget = Arc::new(Budget::new(limits.queues_bytes_max, limits.fair_share_bytes));
        Self(Arc::new(Shared { limits, budget, registry: Mutex::new(registry) }))
    }

    /// Opens a room with `person` as its only participant, on the switchboard `server` if there are
    /// several.
    ///
    /// # Errors
    /// [`Unseated::TooManyRooms`], [`Unseated::TooManyOfUser`].
    pub fn open(
        &self,
        person: &Arc<Person>,
        server: Option<Arc<str>>,
    ) -> Result<(Seat, Queue), Unseated> {
        let room = {
            let mut registry = self.0.registry.lock();
            let id = registry.free_id();
            self.make(&mut registry, id, person.id, server)?
        };
        match room.join(person, Instant::now()) {
            Ok(joined) => Ok((self.seat(room, person, joined.place, true), joined.queue)),
            // Nobody else knows of the room yet, so this never happens. Should it, nothing is left.
            Err(_) => {
                self.close(&room);
                self.0.registry.lock().closed_by(person.id);
                Err(Unseated::TooManyRooms)
            }
        }
    }

    /// Gives somebody who was invited a place in room `id`, with those who are there already, in
    /// joining order. If all have left meanwhile the room is there again, empty, on the switchboard
    /// `server` that the call named: whoever was invited together can still meet. It counts as
    /// opened by this person then.
    ///
    /// # Errors
    /// [`Unseated`].
    pub fn join(
        &self,
        id: RoomId,
        person: &Arc<Person>,
        server: Option<&Arc<str>>,
    ) -> Result<(Seat, Queue, Vec<Arc<Person>>), Unseated> {
        loop {
            let (room, is_opener) = {
                let mut registry = self.0.registry.lock();
                match registry.rooms.get(&id).cloned() {
                    Some(room) => (room, false),
                    None => (self.make(&mut registry, id, person.id, server.cloned())?, true),
                }
            };
            let unjoined = match room.join(person, Instant::now()) {
                Ok(joined) => {
                    let seat = self.seat(room, person, joined.place, is_opener);
                    return Ok((seat, joined.queue, joined.present));
                }
                Err(unjoined) => unjoined,
            };
            if is_opener {
                self.0.registry.lock().closed_by(person.id);
            }
            match unjoined {
                // Ended since we looked: make way for a new one.
                Unjoined::Over => self.close(&room),
                Unjoined::AlreadyThere => return Err(Unseated::AlreadyThere),
                Unjoined::Full => return Err(Unseated::RoomFull),
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.registry.lock().rooms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What waits in all queues, bytes.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.0.budget.bytes()
    }

    /// Up to `limit` rooms with higher numbers than `after`, by number.
    #[must_use]
    pub fn list(&self, after: RoomId, limit: usize) -> Vec<RoomInfo> {
        let later = (Bound::Excluded(after), Bound::Unbounded);
        let registry = self.0.registry.lock();
        let rooms: Vec<_> =
            registry.rooms.range(later).take(limit).map(|(_, r)| r.clone()).collect();
        drop(registry);
        let now = Instant::now();
        let info = |room: Arc<Room>| {
            let (members, opened_at, said_at) = room.look();
            RoomInfo { id: room.id, members, age: now - opened_at, idle: now - said_at }
        };
        rooms.into_iter().map(info).collect()
    }

    /// A new room of this number, which no other has.
    fn make(
        &self,
        registry: &mut Registry,
        id: RoomId,
        opener: AccountId,
        server: Option<Arc<str>>,
    ) -> Result<Arc<Room>, Unseated> {
        let opened = registry.opened.get(&opener).copied().unwrap_or_default();
        if opened >= self.0.limits.per_user_max {
            return Err(Unseated::TooManyOfUser);
        }
        if registry.rooms.len() >= self.0.limits.rooms_max {
            return Err(Unseated::TooManyRooms);
        }
        let (limits, budget) = (self.0.limits.room, self.0.budget.clone());
        let room = Arc::new(Room::new(id, server, limits, budget, Instant::now()));
        registry.rooms.insert(id, room.clone());
        registry.opened.insert(opener, opened + 1);
        Ok(room)
    }

    /// Forgets a room, unless another has its number already.
    fn close(&self, room: &Arc<Room>) {
        let mut registry = self.0.registry.lock();
        if registry.rooms.get(&room.id).is_some_and(|found| Arc::ptr_eq(found, room)) {
            registry.rooms.remove(&room.id);
        }
    }

    fn seat(&self, room: Arc<Room>, person: &Arc<Person>, place: u64, is_opener: bool) -> Seat {
        let head = event::said_by(&person.address, &person.name);
        let idle_at = room.idle_at();
        let (rooms, person) = (self.clone(), person.clone());
        Seat { rooms, room, person, place, is_opener, idle_check_at: idle_at, head }
    }
}

impl Registry {
    /// A number that no room has: the next free one, so that none comes again soon.
    fn free_id(&mut self) -> RoomId {
        loop {
            // Clients read it as a signed number.
            let id = RoomId((self.next & 0x7fff_ffff).max(1));
            self.next = id.0.wrapping_add(1);
            if !self.rooms.contains_key(&id) {
                return id;
            }
        }
    }

    fn closed_by(&mut self, opener: AccountId) {
        if let Some(opened) = self.opened.get_mut(&opener) {
            *opened -= 1;
            if *opened == 0 {
                self.opened.remove(&opener);
            }
        }
    }
}

/// A participant's place in a room. Dropping it leaves the room: all others are told.
#[derive(Debug)]
#[repr(C)]
pub struct Seat {
    idle_check_at: Instant,
    room: Arc<Room>,
    place: u64,
    /// How the line above each message from here begins.
    head: Box<[u8]>,
    rooms: Rooms,
    person: Arc<Person>,
    is_opener: bool,
}

impl Seat {
    /// The room.
    #[must_use]
    pub fn room(&self) -> RoomId {
        self.room.id
    }

    /// The switchboard it is on, if there are several.
    #[must_use]
    pub fn server(&self) -> Option<Arc<str>> {
        self.room.server.clone()
    }

    /// Who sits here, as of the moment of joining.
    #[must_use]
    pub const fn person(&self) -> &Arc<Person> {
        &self.person
    }

    /// Tells all others. An empty message counts, but goes nowhere.
    pub fn say(&self, payload: &[u8]) -> Delivery {
        let line = self.said(payload).map(Said::to_bytes).unwrap_or_default();
        let piece = Piece { lines: line, count: 1, is_straight: true };
        self.tell(piece, Instant::now())
    }

    /// Tells all others what has been said in so many messages, those that are not empty.
    pub(super) fn tell(&self, piece: Piece, now: Instant) -> Delivery {
        self.room.say(self.place, piece, now)
    }

    /// What others hear of this message, if anything.
    pub(super) fn said<'a>(&'a self, payload: &'a [u8]) -> Option<Said<'a>> {
        // COMPAT(bitlbee): an empty message would destroy the receiver's conversation.
        (!payload.is_empty()).then_some(Said { head: &self.head, payload })
    }

    /// A wait for the only other one, if [`Delivery::is_ahead`] still is true.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        self.room.hold(self.place, Instant::now())
    }

    /// Puts the one out for whom we wait, if it has taken nothing for
    /// [`super::queue::TAKE_WAIT`]. Returns how many are out.
    pub fn end_stalled(&self, now: Instant) -> usize {
        self.room.end_stalled(self.place, now)
    }

    /// Reserves a place for `callee`, who is about to be rung.
    ///
    /// # Errors
    /// [`Uninvited`].
    pub fn invite(&self, callee: &Address) -> Result<Invitation, Uninvited> {
        let number = self.room.invite(self.place, callee, Instant::now())?;
        Ok(Invitation { room: self.room.clone(), number, is_rung: false })
    }

    /// Forgets those calls from this room that nobody can answer any more: of those who were called
    /// `still_rung` returns the others.
    pub fn drop_spent_calls(&self, still_rung: impl FnOnce(&[Address]) -> Vec<Address>) {
        let pending = self.room.pending(Instant::now());
        if pending.is_empty() {
            return;
        }
        let (numbers, callees): (Vec<_>, Vec<_>) = pending.into_iter().unzip();
        let still = still_rung(&callees);
        let calls = numbers.into_iter().zip(callees);
        let spent = calls.filter(|(_, callee)| !still.contains(callee)).map(|(number, _)| number);
        self.room.withdraw(&spent.collect::<Vec<_>>());
    }

    /// When to call [`Self::end_if_idle`]. May be early, is never late.
    #[must_use]
    pub const fn idle_check_at(&self) -> Instant {
        self.idle_check_at
    }

    /// Sends everybody away if nothing has happened for long enough.
    pub fn end_if_idle(&mut self, now: Instant) {
        self.room.end_if_idle(now);
        // If it was idle, the ending waits in all queues; this one need not be asked again soon.
        self.idle_check_at = self.room.idle_at().max(now + Duration::from_secs(1));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.room.leave(self.place) {
            self.rooms.close(&self.room);
        }
        if self.is_opener {
            self.rooms.0.registry.lock().closed_by(self.person.id);
        }
    }
}

/// Somebody who is about to be rung. Dropped without a word it is withdrawn.
#[derive(Debug)]
pub struct Invitation {
    room: Arc<Room>,
    number: u64,
    is_rung: bool,
}

impl Invitation {
    /// The callee has been rung: counts until it is answered or timed out.
    pub fn rung(mut self) {
        self.is_rung = true;
        self.room.rung(self.number, Instant::now());
    }
}

impl Drop for Invitation {
    fn drop(&mut self) {
        if !self.is_rung {
            self.room.withdraw(&[self.number]);
        }
    }
}
