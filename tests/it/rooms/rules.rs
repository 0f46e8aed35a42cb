//! The rules of conversations (`sb-commands.md` §1 to §3) on nothing but lists: what everybody in a
//! room must hear, in order, and what each act must say.

use msnd::switchboard::{
    queue::{ENTRY_BYTES, Ending, TAKE_WAIT},
    room::{Delivery, Uninvited},
    rooms::Unseated,
};
use std::collections::{BTreeMap, VecDeque};

pub(super) const MEMBERS_MAX: usize = 4;
pub(super) const ROOMS_MAX: usize = 3;
pub(super) const ROOMS_PER_USER_MAX: usize = 2;
pub(super) const QUEUE_BYTES_MAX: usize = 900;
pub(super) const QUEUES_BYTES_MAX: usize = 2000;
pub(super) const FAIR_SHARE_BYTES: usize = 300;
pub(super) const IDLE_SECS: u64 = 600;
pub(super) const RING_SECS: u64 = 60;

/// Who a connection belongs to, and what it has still to hear.
#[derive(Debug, Default)]
pub(super) struct Ear {
    pub(super) person: usize,
    pub(super) room: u32,
    pub(super) waiting: VecDeque<String>,
    pub(super) ending: Option<Ending>,
    /// The only other one waits for this one, who last took something at this moment.
    pub(super) held_since: Option<u64>,
    is_opener: bool,
    /// Which of the rooms that had the number one after the other.
    nth: usize,
}

#[derive(Debug, Default)]
struct Room {
    nth: usize,
    /// Connections, in joining order.
    members: Vec<usize>,
    /// Person, until when, and whether the callee has been told.
    rung: Vec<(usize, u64, bool)>,
    active_at: u64,
    /// Everybody is out, but somebody's connection has not noticed yet.
    is_over: bool,
}

/// All rooms and everybody's ears.
#[derive(Debug, Default)]
pub(super) struct Model {
    rooms: BTreeMap<u32, Room>,
    /// By number of the connection; stays when the connection is gone.
    pub(super) ears: BTreeMap<usize, Ear>,
    /// Seconds since the start.
    pub(super) now: u64,
    rooms_ever: usize,
}

pub(super) fn user(person: usize) -> String {
    format!("u{person}@example.test")
}

impl Model {
    pub(super) fn may_open(&self, person: usize) -> Result<(), Unseated> {
        self.may_make(person, self.rooms.len())
    }

    /// Whether there may be one room more than so many, opened by `person`.
    fn may_make(&self, person: usize, rooms: usize) -> Result<(), Unseated> {
        let of_user = |ear: &&Ear| ear.is_opener && ear.person == person;
        if self.ears.values().filter(of_user).count() >= ROOMS_PER_USER_MAX {
            return Err(Unseated::TooManyOfUser);
        }
        if rooms >= ROOMS_MAX {
            return Err(Unseated::TooManyRooms);
        }
        Ok(())
    }

    pub(super) fn opened(&mut self, connection: usize, person: usize, room: u32) {
        assert!(!self.rooms.contains_key(&room), "the number is taken");
        self.enter(connection, person, room, true);
    }

    /// Who is there, in joining order, if `person` may come in.
    pub(super) fn may_join(&self, person: usize, room: u32) -> Result<Vec<usize>, Unseated> {
        let found = self.rooms.get(&room);
        let members = found.filter(|room| !room.is_over).map_or(&[][..], |room| &room.members);
        let people: Vec<_> = members.iter().map(|member| self.ears[member].person).collect();
        if people.contains(&person) {
            return Err(Unseated::AlreadyThere);
        }
        if people.len() >= MEMBERS_MAX {
            return Err(Unseated::RoomFull);
        }
        match found {
            None => self.may_make(person, self.rooms.len())?,
            // It makes way for the new one.
            Some(room) if room.is_over => self.may_make(person, self.rooms.len() - 1)?,
            Some(_) => {}
        }
        Ok(people)
    }

    pub(super) fn joined(&mut self, connection: usize, person: usize, room: u32) {
        if self.rooms.get(&room).is_some_and(|room| room.is_over) {
            self.rooms.remove(&room);
        }
        let is_new = !self.rooms.contains_key(&room);
        self.enter(connection, person, room, is_new);
    }

    /// What remains of a room that was looked for in vain: the next one is another.
    pub(super) fn not_joined(&mut self, room: u32) {
        if self.rooms.get(&room).is_some_and(|room| room.is_over) {
            self.rooms.remove(&room);
        }
    }

