//! One client of the crowd: decides what to do by its own random numbers, does it, and follows its
//! stream.

use super::{
    PEOPLE,
    view::{Lists, Presences},
};
use crate::support::{Client, TestServer};
use msnd::model::ListBits;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
};

/// Statuses to choose from.
const STATUSES: [&str; 5] = ["NLN", "BSY", "AWY", "HDN", "PHN"];
/// Most commands sent in one segment.
const PIPELINED_MAX: u64 = 3;

/// One client and what it knows over all its sessions.
pub(super) struct Actor<'s> {
    server: &'s TestServer,
    pub(super) address: &'static str,
    dialect: &'static str,
    random: Random,
    trid: u32,
    /// Counts everything this client does to its status or name.
    counter: u32,
    /// As answered so far.
    pub(super) lists: Lists,
    /// As it will be once everything sent is answered.
    planned: Lists,
    /// The last list version heard.
    pub(super) version: u32,
    /// The reverse list as told.
    pub(super) reverse: BTreeSet<String>,
    /// The highest client id seen of each person.
    newest: BTreeMap<String, u32>,
    /// Own status and client id, as answered.
    pub(super) shown: Option<(String, u32)>,
    pub(super) session: Option<Session>,
}

/// One connection.
pub(super) struct Session {
    client: Client,
    presences: Presences,
    /// Whether contact properties of a `SYN` block may still follow.
    is_behind_block: bool,
    /// Whether the reverse list line about oneself is still to come. It carries the version of the
    /// reply before it, so that what a client keeps under that number is whole only with both.
    awaits_itself: bool,
}

impl Deref for Session {
    type Target = Presences;

    fn deref(&self) -> &Presences {
        &self.presences
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Presences {
        &mut self.presences
    }
}

impl<'s> Actor<'s> {
    pub(super) fn new(server: &'s TestServer, index: usize, seed: u64, lists: Lists) -> Self {
        Self {
            server,
            address: PEOPLE[index],
            dialect: if index.is_multiple_of(2) { "MSNP9" } else { "MSNP8" },
            random: Random(seed << 32 | index as u64),
            trid: 3,
            counter: 0,
            planned: lists.clone(),
            lists,
            version: 0,
            reverse: BTreeSet::new(),
            newest: BTreeMap::new(),
            shown: None,
            session: None,
        }
    }

    /// Signs in if it is not; else sends some commands and waits for the answers, or leaves.
    pub(super) fn take_turn(&mut self) {
        if self.session.is_none() {
            return self.sign_in();
        }
        match self.random.below(20) {
            0 => self.leave("OUT\r\n"),
            1 => self.leave(""),
            2 => {
                // What was not read is lost with the connection.
                self.session = None;
                self.shown = None;
                self.sign_in();
            }
            3 => self.sign_in_elsewhere(),
            _ => {
                let commands = 1 + self.random.below(PIPELINED_MAX);
                let lines: String = (0..commands).map(|_| self.command()).collect();
                self.ask(&lines);
            }
        }
    }

    /// Reads everything that has been sent to it.
    pub(super) fn catch_up(&mut self) {
        if let Some(session) = &mut self.session {
            session.client.send("PNG");
            while !self.hear_line().starts_with("QNG") {}
        }
    }

    fn sign_in(&mut self) {
        let client = Client::sign_in(self.server, self.dialect, self.address);
        self.begin(client);
    }

    fn begin(&mut self, client: Client) {
        let presences = Presences::default();
        let (is_behind_block, awaits_itself) = (false, false);
        self.session = Some(Session { client, presences, is_behind_block, awaits_itself });
        self.trid += 1;
        // The last version heard, as clients with a cache send it.
        let syn = format!("SYN {} {}\r\n", self.trid, self.version);
        let chg = if self.random.below(4) == 0 { String::new() } else { self.change_status() };
        self.ask(&(syn + &chg));
    }

