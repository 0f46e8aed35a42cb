//! The rules of conversations (`sb-commands.md` §1 to §3) on nothing but lists: what everybody in a
//! room must hear, in order, and what each act must say.

use msnd::switchboard::{
    queue::{ENTRY_BYTES, Ending},
    room::{Delivery, Uninvited},
    rooms::Unseated,
};
use std::collections::{BTreeMap, VecDeque};

pub(super) const MEMBERS_MAX: usize = 4;
pub(super) const ROOMS_MAX: usize = 3;
pub(super) const ROOMS_PER_USER_MAX: usize = 2;
pub(super) const QUEUE_BYTES_MAX: usize = 900;
pub(super) const IDLE_SECS: u64 = 600;
pub(super) const RING_SECS: u64 = 60;

/// Who a connection belongs to, and what it has still to hear.
#[derive(Debug, Default)]
pub(super) struct Ear {
    pub(super) person: usize,
    pub(super) room: u32,
    pub(super) waiting: VecDeque<String>,
    pub(super) ending: Option<Ending>,
    is_opener: bool,
    /// Which of the rooms that had the number one after the other.
    nth: usize,
}

#[derive(Debug, Default)]
struct Room {
    nth: usize,
    /// Connections, in joining order.
    members: Vec<usize>,
    /// Person, and until when.
    rung: Vec<(usize, u64)>,
    said_at: u64,
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
        let of_user = |ear: &&Ear| ear.is_opener && ear.person == person;
        if self.ears.values().filter(of_user).count() >= ROOMS_PER_USER_MAX {
            return Err(Unseated::TooManyOfUser);
        }
        if self.rooms.len() >= ROOMS_MAX {
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
        if found.is_none() && self.rooms.len() >= ROOMS_MAX {
            return Err(Unseated::TooManyRooms);
        }
        Ok(people)
    }

    pub(super) fn joined(&mut self, connection: usize, person: usize, room: u32) {
        if self.rooms.get(&room).is_some_and(|room| room.is_over) {
            self.rooms.remove(&room);
        }
        self.enter(connection, person, room, false);
    }

    fn enter(&mut self, connection: usize, person: usize, room: u32, is_opener: bool) {
        let (said_at, nth) = (self.now, self.rooms_ever);
        self.rooms_ever += 1;
        let entry = self.rooms.entry(room);
        let found = entry.or_insert_with(|| Room { said_at, nth, ..Room::default() });
        let nth = found.nth;
        found.rung.retain(|(rung, _)| *rung != person);
        let mut out = Vec::new();
        self.tell(room, None, &format!("JOI {} U{person}\r\n", user(person)), &mut out);
        self.rooms.get_mut(&room).unwrap().members.push(connection);
        let ear = Ear { person, room, is_opener, nth, ..Ear::default() };
        self.ears.insert(connection, ear);
        self.settle(room, out);
    }

    pub(super) fn call(&mut self, room: u32, callee: usize) -> Result<(), Uninvited> {
        let now = self.now;
        let is_there = |ear: &usize| self.ears[ear].person == callee;
        let found = self.rooms.get_mut(&room);
        // A room that has ended keeps nobody from calling; nothing will come of it.
        let Some(found) = found.filter(|room| !room.is_over) else { return Ok(()) };
        found.rung.retain(|(_, until)| now < *until);
        if found.members.iter().any(is_there) || found.rung.iter().any(|(who, _)| *who == callee) {
            return Err(Uninvited::AlreadyThere);
        }
        if found.members.len() + found.rung.len() >= MEMBERS_MAX {
            return Err(Uninvited::Full);
        }
        found.rung.push((callee, now + RING_SECS));
        Ok(())
    }

    pub(super) fn withdrawn(&mut self, room: u32, callee: usize) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.rung.retain(|(who, _)| *who != callee);
        }
    }

    pub(super) fn say(&mut self, connection: usize, payload: &str) -> Delivery {
        let Ear { person, room, .. } = self.ears[&connection];
        let nothing = Delivery { is_delivered: false, overflows: 0 };
        let Some(found) = self.rooms.get_mut(&room) else { return nothing };
        if !found.members.contains(&connection) {
            return nothing;
        }
        found.said_at = self.now;
        let others = found.members.len() - 1;
        let mut out = Vec::new();
        if !payload.is_empty() {
            let line = format!("MSG {} U{person} {}\r\n{payload}", user(person), payload.len());
            self.tell(room, Some(connection), &line, &mut out);
        }
        let is_delivered = others > 0 && out.is_empty();
        Delivery { is_delivered, overflows: self.settle(room, out) }
    }

    /// The connection is gone.
    pub(super) fn leave(&mut self, connection: usize) {
        let ear = self.ears.remove(&connection).unwrap();
        let room = ear.room;
        let mut out = Vec::new();
        if self.rooms.get(&room).is_some_and(|found| found.members.contains(&connection)) {
            self.remove(room, connection, ear.person, &mut out);
            self.settle(room, out);
        }
        // Only who was in that very room can tell that it is over.
        if self.rooms.get(&room).is_some_and(|found| found.is_over && found.nth == ear.nth) {
            self.rooms.remove(&room);
        }
    }

    pub(super) fn end_if_idle(&mut self, connection: usize) {
        let Ear { room, nth, .. } = self.ears[&connection];
        let Some(found) = self.rooms.get_mut(&room).filter(|found| found.nth == nth) else {
            return;
        };
        if self.now < found.said_at + IDLE_SECS || found.is_over {
            return;
        }
        let members = std::mem::take(&mut found.members);
        found.is_over = true;
        for gone in &members {
            let line = format!("BYE {} 1\r\n", user(self.ears[gone].person));
            for other in members.iter().filter(|other| *other != gone) {
                self.ears.get_mut(other).unwrap().hear(&line);
            }
        }
        for member in members {
            self.ears.get_mut(&member).unwrap().ending.get_or_insert(Ending::Idle);
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
            let is_heard = Some(*member) == but || self.ears.get_mut(member).unwrap().hear(line);
            if !is_heard && !out.contains(member) {
                out.push(*member);
            }
        }
    }

    fn remove(&mut self, room: u32, connection: usize, person: usize, out: &mut Vec<usize>) {
        let found = self.rooms.get_mut(&room).unwrap();
        found.members.retain(|member| *member != connection);
        found.is_over = found.members.is_empty();
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
    /// Whether there was room for it.
    fn hear(&mut self, line: &str) -> bool {
        if self.ending.is_some() {
            return false;
        }
        let waiting: usize = self.waiting.iter().map(|line| line.len() + ENTRY_BYTES).sum();
        if waiting + line.len() + ENTRY_BYTES > QUEUE_BYTES_MAX {
            self.waiting.clear();
            self.ending = Some(Ending::Overflow);
            return false;
        }
        self.waiting.push_back(line.into());
        true
    }
}
