//! Who is online, who watches whom, and where to deliver. Speaks domain events; knows neither the
//! wire nor the store.
//!
//! All state stands behind one leaf lock that is never held across an `.await`. Because every
//! change and everything it causes is queued to the sessions concerned under that lock, all
//! sessions see the changes of one person in the same order, and a change of status costs work
//! only for those who may see it.

mod arrivals;
mod by_account;
mod calls;
pub mod cookie;
pub mod event;
mod inbox;
mod ledger;
mod local;
mod seats;
mod stays;
pub mod ticket;
mod watch;
mod web_ticket;

pub use arrivals::Missed;
pub use cookie::{Admitted, Answer, NotRung, Opening, Ring, RoomId, Unanswered};
pub use event::{Card, Event, ListEvent, MailEvent, MailNews, Memo, Person, PostedAlert, Rest};
pub use inbox::{Encode, Inbox};
pub use local::roll::{Facts, Kicked, Listed};

use crate::{
    metrics::HubMeters,
    model::{AccountId, Address, Applied, Circle, Name, Page, Presence},
};
use inbox::Rounds;
use local::State;
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// The number of a connection, unique in this process. Shown as `session.id` in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything the hub must know of a new session.
#[derive(Debug)]
pub struct SignIn {
    /// The connection.
    pub session: SessionId,
    /// Who signs in.
    pub person: Arc<Person>,
    /// Who it watches and who may see it, as read from the store.
    pub circle: Circle,
    /// The list version at which `circle` was read.
    pub version: u32,
    /// What operators may know of the session.
    pub facts: Arc<Facts>,
}

/// The circle was read before a change that has since been committed: read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

/// What a change of presence means to the one who makes it.
#[derive(Debug, Default)]
pub struct Entered {
    /// With the first `CHG` of a session: everybody it can see, in forward list order.
    pub visible: Option<Vec<Arc<Card>>>,
}

/// What a committed edit means to the session that asked for it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Events that were in the session's inbox before the edit took effect. They must be sent
    /// before the reply, everything later after it: then no line about somebody follows that
    /// person's removal, and versions only rise.
    pub queued_before: usize,
    /// The new contact, if it can be seen.
    pub now_visible: Option<Arc<Card>>,
}

/// Counts for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Signed-in sessions.
    pub sessions: usize,
    /// Pairs of an online person and somebody it watches, online or not.
    pub watches: usize,
}

/// The handle; clones share one hub.
#[derive(Debug, Clone)]
pub struct Hub {
    state: Arc<Mutex<State>>,
    inbox_events_max: usize,
}

impl Hub {
    /// A hub whose sessions may fall behind by `inbox_events_max` events before they are dropped;
    /// of presence only the latest of each person counts for those who are far behind.
    #[must_use]
    pub fn new(inbox_events_max: usize) -> Self {
        Self::measured(inbox_events_max, &HubMeters::default())
    }

    /// [`Self::new`], counting in `meters`.
    #[must_use]
    pub fn measured(inbox_events_max: usize, meters: &HubMeters) -> Self {
        let state = Arc::new(Mutex::new(State::measured(meters.clone())));
        Self { state, inbox_events_max: inbox_events_max.max(1) }
    }

    /// Presence is written as `encode` says to those who have lent their wire, without waking them.
    #[must_use]
    pub fn writing(self, encode: Encode) -> Self {
        self.state.lock().rounds = Some(Rounds::new(encode));
        self
    }

    /// Announces a sign-in of `account`. To be called before its circle is read from the store:
    /// from now on the hub remembers edits of that account, so that [`Arrival::sign_in`] can tell
    /// whether what was read still holds.
    #[must_use]
    pub fn expect(&self, account: AccountId) -> Arrival {
        self.state.lock().arrivals.begin(account);
        Arrival { hub: self.clone(), account }
    }

    /// Ends the session of an account that is no longer welcome, if it has one, which is told
    /// [`Event::Expelled`]; and all its conversations, with or without a session.
    pub fn expel(&self, account: AccountId) {
        self.state.lock().expel(account);
    }