    /// The older session is told why it ends, and nothing after that.
    fn sign_in_elsewhere(&mut self) {
        let newer = Client::sign_in(self.server, self.dialect, self.address);
        while self.hear_line() != "OUT OTH" {}
        self.session.take().unwrap().client.expect_end();
        self.shown = None;
        self.begin(newer);
    }

    /// Ends the session with these last bytes and waits until the server has let it go.
    fn leave(&mut self, last: &str) {
        let client = &mut self.session.as_mut().unwrap().client;
        client.send_bytes(last.as_bytes());
        client.finish_sending();
        while let Some(line) = self.session.as_mut().unwrap().client.line_or_end() {
            if line != "OUT" {
                self.hear(&line);
            }
        }
        self.session = None;
        self.shown = None;
    }

    /// One command that must succeed, with its line end.
    fn command(&mut self) -> String {
        match self.random.below(16) {
            0..=4 => self.change_status(),
            5 | 6 => {
                self.counter += 1;
                format!("REA {} {} Name%20{}\r\n", self.next_trid(), self.address, self.counter)
            }
            7 => {
                self.counter += 1;
                format!("PRP {} PHM {}\r\n", self.next_trid(), self.counter)
            }
            8 => {
                self.planned.blocks_others = !self.planned.blocks_others;
                let mode = if self.planned.blocks_others { "BL" } else { "AL" };
                format!("BLP {} {mode}\r\n", self.next_trid())
            }
            9 => {
                let known = if self.random.below(2) == 0 { 0 } else { self.version };
                format!("SYN {} {known}\r\n", self.next_trid())
            }
            10..=12 => self.toggle("FL"),
            _ if self.random.below(2) == 0 => self.toggle("AL"),
            _ => self.toggle("BL"),
        }
    }

    fn change_status(&mut self) -> String {
        self.counter += 1;
        let trid = self.next_trid();
        let status = STATUSES[self.random.below(STATUSES.len() as u64) as usize];
        let session = self.session.as_mut().unwrap();
        session.iln_trids.insert(trid.to_string());
        format!("CHG {trid} {status} {}\r\n", self.counter)
    }

    /// Puts somebody on a list, or takes them off; off the opposite one first.
    fn toggle(&mut self, list: &str) -> String {
        let user = PEOPLE[self.random.below(PEOPLE.len() as u64) as usize];
        let mut lines = String::new();
        let opposite = match list {
            "AL" => Some("BL"),
            "BL" => Some("AL"),
            _ => None,
        };
        if let Some(opposite) = opposite
            && self.planned.list(opposite).remove(user)
        {
            lines += &format!("REM {} {opposite} {user}\r\n", self.next_trid());
        }
        let trid = self.next_trid();
        if self.planned.list(list).remove(user) {
            lines += &format!("REM {trid} {list} {user}\r\n");
        } else {
            self.planned.list(list).insert(user.into());
            lines += &format!("ADD {trid} {list} {user} {user}\r\n");
        }
        lines
    }

    fn next_trid(&mut self) -> u32 {
        self.trid += 1;
        self.trid
    }

    /// Sends lines in one segment and listens until the last of them is answered.
    fn ask(&mut self, lines: &str) {
        let session = self.session.as_mut().unwrap();
        session.client.send_bytes(lines.as_bytes());
        let last = self.trid.to_string();
        let verb = lines.lines().last().unwrap().get(..3).unwrap().to_owned();
        let mut is_answered = false;
        while !is_answered || self.session.as_ref().is_some_and(|session| session.awaits_itself) {
            let line = self.hear_line();
            let mut words = line.split(' ');
            is_answered |= words.next() == Some(&verb) && words.next() == Some(&last);
        }
    }

    fn hear_line(&mut self) -> String {
        let line = self.session.as_mut().unwrap().client.line();
        self.hear(&line);
        line
    }