    fn enter(&mut self, connection: usize, person: usize, room: u32, is_opener: bool) {
        let (active_at, nth) = (self.now, self.rooms_ever);
        self.rooms_ever += 1;
        let entry = self.rooms.entry(room);
        let found = entry.or_insert_with(|| Room { nth, ..Room::default() });
        let nth = found.nth;
        found.active_at = active_at;
        found.rung.retain(|(rung, ..)| *rung != person);
        self.release(room);
        let mut out = Vec::new();
        self.tell(room, None, &format!("JOI {} U{person}\r\n", user(person)), &mut out);
        self.rooms.get_mut(&room).unwrap().members.push(connection);
        let ear = Ear { person, room, is_opener, nth, ..Ear::default() };
        self.ears.insert(connection, ear);
        self.settle(room, out);
    }

    pub(super) fn call(&mut self, by: usize, callee: usize) -> Result<(), Uninvited> {
        if !self.is_member(by) {
            return Err(Uninvited::Out);
        }
        let (now, room) = (self.now, self.ears[&by].room);
        let is_there = |ear: &usize| self.ears[ear].person == callee;
        let found = self.rooms.get_mut(&room).unwrap();
        found.rung.retain(|(_, until, _)| now < *until);
        if found.members.iter().any(is_there) || found.rung.iter().any(|(who, ..)| *who == callee) {
            return Err(Uninvited::AlreadyThere);
        }
        if found.members.len() + found.rung.len() >= MEMBERS_MAX {
            return Err(Uninvited::Full);
        }
        found.rung.push((callee, now + RING_SECS, false));
        Ok(())
    }

    pub(super) fn rung(&mut self, by: usize, callee: usize) {
        let found = self.rooms.get_mut(&self.ears[&by].room).unwrap();
        found.active_at = self.now;
        found.rung.iter_mut().filter(|(who, ..)| *who == callee).for_each(|ring| ring.2 = true);
    }

    /// The call was taken back, or its cookie is spent.
    pub(super) fn withdrawn(&mut self, by: usize, callee: usize) {
        let found = self.rooms.get_mut(&self.ears[&by].room).unwrap();
        found.rung.retain(|(who, ..)| *who != callee);
    }

    /// Who has been rung and may still come, oldest call first.
    pub(super) fn pending(&self, by: usize) -> Vec<String> {
        let found = &self.rooms[&self.ears[&by].room];
        let rung = found.rung.iter().filter(|(_, until, is_rung)| *is_rung && self.now < *until);
        rung.map(|(who, ..)| user(*who)).collect()
    }

    pub(super) fn say(&mut self, connection: usize, payload: &str) -> Delivery {
        let Ear { person, room, .. } = self.ears[&connection];
        let nothing = Delivery { is_delivered: false, overflows: 0, is_ahead: false };
        let Some(found) = self.rooms.get_mut(&room) else { return nothing };
        if !found.members.contains(&connection) {
            return nothing;
        }
        found.active_at = self.now;
        let others = found.members.len() - 1;
        let mut out = Vec::new();
        if !payload.is_empty() {
            let line = format!("MSG {} U{person} {}\r\n{payload}", user(person), payload.len());
            self.tell(room, Some(connection), &line, &mut out);
        }
        let is_delivered = others > 0 && out.is_empty();
        let overflows = self.settle(room, out);
        let other = self.only_other(connection);
        let is_ahead = other.is_some_and(|other| self.ears[&other].bytes() > QUEUE_BYTES_MAX / 2);
        Delivery { is_delivered, overflows, is_ahead }
    }

    /// The only other one in the room.
    fn only_other(&self, connection: usize) -> Option<usize> {
        match self.rooms.get(&self.ears[&connection].room)?.members[..] {
            [other, own] | [own, other] if own == connection => Some(other),
            _ => None,
        }
    }

    /// `connection` waits for the only other one, which is far behind.
    pub(super) fn hold(&mut self, connection: usize) -> usize {
        let other = self.only_other(connection).unwrap();
        self.ears.get_mut(&other).unwrap().held_since = Some(self.now);
        other
    }

    /// Whether `connection` has done waiting, since the only other one has taken nothing for too
    /// long: that one is out.
    pub(super) fn end_stalled(&mut self, connection: usize) -> usize {
        let Some(other) = self.only_other(connection) else { return 0 };
        let ear = self.ears.get_mut(&other).unwrap();
        if ear.held_since.is_none_or(|since| self.now < since + TAKE_WAIT.as_secs()) {
            return 0;
        }
        ear.overflow();
        let room = ear.room;
        self.settle(room, vec![other])
    }

