//! What everybody did and what everybody was told of it. Each deed of a person has a number, which
//! its client id carries, so every line that is lost, doubled, wrong or out of order shows.

use crate::{
    accounts::Account,
    client::{CLIENT_ID, Frame},
};
use anyhow::{Context as _, bail, ensure};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

const STATUSES: [&str; 7] = ["NLN", "BSY", "IDL", "BRB", "AWY", "PHN", "LUN"];

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Come,
    Change,
    Go,
}

/// All of it. People and contacts are numbers of accounts.
pub(super) struct Truth {
    people: Arc<Vec<Account>>,
    numbers: HashMap<String, usize>,
    lives: Vec<Life>,
    /// What each sees of the contacts, in their order; empty while it is away.
    views: Vec<Mutex<Vec<View>>>,
    delivered: AtomicU64,
    /// What went wrong first.
    wrong: Mutex<Option<String>>,
}

#[derive(Default)]
struct Life {
    /// Number 1 is the first.
    deeds: Mutex<Vec<Deed>>,
    /// The server had answered this one, so nobody may be told of an older one as the latest. A
    /// sign-out does not count: a server may hang up before it tells others.
    answered: AtomicU32,
}

/// What one knows of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// Nothing: away, in between these deeds, when the watcher came.
    Unknown { from: u32, to: u32 },
    /// There, as of this deed.
    Here(u32),
    /// Gone with this deed.
    Gone(u32),
}

impl Truth {
    pub(super) fn new(people: Arc<Vec<Account>>) -> Self {
        let numbers = people.iter().enumerate();
        Self {
            numbers: numbers.map(|(number, account)| (account.address.clone(), number)).collect(),
            lives: people.iter().map(|_| Life::default()).collect(),
            views: people.iter().map(|_| Mutex::default()).collect(),
            delivered: AtomicU64::new(0),
            wrong: Mutex::new(None),
            people,
        }
    }

    pub(super) fn account(&self, person: usize) -> &Account {
        &self.people[person]
    }

    /// Lines about others that have come.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Somebody is about to do something. Returns the line for it; there is none for going.
    pub(super) fn begin(&self, person: usize, deed: Deed) -> String {
        let life = &self.lives[person];
        if deed == Deed::Come {
            let contacts = self.people[person].forward.iter();
            let answered = |contact: &usize| self.lives[*contact].answered.load(Ordering::Relaxed);
            *self.views[person].lock() = contacts
                .map(|contact| View::Unknown { from: answered(contact), to: u32::MAX })
                .collect();
        }
        let mut deeds = life.deeds.lock();
        deeds.push(deed);
        line(deeds.len() as u32)
    }

    /// The server has answered.
    pub(super) fn is_done(&self, person: usize, echo: Frame<'_>) -> anyhow::Result<()> {
        let life = &self.lives[person];
        let number = life.deeds.lock().len() as u32;
        let sent = line(number);
        ensure!(echo.line == sent.as_bytes(), "{:?} to {sent:?}", echo.shown());
        life.answered.store(number, Ordering::Relaxed);
        Ok(())
    }

    /// Somebody who has come has been told who is there. Later challenges mean nothing.
    pub(super) fn has_seen_all(&self, person: usize) {
        let mut views = self.views[person].lock();
        for (view, contact) in views.iter_mut().zip(&self.people[person].forward) {
            if let View::Unknown { to, .. } = view
                && *to == u32::MAX
            {
                *to = self.lives[*contact].deeds.lock().len() as u32;
            }
        }
    }

    /// Somebody's connection is at its end.
    pub(super) fn has_gone(&self, person: usize) {
        self.views[person].lock().clear();
    }