    /// Follows one line, or panics with it.
    fn hear(&mut self, line: &str) {
        let followed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.follow(line)));
        if followed.is_err() {
            panic!("{} heard {line:?}", self.address);
        }
    }

    fn follow(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let session = self.session.as_mut().unwrap();
        let was_behind_block = std::mem::take(&mut session.is_behind_block);
        match words[..] {
            ["CHL" | "QNG", ..] | ["OUT", "OTH"] => {}
            ["ILN" | "NLN" | "FLN", ..] => {
                session.presences.hear(&words, &self.lists.forward, &mut self.newest);
            }
            ["CHG", _, status, client_id] => {
                if std::mem::replace(&mut session.is_present, true) {
                    // Only the first one lists who is there; the ids of the others are of no use.
                    let trid = words[1];
                    session.iln_trids.remove(trid);
                }
                self.shown = Some((status.into(), client_id.parse().unwrap()));
            }
            ["SYN", _, version] => assert_eq!(version, self.version.to_string()),
            ["SYN", _, version, contacts, groups] => {
                self.hear_version(version);
                self.hear_block(contacts.parse().unwrap(), groups.parse().unwrap());
            }
            ["ADD", "0", "RL", version, user, _] => {
                session.awaits_itself &= user != self.address;
                self.hear_version(version);
                assert!(self.reverse.insert(user.into()), "told twice");
            }
            ["REM", "0", "RL", version, user] => {
                session.awaits_itself &= user != self.address;
                self.hear_version(version);
                assert!(self.reverse.remove(user), "was not there");
            }
            ["ADD", trid, list, version, user, ..] => {
                if list == "FL" {
                    session.iln_trids.insert(trid.into());
                    session.awaits_itself |= user == self.address;
                }
                self.hear_version(version);
                assert!(self.lists.list(list).insert(user.into()));
            }
            ["REM", _, list, version, user] => {
                if list == "FL" {
                    session.seen.remove(user);
                    session.awaits_itself |= user == self.address;
                }
                self.hear_version(version);
                assert!(self.lists.list(list).remove(user));
            }
            ["BLP", _, version, mode] => {
                self.lists.blocks_others = mode == "BL";
                self.hear_version(version);
            }
            ["REA", _, version, ..] | ["PRP", _, version, ..] => self.hear_version(version),
            ["BPR", _, _] => {
                assert!(was_behind_block, "a line of a SYN block outside of one");
                session.is_behind_block = true;
            }
            ["BPR", version, user, _] | ["BPR", version, user, _, _] => {
                assert!(self.lists.forward.contains(user), "somebody not on the forward list");
                self.hear_version(version);
            }
            _ => panic!("unexpected"),
        }
    }

    /// The lines of a `SYN` block, with nothing in between.
    fn hear_block(&mut self, contacts: usize, groups: usize) {
        let session = self.session.as_mut().unwrap();
        let (mut lists, mut reverse) = (Lists::default(), BTreeSet::new());
        let (mut contacts_heard, mut groups_heard) = (0, 0);
        while contacts_heard < contacts || groups_heard < groups {
            let line = session.client.line();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["GTC", "A"] | ["PRP", _, _] | ["BPR", _, _] => {}
                ["BLP", mode] => lists.blocks_others = mode == "BL",
                ["LSG", ..] => groups_heard += 1,
                ["LST", user, _, bits, ..] => {
                    contacts_heard += 1;
                    let bits = ListBits(bits.parse().unwrap());
                    let on = [
                        (ListBits::FORWARD, &mut lists.forward),
                        (ListBits::ALLOW, &mut lists.allow),
                        (ListBits::BLOCK, &mut lists.block),
                        (ListBits::REVERSE, &mut reverse),
                    ];
                    for (_, list) in on.into_iter().filter(|(list, _)| bits.has(*list)) {
                        list.insert(user.into());
                    }
                }
                _ => panic!("{line:?} inside a SYN block"),
            }
        }
        session.is_behind_block = true;
        session.awaits_itself = false;
        assert_eq!(lists, self.lists);
        self.reverse = reverse;
    }

    /// Versions never fall.
    fn hear_version(&mut self, version: &str) {
        let version = version.parse().unwrap();
        assert!(version >= self.version, "after {}", self.version);
        self.version = version;
    }
}

/// SplitMix64: good enough to choose what to do, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