    /// Nobody waits for anybody in this room.
    fn release(&mut self, room: u32) {
        for member in &self.rooms[&room].members {
            self.ears.get_mut(member).unwrap().held_since = None;
        }
    }

    /// What waits for everybody.
    pub(super) fn bytes(&self) -> usize {
        self.ears.values().map(Ear::bytes).sum()
    }

    /// The connection is gone.
    pub(super) fn leave(&mut self, connection: usize) {
        let Ear { room, nth, person, .. } = self.ears[&connection];
        let mut out = Vec::new();
        if self.rooms.get(&room).is_some_and(|found| found.members.contains(&connection)) {
            self.remove(room, connection, person, &mut out);
            self.settle(room, out);
        }
        // Only who was in that very room can tell that it is over.
        if self.rooms.get(&room).is_some_and(|found| found.is_over && found.nth == nth) {
            self.rooms.remove(&room);
        }
        self.ears.remove(&connection);
    }

    pub(super) fn end_if_idle(&mut self, connection: usize) {
        let Ear { room, nth, .. } = self.ears[&connection];
        let Some(found) = self.rooms.get_mut(&room).filter(|found| found.nth == nth) else {
            return;
        };
        if self.now < found.active_at + IDLE_SECS || found.is_over {
            return;
        }
        let members = std::mem::take(&mut found.members);
        found.is_over = true;
        for gone in &members {
            let line = format!("BYE {} 1\r\n", user(self.ears[gone].person));
            for other in members.iter().filter(|other| *other != gone) {
                let bytes = self.ears.values().map(Ear::bytes).sum();
                self.ears.get_mut(other).unwrap().hear(&line, bytes);
            }
        }
        for member in members {
            let ear = self.ears.get_mut(&member).unwrap();
            ear.held_since = None;
            ear.ending.get_or_insert(Ending::Idle);
        }
    }

    pub(super) fn rooms(&self) -> Vec<(u32, Vec<String>)> {
        let members = |room: &Room| {
            room.members.iter().map(|member| user(self.ears[member].person)).collect()
        };
        self.rooms.iter().map(|(id, room)| (*id, members(room))).collect()
    }

    pub(super) fn is_member(&self, connection: usize) -> bool {
        let room = self.rooms.get(&self.ears[&connection].room);
        room.is_some_and(|room| room.members.contains(&connection))
    }

    /// Everybody but one hears a line; who has no room for it is noted.
    fn tell(&mut self, room: u32, but: Option<usize>, line: &str, out: &mut Vec<usize>) {
        for member in &self.rooms[&room].members {
            let bytes = self.bytes();
            let is_heard =
                Some(*member) == but || self.ears.get_mut(member).unwrap().hear(line, bytes);
            if !is_heard && !out.contains(member) {
                out.push(*member);
            }
        }
    }

    fn remove(&mut self, room: u32, connection: usize, person: usize, out: &mut Vec<usize>) {
        let found = self.rooms.get_mut(&room).unwrap();
        found.members.retain(|member| *member != connection);
        found.is_over = found.members.is_empty();
        self.ears.get_mut(&connection).unwrap().held_since = None;
        self.release(room);
        self.tell(room, None, &format!("BYE {}\r\n", user(person)), out);
    }

    fn settle(&mut self, room: u32, mut out: Vec<usize>) -> usize {
        let mut count = 0;
        while let Some(connection) = out.pop() {
            let person = self.ears[&connection].person;
            self.remove(room, connection, person, &mut out);
            count += 1;
        }
        count
    }
}

impl Ear {
    /// Whether there was room for it, where so much waits for everybody.
    fn hear(&mut self, line: &str, of_all: usize) -> bool {
        if self.ending.is_some() {
            return false;
        }
        let more = line.len() + ENTRY_BYTES;
        let waiting = self.bytes() + more;
        let is_poor = of_all + more > QUEUES_BYTES_MAX && waiting > FAIR_SHARE_BYTES;
        if waiting > QUEUE_BYTES_MAX || is_poor {
            self.overflow();
            return false;
        }
        self.waiting.push_back(line.into());
        true
    }

    fn overflow(&mut self) {
        self.waiting.clear();
        self.ending = Some(Ending::Overflow);
        self.held_since = None;
    }

    /// Takes a line out.
    pub(super) fn take(&mut self, now: u64) -> Option<String> {
        let line = self.waiting.pop_front()?;
        self.held_since = self.held_since.map(|_| now);
        if self.bytes() < QUEUE_BYTES_MAX / 4 {
            self.held_since = None;
        }
        Some(line)
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().map(|line| line.len() + ENTRY_BYTES).sum()
    }
}