    /// The account is gone for good: nobody watches it any more, and its session and its
    /// conversations end.
    pub fn forget(&self, account: AccountId) {
        self.state.lock().forget(account);
    }

    /// The account's forward list holds only these people any more: others were removed by another
    /// process, and nothing more is told about them. `version` is the one at which that was read.
    ///
    /// # Errors
    /// [`Stale`] if an edit has been published since: read again.
    pub fn reconcile(
        &self,
        account: AccountId,
        session: SessionId,
        forward: &HashSet<AccountId>,
        version: u32,
    ) -> Result<(), Stale> {
        self.state.lock().reconcile(account, session, forward, version)
    }

    /// The accounts with a session.
    #[must_use]
    pub fn online(&self) -> Vec<AccountId> {
        self.state.lock().online()
    }

    /// The accounts that are in conversations, with or without a session.
    #[must_use]
    pub fn conversing(&self) -> Vec<AccountId> {
        self.state.lock().stays.accounts()
    }

    /// The accounts somebody online watches, online themselves or not.
    #[must_use]
    pub fn watched(&self) -> Vec<AccountId> {
        self.state.lock().watched()
    }

    /// Takes over a committed edit of `by`'s roster. To be called once for each edit, in commit
    /// order. `session` is the one that asked for it.
    pub fn apply(&self, applied: &Applied, by: &Arc<Person>, session: SessionId) -> Outcome {
        self.state.lock().apply(applied, by, session)
    }

    /// Tells every session, also those still to come, that the server goes down in `minutes`.
    pub fn notify_shutdown(&self, minutes: u32) {
        self.state.lock().notify_shutdown(minutes);
    }

    /// Takes a cookie of `XFR` back. Whatever was presented is worthless afterwards, also when it
    /// was somebody else's or too old, or whoever presents it has no legal address (`None`).
    #[must_use]
    pub fn redeem_opening(&self, presented: &[u8], address: Option<&Address>) -> Option<Opening> {
        self.state.lock().redeem_opening(presented, address, Instant::now())
    }

    /// Takes a cookie of `RNG` back, as [`Self::redeem_opening`] does. It is worthless too if the
    /// callee no longer allows the caller.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn redeem_answer(
        &self,
        presented: &[u8],
        address: Option<&Address>,
    ) -> Result<Answer, Unanswered> {
        self.state.lock().redeem_answer(presented, address, Instant::now())
    }

    /// Those of `callees` who have been called into `room` and can still answer: whose cookie has
    /// neither been presented nor expired nor ended with their session.
    #[must_use]
    pub fn still_rung(&self, room: RoomId, callees: &[Address]) -> Vec<Address> {
        self.state.lock().still_rung(room, callees, Instant::now())
    }

    /// Tells the callee's session that `caller` wants it in `room`, with a fresh cookie. `server`
    /// is the switchboard the room was opened on, see [`Opening`].
    ///
    /// # Errors
    /// [`NotRung`], judged by the callee's status and lists of this very moment.
    pub fn ring(
        &self,
        callee: &Address,
        caller: &Arc<Person>,
        room: RoomId,
        server: Option<Arc<str>>,
    ) -> Result<(), NotRung> {
        let cookie = cookie::fresh_cookie();
        let ring = Ring { room, server, cookie, caller: caller.clone() };
        self.state.lock().ring(callee, ring, Instant::now())
    }

    /// Tells everybody who is online that the server goes down in `minutes`, without any
    /// consequence. Returns how many were told.
    pub fn announce(&self, minutes: u32) -> usize {
        self.state.lock().announce(minutes)
    }

    /// Ends somebody's session, which is told [`Event::Kicked`], and all conversations; `None` if
    /// there is neither.
    pub fn kick(&self, address: &Address) -> Option<Kicked> {
        self.state.lock().kick(address)
    }

    /// At most `count` sessions with numbers above `after`, in the order of their numbers, that is
    /// of their connecting. Under the lock it costs a look at every session, and a copy of so many.
    #[must_use]
    pub fn sessions(&self, after: SessionId, count: usize) -> Vec<Listed> {
        self.state.lock().sessions(after, count)
    }

    /// Cookies that can still be presented, or have expired and were not yet swept out.
    #[must_use]
    pub fn cookies(&self) -> usize {
        self.state.lock().cookies.count()
    }

    /// Tells those of the recipients who are online and understand it of a stored alert. To be
    /// called once for each alert, in commit order; whoever signs in at the same moment learns of
    /// it too. Returns how many were told; whether they receive it is another matter.
    pub fn post_alert(&self, recipients: &[AccountId], alert: Arc<PostedAlert>) -> usize {
        self.state.lock().post_alert(recipients, alert)
    }

    /// Whether the account has a session that is told of alerts at once.
    #[must_use]
    pub fn hears_alerts(&self, account: AccountId) -> bool {
        self.state.lock().hears_alerts(account)
    }

    /// Tells the owner of a mailbox, if online, what happened there. To be called in commit order.
    pub fn tell_mail(&self, account: AccountId, news: Arc<MailNews>) {
        self.state.lock().tell_mail(account, news);
    }

    /// Hands a page over to somebody who can be seen, understands it and lets `from` reach it.
    /// Returns whether there is such a session. A hidden person is as unreachable as one that is
    /// offline, or paging would tell who hides.
    #[must_use]
    pub fn page(&self, from: AccountId, to: AccountId, page: Arc<Page>) -> bool {
        self.state.lock().page(from, to, page)
    }

    /// Counts for operators.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.lock().counts()
    }
}