    /// Somebody is told something; other lines than those about presence are passed over.
    pub(super) fn hear(&self, person: usize, frame: Frame<'_>) -> anyhow::Result<()> {
        let text = std::str::from_utf8(frame.line)?;
        let mut words = text.split(' ');
        let verb = words.next().unwrap_or_default();
        let status = match verb {
            "FLN" => "",
            "NLN" => words.next().unwrap_or_default(),
            "ILN" => words.nth(1).unwrap_or_default(),
            _ => return Ok(()),
        };
        let known = words.next().and_then(|address| self.numbers.get(address)).copied();
        let place = |contact| self.people[person].forward.iter().position(|one| *one == contact);
        let contact = known.with_context(|| format!("{text:?} is about nobody we know"))?;
        let place = place(contact).with_context(|| format!("{text:?} is about no contact"))?;
        let mut views = self.views[person].lock();
        let view = views.get_mut(place).with_context(|| format!("{text:?} to one who is gone"))?;
        let deeds = self.lives[contact].deeds.lock();
        let before = *view;
        let after = if verb == "FLN" {
            after_fln(before, &deeds)
        } else {
            let name = words.next().unwrap_or_default();
            let number = words.next().and_then(|word| word.parse::<u32>().ok());
            let number = number.and_then(|client_id| client_id.checked_sub(CLIENT_ID));
            let number = number.with_context(|| format!("{text:?} has no client id of ours"))?;
            let is_right = name == self.people[contact].name && status == status_of(number);
            ensure!(is_right && words.next().is_none(), "{text:?} is not what was said");
            if verb == "NLN" {
                after_nln(before, number, &deeds)
            } else {
                after_iln(before, number, &deeds)
            }
        };
        let done = deeds.len();
        *view = after
            .with_context(|| format!("{text:?} to one who knew {before:?}, after {done} deeds"))?;
        self.delivered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Something is wrong with what this one was told.
    pub(super) fn wrong(&self, person: usize, error: &anyhow::Error) {
        let address = &self.people[person].address;
        self.wrong.lock().get_or_insert_with(|| format!("{address}: {error:#}"));
    }

    /// Whether all is well so far.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match &*self.wrong.lock() {
            Some(wrong) => bail!("{wrong}"),
            None => Ok(()),
        }
    }

    /// Somebody who does not see somebody else as it is, if there is one.
    pub(super) fn difference(&self) -> Option<String> {
        let now: Vec<_> = self.lives.iter().map(|life| state(&life.deeds.lock())).collect();
        for (views, account) in self.views.iter().zip(self.people.iter()) {
            for (view, contact) in views.lock().iter().zip(&account.forward) {
                let (last, came) = now[*contact];
                let is_right = match view {
                    View::Unknown { to, .. } => matches!(last, View::Gone(_)) && came <= *to,
                    known => *known == last,
                };
                if !is_right {
                    let (who, whom) = (&account.address, &self.people[*contact].address);
                    return Some(format!("{who} knows {view:?} of {whom}, who is {last:?}"));
                }
            }
        }
        None
    }
}

/// The line for a deed with this number.
fn line(number: u32) -> String {
    format!("CHG 7 {} {}", status_of(number), CLIENT_ID + number)
}

fn status_of(number: u32) -> &'static str {
    STATUSES[number as usize % STATUSES.len()]
}

/// How somebody is after these deeds, and with which of them they came last.
fn state(deeds: &[Deed]) -> (View, u32) {
    let number = deeds.len() as u32;
    let view = match deeds.last() {
        None | Some(Deed::Go) => View::Gone(number),
        Some(Deed::Come | Deed::Change) => View::Here(number),
    };
    (view, last_coming(deeds))
}

/// The number of the last coming; 0 if there is none.
fn last_coming(deeds: &[Deed]) -> u32 {
    deeds.iter().rposition(|deed| *deed == Deed::Come).map_or(0, |at| at as u32 + 1)
}

fn deed(deeds: &[Deed], number: u32) -> Option<Deed> {
    deeds.get((number as usize).checked_sub(1)?).copied()
}

/// What one knows who is told of this deed. `None` if it must not be.
fn after_nln(before: View, number: u32, deeds: &[Deed]) -> Option<View> {
    let is_due = match (before, deed(deeds, number)?) {
        (View::Here(known), Deed::Change) | (View::Gone(known), Deed::Come) => number == known + 1,
        (View::Unknown { from, to }, Deed::Come) => {
            // And did not come in between, unheard.
            number > from && last_coming(deeds.get(..number as usize - 1)?) <= to
        }
        _ => false,
    };
    is_due.then_some(View::Here(number))
}

/// What one knows who finds somebody there. Only one who has just come may.
fn after_iln(before: View, number: u32, deeds: &[Deed]) -> Option<View> {
    let is_there = matches!(deed(deeds, number)?, Deed::Come | Deed::Change);
    let is_due = matches!(before, View::Unknown { from, to: u32::MAX } if number >= from);
    (is_there && is_due).then_some(View::Here(number))
}

fn after_fln(before: View, deeds: &[Deed]) -> Option<View> {
    let View::Here(known) = before else { return None };
    (deed(deeds, known + 1)? == Deed::Go).then_some(View::Gone(known + 1))
}
