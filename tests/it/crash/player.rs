//! One client of a server that is about to die: edits at random, follows its stream word by word,
//! and knows afterwards what was acknowledged and what is open.

use super::{Fate, PEOPLE, Stored};
use crate::support::{
    Client,
    book::{Book, Edit, Outcome},
    random::Random,
    server::PASSWORD,
};
use std::collections::{BTreeMap, VecDeque};

/// Most commands sent in one segment.
const PIPELINED_MAX: u64 = 5;

/// A client, before, during and after the crash.
pub(super) struct Player {
    pub(super) user: &'static str,
    /// As the round began.
    pub(super) base: Stored,
    /// The last list version heard.
    pub(super) version: u32,
    /// `BPR`s heard of others' changes.
    pub(super) properties_heard: usize,
    client: Option<Client>,
    random: Random,
    shares: bool,
    /// Every edit sent, in order.
    sent: Vec<Edit>,
    /// How many of them were answered.
    answered: usize,
    /// What is to come for those that were not.
    due: VecDeque<Outcome>,
    /// As it will be when everything sent is done.
    planned: Book,
    /// How often each person was heard to come or go on the reverse list.
    heard: BTreeMap<String, usize>,
    /// `BPR`s to come about a new contact.
    properties_due: Option<(String, usize)>,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player")
            .field("user", &self.user)
            .field("base", &self.base.book)
            .field("answered", &&self.sent[..self.answered])
            .field("open", &&self.sent[self.answered..])
            .finish()
    }
}

impl Outcome {
    /// How this changes whether `user` is watched.
    pub(super) fn turns_to(&self, user: &str) -> bool {
        self.watched.as_deref() == Some(user) || self.unwatched.contains(user)
    }
}

impl Player {
    pub(super) fn new(user: &'static str, base: Stored, random: Random, shares: bool) -> Self {
        Self {
            user,
            version: base.version,
            properties_heard: 0,
            client: None,
            random,
            shares,
            sent: Vec::new(),
            answered: 0,
            due: VecDeque::new(),
            planned: base.book.clone(),
            heard: BTreeMap::new(),
            properties_due: None,
            base,
        }
    }

    /// Signs in and fetches the lists, which must be those in the file.
    pub(super) fn enter(&mut self, fate: &Fate) {
        let mut client = fate.server.lock().sign_in(self.user, PASSWORD);
        let roster = &self.base.roster;
        let (contacts, groups) = (roster.contacts.len(), roster.groups.len());
        client.ask("SYN 4 0", &format!("SYN 4 {} {contacts} {groups}", self.version));
        let lines = client.drain();
        let lists = lines.iter().filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            ["LST", who, _, bits, ..] => Some((who.to_owned(), bits.to_owned())),
            _ => None,
        });
        let expected = roster.contacts.iter();
        let expected =
            expected.map(|contact| (contact.address.to_string(), contact.lists.0.to_string()));
        assert_eq!(lists.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        self.client = Some(client);
    }

    /// Edits until the server is gone.
    pub(super) fn play(&mut self, fate: &Fate) {
        loop {
            let commands = self.batch();
            if !self.client.as_mut().unwrap().can_send_bytes(commands.as_bytes()) {
                return;
            }
            while !self.due.is_empty() || self.properties_due.is_some() {
                let Some(line) = self.client.as_mut().unwrap().line_or_cut() else { return };
                let followed = std::panic::AssertUnwindSafe(|| self.follow(&line, fate));
                if std::panic::catch_unwind(followed).is_err() {
                    panic!("{} heard {line:?} at version {}: {self:#?}", self.user, self.version);
                }
            }
        }
    }

    /// How often this client heard that `other` put it on a list or took it off.
    pub(super) fn heard_from(&self, other: &str) -> usize {
        self.heard.get(other).copied().unwrap_or(0)
    }

    /// What was made of the edits, if `stored` can be explained: all that were answered, and of the
    /// open ones the first so many. No two states of a batch are alike, so there is one answer.
    pub(super) fn committed(&self, stored: &Book) -> Option<Vec<Outcome>> {
        let mut book = self.base.book.clone();
        let mut made: Vec<_> =
            self.sent[..self.answered].iter().map(|edit| book.apply(edit, 0)).collect();
        let mut open = self.sent[self.answered..].iter();
        while !book.agrees_with(stored) {
            made.push(book.apply(open.next()?, 0));
        }
        Some(made)
    }

    fn batch(&mut self) -> String {
        let mut commands = String::new();
        let mut states = vec![self.planned.clone()];
        for _ in 0..=self.random.below(PIPELINED_MAX) {
            let trid = u32::try_from(self.sent.len()).unwrap() + 10;
            let edit = self.planned.propose(&mut self.random, &PEOPLE, trid, self.shares);
            let mut next = self.planned.clone();
            let outcome = next.apply(&edit, trid);
            if outcome.changes && states.iter().any(|state| state.agrees_with(&next)) {
                continue;
            }
            commands += &edit.command(self.user, trid);
            states.push(next.clone());
            self.planned = next;
            self.sent.push(edit);
            self.due.push_back(outcome);
        }
        commands
    }

    fn follow(&mut self, line: &str, fate: &Fate) {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some((who, left)) = self.properties_due.take() {
            assert_eq!(words[..3], ["BPR", &self.version.to_string(), &who]);
            self.properties_due = (left > 1).then(|| (who, left - 1));
            return;
        }
        match words[..] {
            ["ADD" | "REM", "0", "RL", version, who, ..] => {
                let is_own = who == self.user;
                self.rise_to(version, !is_own);
                *self.heard.entry(who.into()).or_default() += 1;
            }
            ["BPR", version, who, ..] => {
                let is_own = who == self.user;
                self.rise_to(version, !is_own);
                self.properties_heard += usize::from(!is_own);
            }
            _ => {
                let outcome = self.due.pop_front().expect("nothing was asked");
                self.answered += 1;
                let trid = (self.answered + 9).to_string();
                match &outcome.answer {
                    Err(code) => assert_eq!(line, format!("{code} {trid}")),
                    Ok((head, tail)) => {
                        let version = line.strip_prefix(head.as_str()).unwrap();
                        self.rise_to(
                            version.strip_suffix(tail.as_str()).unwrap().trim(),
                            outcome.changes,
                        );
                    }
                }
                self.properties_due = outcome.watched.map(|who| (who, 4));
                fate.count();
            }
        }
    }

    /// Versions rise by exactly the changes.
    fn rise_to(&mut self, version: &str, rises: bool) {
        self.version += u32::from(rises);
        assert_eq!(version, self.version.to_string());
    }
}
