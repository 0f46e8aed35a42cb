//! Numbers for operators: how many conversations, how much is said, what is refused. Never who and
//! never what.

use super::message::Kind;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the start. Each number only rises.
#[derive(Debug, Default)]
pub struct Counts {
    opened: AtomicU64,
    joined: AtomicU64,
    rung: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    messages: [AtomicU64; Kind::ALL.len()],
    message_bytes: [AtomicU64; Kind::ALL.len()],
    undelivered: AtomicU64,
    overflows: AtomicU64,
}

/// Why somebody got no conversation, or did not reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the labels say it")]
pub enum Refusal {
    BadCookie,
    NoRoom,
    Malformed,
    AlreadyThere,
    Unreachable,
    NotAllowed,
    TooActive,
    Failed,
}

impl Refusal {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::BadCookie,
        Self::NoRoom,
        Self::Malformed,
        Self::AlreadyThere,
        Self::Unreachable,
        Self::NotAllowed,
        Self::TooActive,
        Self::Failed,
    ];

    /// A word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadCookie => "bad_cookie",
            Self::NoRoom => "no_room",
            Self::Malformed => "malformed",
            Self::AlreadyThere => "already_there",
            Self::Unreachable => "unreachable",
            Self::NotAllowed => "not_allowed",
            Self::TooActive => "too_active",
            Self::Failed => "failed",
        }
    }
}

/// The numbers as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Conversations opened.
    pub opened: u64,
    /// Calls answered.
    pub joined: u64,
    /// Calls that reached somebody.
    pub rung: u64,
    /// What was refused, by label.
    pub refused: [(&'static str, u64); Refusal::ALL.len()],
    /// Messages and their bytes, by type letter, delivered or not.
    pub messages: [(&'static str, u64, u64); Kind::ALL.len()],
    /// Messages that nobody got, or not everybody.
    pub undelivered: u64,
    /// Participants who were too far behind.
    pub overflows: u64,
}

impl Counts {
    pub(super) fn opened(&self) {
        add(&self.opened, 1);
    }

    pub(super) fn joined(&self) {
        add(&self.joined, 1);
    }

    pub(super) fn rung(&self) {
        add(&self.rung, 1);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        if let Some(count) = self.refused.get(refusal as usize) {
            add(count, 1);
        }
    }

    /// A message of so many bytes, and what became of it.
    pub(super) fn said(&self, kind: Kind, bytes: usize, is_delivered: bool, overflows: usize) {
        let (messages, in_bytes) = (self.messages.get(kind.index()), &self.message_bytes);
        if let (Some(messages), Some(in_bytes)) = (messages, in_bytes.get(kind.index())) {
            add(messages, 1);
            add(in_bytes, bytes);
        }
        add(&self.undelivered, usize::from(!is_delivered));
        add(&self.overflows, overflows);
    }

    /// The numbers of this moment.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let at = |counts: &[AtomicU64], index: usize| counts.get(index).map_or(0, read);
        Tally {
            opened: read(&self.opened),
            joined: read(&self.joined),
            rung: read(&self.rung),
            refused: Refusal::ALL.map(|why| (why.label(), at(&self.refused, why as usize))),
            messages: Kind::ALL.map(|kind| {
                let index = kind.index();
                (kind.code(), at(&self.messages, index), at(&self.message_bytes, index))
            }),
            undelivered: read(&self.undelivered),
            overflows: read(&self.overflows),
        }
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_under_its_own_label() {
        let counts = Counts::default();
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| counts.refused(refusal));
        }
        counts.said(Kind::Data, 1300, true, 0);
        counts.said(Kind::Data, 200, false, 2);
        counts.said(Kind::Negative, 7, false, 0);
        let tally = counts.tally();
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(tally.refused[index], (refusal.label(), index as u64 + 1));
        }
        assert_eq!(tally.messages[Kind::Data.index()], ("D", 2, 1500));
        assert_eq!(tally.messages[Kind::Negative.index()], ("N", 1, 7));
        assert_eq!((tally.undelivered, tally.overflows), (2, 2));
    }
}
