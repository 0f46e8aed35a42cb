//! A signed-in session: its place in the hub, its timers, and what it is told.

use super::{
    Context,
    challenge::{Challenged, is_enforced},
    events,
    kept::Kept,
    lately::Lately,
};
use crate::{
    hub::{Event, Facts, Inbox, ListEvent, Member, Person, Ring, ticket::WebTicket},
    metrics::Held,
    model::{AccountId, Address, AlertId, Mailbox, Status, roster::version_is_newer},
    protocol::{self, Dialect, TrId, message},
    session::{Outbox, Reason, Reject},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a signed-in session knows. What presence of others touches comes first: in a crowd none of
/// it is in any cache.
#[derive(Debug)]
#[repr(C)]
pub(super) struct SignedIn {
    pub(super) inbox: Inbox,
    pub(super) dialect: Dialect,
    /// The last status set with `CHG`.
    pub(super) status: Option<Status>,
    /// `IMS`: whether the client wants conversations.
    pub(super) takes_calls: bool,
    /// Whether alerts may wait in the store; of interest until the first `CHG`.
    pub(super) has_alerts: bool,
    /// What is unread, if the profile said that there is a mailbox.
    pub(super) mailbox: Option<Mailbox>,
    /// The lists as read at sign-in, for a `SYN` that is the first command.
    pub(super) kept: Kept,
    /// When to look whether the client has fallen silent; set by its first `PNG`.
    pub(super) idle_check_at: Option<Instant>,
    pub(super) challenged: Challenged,
    /// When the last byte arrived.
    pub(super) heard_at: Instant,
    pub(super) context: Arc<Context>,
    pub(super) account: AccountId,
    pub(super) address: Address,
    /// Where the client reached us.
    pub(super) local: SocketAddr,
    /// What operators may know, and the peer's address.
    pub(super) facts: Arc<Facts>,
    /// As at sign-in; the hub knows the current name.
    pub(super) person: Arc<Person>,
    /// Dropping it signs out.
    pub(super) member: Member,
    /// Counts the session.
    pub(super) _counted: Held,
    /// Valid as long as the session.
    pub(super) _web_ticket: WebTicket,
    /// The list version of the last `SYN` answer.
    pub(super) synchronised_at: Option<u32>,
    /// The last list version that the client has seen, once it has a list.
    pub(super) told_version: Option<u32>,
    /// Recent changes of the own name.
    pub(super) renamed: Lately,
    /// Recent requests for a switchboard.
    pub(super) asked_for_switchboard: Lately,
    /// The last alert told.
    pub(super) told_alert: Option<AlertId>,
}

impl SignedIn {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let others = self.idle_check_at.into_iter().chain(self.kept.deadline());
        self.challenged.deadline().into_iter().chain(others).min()
    }

    pub(super) fn on_deadline(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Reject> {
        if let Some(rest) = self.inbox.take_back_wire() {
            outbox.resume(&rest);
        }
        if self.kept.deadline().is_some_and(|until| now >= until) {
            self.kept.forget();
        }
        if self.idle_check_at.is_some_and(|check_at| now >= check_at) {
            // While lines wait for the client, we may not be reading either: whether it is still
            // there is then for the write stall to tell.
            let waits = !outbox.is_empty();
            let silent_until = if waits { now } else { self.heard_at } + self.idle();
            if now >= silent_until {
                return Err(Reason::Idle.into());
            }
            self.idle_check_at = Some(silent_until);
        }
        if self.challenged.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        if let Challenged::Asked { answer_by, .. } = &mut self.challenged {
            let config = &self.context.config.challenge;
            if !outbox.is_empty() {
                // The challenge may be among what waits: nobody can answer what has not arrived.
                *answer_by = now + Duration::from_secs(config.answer_secs);
                return Ok(());
            }
            if is_enforced(config) {
                return Err(Reason::ChallengeMissed.into());
            }
            tracing::info!(session.id = %self.member.session(), user = %self.address,
                "challenge not answered; the policy is to log only");
            self.challenged.settle(config, now);
            return Ok(());
        }
        self.ask_challenge(TrId::ZERO, outbox)
    }

    /// A command begins. Whatever is not `SYN` may change what was kept for it, or has the session
    /// told of changes.
    pub(super) fn begin(&mut self, verb: &str) {
        if verb != "SYN" {
            self.kept.forget();
        }
    }

    /// The client pings: from now on silence means that it is gone.
    pub(super) fn expect_pings(&mut self) {
        if self.idle_check_at.is_none() {
            self.idle_check_at = Some(self.heard_at + self.idle());
        }
    }

    pub(super) fn ask_challenge(&mut self, trid: TrId, outbox: &mut Outbox) -> Result<(), Reject> {
        let challenge = self.challenged.ask(&self.context.config.challenge, Instant::now())?;
        outbox.send(&protocol::Event::Chl { trid, challenge: &challenge });
        Ok(())
    }

    /// Turns an event into lines.
    pub(super) fn tell(&mut self, event: &Event, outbox: &mut Outbox) -> Result<(), Reject> {
        match event {
            Event::Online(card) => outbox.share(events::nln(card, self.dialect)),
            Event::Offline(person) => outbox.share(events::fln(person)),
            Event::Rest(rest) => outbox.resume(rest),
            Event::List(event) => self.tell_list(event, outbox),
            Event::Ring(ring) => self.ring(ring, outbox),
            Event::Alert(posted) => self.tell_alert(posted, outbox),
            Event::Mail(news) => self.tell_mail(news, outbox),
            Event::Page(page) => self.tell_page(page, outbox),
            Event::Replaced => return Err(tell_off(Reason::SignedInElsewhere, outbox)),
            // COMPAT(all): after any other end clients sign in again at once.
            Event::Kicked => return Err(tell_off(Reason::Kicked, outbox)),
            Event::Expelled => return Err(Reason::Expelled.into()),
            Event::ShutdownNotice { minutes } => {
                let payload = message::shutdown_notice((*minutes).into());
                outbox.send(&protocol::Event::Msg { payload: &payload });
            }
        }
        Ok(())
    }

    /// Ends the session if the hub has parted from it: nothing it does is told to others any more,
    /// and its inbox no longer tells it what it must know before a reply.
    pub(super) fn end_if_parted(&mut self, outbox: &mut Outbox) -> Result<(), Reject> {
        if !self.inbox.is_closed() {
            return Ok(());
        }
        while let Some(event) = self.inbox.try_recv() {
            self.tell(&event, outbox)?;
        }
        Err(Reason::InboxOverflow.into())
    }

    fn tell_list(&mut self, event: &ListEvent, outbox: &mut Outbox) {
        // What the last SYN answer contained already is not told again.
        let is_news =
            self.synchronised_at.is_none_or(|known| version_is_newer(event.version(), known));
        if !is_news {
            return;
        }
        let line = match event {
            ListEvent::ReverseAdded { version, by } => protocol::Event::AddReverse {
                version: *version,
                address: &by.address,
                name: &by.name,
            },
            ListEvent::ReverseRemoved { version, by } => {
                protocol::Event::RemReverse { version: *version, address: &by.address }
            }
            ListEvent::Property { version, by, key, value } => {
                // Without a SYN the client has no list to attach it to.
                if self.synchronised_at.is_none() || !key.is_shared() {
                    return;
                }
                let value = value.as_deref();
                protocol::Event::Bpr { version: *version, address: &by.address, key: *key, value }
            }
        };
        outbox.send(&line);
        self.told_version = self.told_version.map(|_| event.version());
    }

    fn ring(&self, ring: &Ring, outbox: &mut Outbox) {
        let is_reachable = self.takes_calls && !matches!(self.status, None | Some(Status::Hidden));
        let switchboards = self.context.switchboards.as_ref();
        let to = switchboards.and_then(|all| all.address(ring.server.as_deref(), self.local));
        let Some(to) = to.filter(|_| is_reachable) else { return };
        outbox.send(&protocol::Event::Rng {
            room: ring.room.0,
            to: &to,
            cookie: &ring.cookie,
            address: &ring.caller.address,
            name: &ring.caller.name,
        });
    }

    fn idle(&self) -> Duration {
        let timers = &self.context.config.timers;
        Duration::from_secs(timers.ping_secs.saturating_mul(timers.idle_intervals))
    }
}

/// The only goodbye after which clients stay away.
fn tell_off(reason: Reason, outbox: &mut Outbox) -> Reject {
    // A bare close instead would make clients sign in again and again, so who is behind gets this
    // line in place of older ones.
    if outbox.is_behind() {
        outbox.make_room();
    }
    outbox.send(&protocol::Event::OutOther);
    reason.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Notification;

    /// There is one of each for every session, however idle. The allocator gives 344 bytes where
    /// 336 are asked for.
    #[test]
    fn what_a_session_keeps_stays_small() {
        let bytes = (size_of::<SignedIn>(), size_of::<Notification>());
        assert!(bytes.0 <= 344 && bytes.1 <= 40, "{bytes:?}");
    }
}
