//! Cookies: what lets an account into a conversation, once. The notification role hands them out
//! (`XFR`, `RNG`), the switchboard role takes them in (`USR`, `ANS`). Kept under the hub's lock, so
//! that they end with the session they were given to.

use super::{
    Person, SessionId,
    ledger::{Digest, Entry, Ledger, digest},
};
use crate::model::{AccountId, Address, Dialect};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How long a cookie to open a conversation can be presented (reference README §6).
pub const START_COOKIE_TTL: Duration = Duration::from_secs(120);
/// How long a cookie to answer a call can be presented; so long a call is pending.
pub const ANSWER_COOKIE_TTL: Duration = Duration::from_secs(60);
/// Cookies of each kind over all accounts. The oldest to open a conversation gives way; beyond it
/// nobody is rung.
pub const COOKIES_MAX: usize = 65_536;
/// Cookies to open conversations one session may hold; the oldest gives way.
pub const START_COOKIES_PER_ACCOUNT_MAX: usize = 32;
/// Calls of one account that wait for an answer. Beyond it nobody rings there: a stranger's call
/// must not give way to somebody who rings without end.
pub const ANSWER_COOKIES_PER_ACCOUNT_MAX: usize = 128;
/// Calls by one account of one other that wait for an answer, in all conversations together.
pub const ANSWER_COOKIES_PER_PAIR_MAX: usize = 4;
/// Longest cookie worth looking up, bytes.
pub const COOKIE_BYTES_MAX: usize = 64;

/// The number of a conversation: 31 bits, since clients parse it as a signed number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub u32);

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a cookie let in.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Who, with the name of this moment.
    pub person: Arc<Person>,
    /// What the notification session speaks, and so this connection.
    pub dialect: Dialect,
    /// The notification session it came from.
    pub session: SessionId,
    /// Cancelled when the account's session is replaced, or when it is no longer welcome, with or
    /// without a session: all its conversations end then. An ordinary sign-out leaves them. To be
    /// held as long as the conversation lasts: the hub knows of it by that.
    pub over: Arc<CancellationToken>,
}

/// The right to open a conversation.
#[derive(Debug)]
pub struct Opening {
    /// Whose.
    pub admitted: Admitted,
    /// The switchboard that the account was sent to, if there are several.
    pub server: Option<Arc<str>>,
}

/// The right to join a conversation.
#[derive(Debug)]
pub struct Answer {
    /// Whose.
    pub admitted: Admitted,
    /// Which.
    pub room: RoomId,
    /// Who called.
    pub caller: AccountId,
    /// The switchboard that the call named, if there are several.
    pub server: Option<Arc<str>>,
}

/// Why a cookie lets nobody join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It is unknown, used, expired or of another account.
    BadCookie,
    /// It was good, but the callee no longer allows the caller.
    NotAllowed,
}

/// A call, as the callee's session is told.
pub struct Ring {
    /// The conversation.
    pub room: RoomId,
    /// The switchboard it is on, if there are several.
    pub server: Option<Arc<str>>,
    /// What lets the callee in.
    pub cookie: Zeroizing<String>,
    /// Who calls.
    pub caller: Arc<Person>,
}

/// Hides the cookie.
impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, caller, .. } = self;
        f.debug_struct("Ring").field("room", room).field("caller", caller).finish_non_exhaustive()
    }
}

/// Why somebody was not rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRung {
    /// Not signed in, not visible, unknown, or wants no conversations.
    Unreachable,
    /// Does not allow the caller.
    Refused,
    /// As many calls as may be wait for an answer: those of this caller, of all callers, or of all
    /// people.
    TooMany,
}

/// All cookies.
#[derive(Debug)]
pub(super) struct Cookies {
    openings: Ledger<Option<Arc<str>>>,
    answers: Ledger<Call>,
}

/// What an answer cookie stands for.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) room: RoomId,
    pub(super) caller: AccountId,
    /// The switchboard it is on, if there are several.
    pub(super) server: Option<Arc<str>>,
}

/// A new cookie: in the form of the original ones, a time and a number, but with 128 random bits
/// in it.
pub(super) fn fresh_cookie() -> Zeroizing<String> {
    let mut secret = Zeroizing::new([0_u8; 16]);
    #[expect(
        clippy::expect_used,
        reason = "the system's generator fails only where there is none; a cookie that can be \
                  guessed would be worse than no server"
    )]
    getrandom::fill(&mut *secret).expect("the system has a random number generator");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    Zeroizing::new(format!("{now}.{}", u128::from_le_bytes(*secret)))
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            openings: Ledger::new(COOKIES_MAX, START_COOKIES_PER_ACCOUNT_MAX),
            answers: Ledger::new(COOKIES_MAX, ANSWER_COOKIES_PER_ACCOUNT_MAX),
        }
    }
}

impl Cookies {
    pub(super) fn issue_opening(
        &mut self,
        cookie: &str,
        to: &Person,
        server: Option<Arc<str>>,
        now: Instant,
    ) {
        let entry = entry(to, now + START_COOKIE_TTL, server);
        self.openings.insert(digest(cookie.as_bytes()), entry, now);
    }

    /// Returns whether there was room for it.
    pub(super) fn issue_answer(
        &mut self,
        cookie: &str,
        to: &Person,
        call: Call,
        now: Instant,
    ) -> bool {
        self.answers.drop_expired(now);
        let waiting =
            self.answers.of_account(to.id).filter(|entry| entry.value.caller == call.caller);
        if waiting.count() >= ANSWER_COOKIES_PER_PAIR_MAX || self.answers.is_full_for(to.id) {
            return false;
        }
        let entry = entry(to, now + ANSWER_COOKIE_TTL, call);
        self.answers.insert(digest(cookie.as_bytes()), entry, now);
        true
    }

    /// Whether a cookie with which `account` can come into `room` is still good.
    pub(super) fn is_rung(&self, account: AccountId, room: RoomId, now: Instant) -> bool {
        let mut waiting = self.answers.of_account(account);
        waiting.any(|entry| {
            entry.value.room == room && entry.expires.is_some_and(|expires| now <= expires)
        })
    }

    pub(super) fn redeem_opening(
        &mut self,
        presented: &[u8],
        address: Option<&Address>,
        now: Instant,
    ) -> Option<(AccountId, Option<Arc<str>>)> {
        let entry = self.openings.redeem(&presented_digest(presented)?, address, now)?;
        Some((entry.account, entry.value))
    }

    pub(super) fn redeem_answer(
        &mut self,
        presented: &[u8],
        address: Option<&Address>,
        now: Instant,
    ) -> Option<(AccountId, Call)> {
        let entry = self.answers.redeem(&presented_digest(presented)?, address, now)?;
        Some((entry.account, entry.value))
    }

    /// The session they were given to is over.
    pub(super) fn revoke(&mut self, account: AccountId) {
        self.openings.remove_account(account);
        self.answers.remove_account(account);
    }

    pub(super) fn count(&self) -> usize {
        self.openings.len() + self.answers.len()
    }
}

fn entry<V>(to: &Person, expires: Instant, value: V) -> Entry<V> {
    Entry { account: to.id, address: Some(to.address.clone()), expires: Some(expires), value }
}

fn presented_digest(presented: &[u8]) -> Option<Digest> {
    (presented.len() <= COOKIE_BYTES_MAX).then(|| digest(presented))
}

#[cfg(test)]
mod tests;
