//! One client of the crowd: decides what to do by its own random numbers, does it, and follows its
//! stream.

use super::{
    PEOPLE,
    view::{Presences, Properties},
};
use crate::support::{
    Client, TestServer,
    book::{Book, Edit, Entry, Outcome},
    random::Random,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
    /// Counts the statuses.
    counter: u32,
    /// Whether it changes properties that others are told of.
    shares: bool,
    /// As answered so far.
    pub(super) book: Book,
    /// As it will be once everything sent is answered.
    planned: Book,
    /// Edits without an answer, with their transaction ids.
    due: VecDeque<(u32, Edit)>,
    /// What was answered.
    pub(super) done: Vec<Outcome>,
    /// The last list version heard.
    pub(super) version: u32,
    /// The reverse list as told.
    pub(super) reverse: BTreeSet<String>,
    /// The highest client id seen of each person.
    newest: BTreeMap<String, u32>,
    properties: Properties,
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
    /// Whose properties are to come next, and how many.
    properties_due: Option<(String, usize)>,
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

impl Session {
    /// Whether more must come of what was answered last.
    fn awaits_more(&self) -> bool {
        self.awaits_itself || self.properties_due.is_some()
    }
}

impl<'s> Actor<'s> {
    pub(super) fn new(
        server: &'s TestServer,
        index: usize,
        seed: u64,
        book: Book,
        shares: bool,
    ) -> Self {
        Self {
            server,
            address: PEOPLE[index],
            dialect: if index.is_multiple_of(2) { "MSNP9" } else { "MSNP8" },
            random: Random::new(seed, index as u64),
            trid: 3,
            counter: 0,
            shares,
            planned: book.clone(),
            book,
            due: VecDeque::new(),
            done: Vec::new(),
            version: 0,
            reverse: BTreeSet::new(),
            newest: BTreeMap::new(),
            properties: Properties::default(),
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
        self.session = Some(Session {
            client,
            presences,
            is_behind_block: false,
            awaits_itself: false,
            properties_due: None,
        });
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

    /// One command, with its line end.
    fn command(&mut self) -> String {
        match self.random.below(16) {
            0..=4 => self.change_status(),
            5 => {
                let known = if self.random.below(2) == 0 { 0 } else { self.version };
                format!("SYN {} {known}\r\n", self.next_trid())
            }
            _ => {
                let trid = self.next_trid();
                let edit = self.planned.propose(&mut self.random, &PEOPLE, trid, self.shares);
                self.planned.apply(&edit, trid);
                let command = edit.command(self.address, trid);
                self.due.push_back((trid, edit));
                command
            }
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
        while !is_answered || self.session.as_ref().is_some_and(Session::awaits_more) {
            let line = self.hear_line();
            let mut words = line.split(' ');
            let is_answer = |word: &str| word == verb || word.parse::<u16>().is_ok();
            is_answered |= words.next().is_some_and(is_answer) && words.next() == Some(&last);
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
        if let Some((user, left)) = session.properties_due.take() {
            // A new contact's properties come behind the reply at once.
            assert_eq!(words[..3], ["BPR", &self.version.to_string(), &user]);
            self.properties.hear(&user, words[3], words.get(4).copied());
            session.properties_due = (left > 1).then(|| (user, left - 1));
            return;
        }
        match words[..] {
            ["CHL" | "QNG", ..] | ["OUT", "OTH"] => {}
            ["ILN" | "NLN" | "FLN", ..] => {
                session.presences.hear(&words, &self.book.on("FL"), &mut self.newest);
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
                let version = version.parse().unwrap();
                assert!(version >= self.version, "after {}", self.version);
                self.version = version;
                self.hear_block(contacts.parse().unwrap(), groups.parse().unwrap());
            }
            ["ADD", "0", "RL", version, user, _] => {
                session.awaits_itself &= user != self.address;
                self.rise_to(version, user != self.address);
                assert!(self.reverse.insert(user.into()), "told twice");
            }
            ["REM", "0", "RL", version, user] => {
                session.awaits_itself &= user != self.address;
                self.rise_to(version, user != self.address);
                assert!(self.reverse.remove(user), "was not there");
            }
            ["BPR", key, value] => {
                assert!(was_behind_block, "a line of a SYN block outside of one");
                assert!(matches!((key, value), ("PHH" | "PHW" | "PHM" | "MOB", _)));
                session.is_behind_block = true;
            }
            ["BPR", version, user, key, ref value @ ..] => {
                assert!(self.book.has("FL", user), "somebody not on the forward list");
                self.properties.hear(user, key, value.first().copied());
                self.rise_to(version, user != self.address);
            }
            _ => self.hear_answer(line),
        }
    }

    /// The answer to the edit whose turn it is, and what comes of it.
    fn hear_answer(&mut self, line: &str) {
        let (trid, edit) = self.due.pop_front().expect("nothing was asked");
        let outcome = self.book.apply(&edit, trid);
        match &outcome.answer {
            Err(code) => assert_eq!(line, format!("{code} {trid}")),
            Ok((head, tail)) => {
                let version = line.strip_prefix(head.as_str()).unwrap();
                let version = version.strip_suffix(tail.as_str()).unwrap();
                self.rise_to(version.trim(), outcome.changes);
            }
        }
        let session = self.session.as_mut().unwrap();
        if let Some(user) = &outcome.watched {
            session.iln_trids.insert(trid.to_string());
            session.properties_due = Some((user.clone(), 4));
            session.awaits_itself |= user == self.address;
        }
        for user in &outcome.unwatched {
            session.presences.seen.remove(user);
            session.awaits_itself |= user == self.address;
        }
        self.done.push(outcome);
    }

    /// The lines of a `SYN` block, with nothing in between: the very lists that the client has.
    fn hear_block(&mut self, contacts: usize, groups: usize) {
        let session = self.session.as_mut().unwrap();
        let mut block =
            Book { owner: self.address.into(), name: self.book.name.clone(), ..Book::default() };
        let (mut reverse, mut contacts_heard) = (BTreeSet::new(), 0);
        let mut last = String::new();
        while contacts_heard < contacts || block.groups.len() < groups {
            let line = session.client.line();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["GTC", mode] => block.never_asks = mode == "N",
                ["BLP", mode] => block.blocks_others = mode == "BL",
                ["PRP", key, value] => drop(block.properties.insert(key.into(), value.into())),
                ["BPR", key, value] => self.properties.hear(&last, key, Some(value)),
                ["LSG", id, name, "0"] => {
                    block.groups.insert(id.parse().unwrap(), name.into());
                }
                ["LST", user, name, bits, ref groups @ ..] => {
                    contacts_heard += 1;
                    last = user.to_owned();
                    let bits: u8 = bits.parse().unwrap();
                    if bits & 8 != 0 {
                        reverse.insert(user.to_owned());
                    }
                    let groups = groups.iter().flat_map(|groups| groups.split(','));
                    let groups = groups.map(|group| group.parse().unwrap()).collect();
                    let entry = Entry { lists: bits & 7, groups, name: Some(name.into()) };
                    if entry.lists != 0 {
                        block.contacts.insert(user.into(), entry);
                    }
                }
                _ => panic!("{line:?} inside a SYN block"),
            }
        }
        session.is_behind_block = true;
        session.awaits_itself = false;
        if self.dialect == "MSNP8"
            && let Some(value) = self.book.properties.get("WWE")
        {
            // MSNP8 knows no web watch.
            block.properties.insert("WWE".into(), value.clone());
        }
        assert!(self.book.agrees_with(&block), "not {block:#?}\nbut {:#?}", self.book);
        self.reverse = reverse;
    }

    /// Versions rise by exactly the changes.
    fn rise_to(&mut self, version: &str, rises: bool) {
        self.version += u32::from(rises);
        assert_eq!(version, self.version.to_string());
    }
}