/// A sign-in that has been announced and not yet happened.
#[derive(Debug)]
pub struct Arrival {
    hub: Hub,
    account: AccountId,
}

impl Arrival {
    /// Registers a session, semi-offline. An older session of the account is told
    /// [`Event::Replaced`], and whoever saw it [`Event::Offline`].
    ///
    /// # Errors
    /// [`Stale`] if the account's lists were edited since they were read: read them again.
    pub fn sign_in(&self, sign_in: SignIn) -> Result<(Member, Inbox), Stale> {
        let (sender, inbox) = inbox::inbox(self.hub.inbox_events_max);
        let (account, session) = (self.account, sign_in.session);
        let missed = self.hub.state.lock().sign_in(account, sign_in, sender)?;
        Ok((Member { hub: self.hub.clone(), account, session, missed }, inbox))
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.hub.state.lock().arrivals.end(self.account);
    }
}

/// A signed-in session's place in the hub. Dropping it signs the session out: whoever saw the
/// person is told.
#[derive(Debug)]
pub struct Member {
    hub: Hub,
    account: AccountId,
    session: SessionId,
    missed: Missed,
}

impl Member {
    /// What was sent before the session was there, and is in no inbox.
    #[must_use]
    pub const fn missed(&self) -> Missed {
        self.missed
    }

    /// From now on the session hears of changes others make to its lists.
    pub fn listen(&self) {
        self.hub.state.lock().listen(self.account, self.session);
    }

    /// Shows `presence` to whoever may see it.
    #[must_use = "the first call lists everybody who is visible"]
    pub fn set_presence(&self, presence: Presence) -> Entered {
        self.hub.state.lock().set_presence(self.account, self.session, presence)
    }

    /// The person's current name; `None` once this session has been replaced.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        self.hub.state.lock().name(self.account, self.session)
    }

    /// Whether the session wants conversations (`IMS`); at first it does.
    pub fn set_takes_calls(&self, takes_calls: bool) {
        self.hub.state.lock().set_takes_calls(self.account, self.session, takes_calls);
    }

    /// A cookie to open one conversation on `server` (`None`: the only one). `None` once this
    /// session has been replaced.
    #[must_use]
    pub fn open_conversation(&self, server: Option<Arc<str>>) -> Option<Zeroizing<String>> {
        let cookie = cookie::fresh_cookie();
        let mut state = self.hub.state.lock();
        state
            .open_conversation(self.account, self.session, &cookie, server, Instant::now())
            .then_some(cookie)
    }

    /// The hub it is in.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The connection.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.state.lock().sign_out(self.account, self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every session has one.
    #[test]
    fn a_member_stays_small() {
        let bytes = size_of::<local::Member>();
        assert!(bytes <= 128, "{bytes}");
    }
}
