//! What operators see and do: who is online in which way, ending a session, a word to everybody.

use super::State;
use crate::{
    hub::{Card, Event, Person, SessionId},
    model::{Address, Dialect},
};
use std::{net::SocketAddr, sync::Arc};

/// What a role knows of a session and others need not: made once at sign-in, never changed.
#[derive(Debug)]
pub struct Facts {
    /// The role that holds the connection.
    pub role: &'static str,
    /// The dialect.
    pub dialect: Dialect,
    /// What the client told of its version, if anything.
    pub client_version: Option<Box<str>>,
    /// Where it connects from.
    pub peer: SocketAddr,
    /// When it signed in, Unix seconds.
    pub signed_in_at_secs: u64,
}

impl Facts {
    /// Those of a session that nobody will look at: for benchmarks and tests of the hub alone.
    #[must_use]
    pub fn unknown(dialect: Dialect) -> Arc<Self> {
        let peer = SocketAddr::from(([0, 0, 0, 0], 0));
        let facts = Self {
            role: "notification",
            dialect,
            client_version: None,
            peer,
            signed_in_at_secs: 0,
        };
        Arc::new(facts)
    }
}

/// A session as of one moment.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The connection.
    pub session: SessionId,
    /// Who.
    pub person: Arc<Person>,
    /// Its presence; `None` before the first `CHG`.
    pub card: Option<Arc<Card>>,
    /// What its role knows.
    pub facts: Arc<Facts>,
    /// The person's list version as far as the hub has heard of it.
    pub list_version: u32,
    /// Events waiting for it.
    pub waiting_events: usize,
}

/// What an operator has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kicked {
    /// A session, and the conversations of its account.
    Session(SessionId),
    /// Conversations; the account was not signed in.
    Conversations,
}

impl State {
    pub(in crate::hub) fn announce(&mut self, minutes: u32) -> usize {
        let online = self.online();
        let told = online.len();
        online.into_iter().for_each(|id| self.tell(id, Event::ShutdownNotice { minutes }));
        self.settle();
        told
    }

    pub(in crate::hub) fn kick(&mut self, address: &Address) -> Option<Kicked> {
        let id = self.by_address.get(address).copied().or_else(|| self.stays.find(address))?;
        let session = self.members.get(&id).map(|member| member.session);
        let was_talking = self.end(id, Event::Kicked);
        self.settle();
        session.map(Kicked::Session).or_else(|| was_talking.then_some(Kicked::Conversations))
    }

    pub(in crate::hub) fn sessions(&self, after: SessionId, count: usize) -> Vec<Listed> {
        let mut page: Vec<_> = self
            .members
            .values()
            .filter(|member| member.session > after)
            .map(|member| (member.session, &**member))
            .collect();
        if page.len() > count {
            page.select_nth_unstable_by_key(count, |(session, _)| *session);
            page.truncate(count);
        }
        page.sort_unstable_by_key(|(session, _)| *session);
        let listed = |(session, member): (SessionId, &super::Member)| Listed {
            session,
            person: member.person.clone(),
            card: member.presence.clone(),
            facts: member.facts.clone(),
            list_version: member.version,
            waiting_events: self.seats.queued(member.seat),
        };
        page.into_iter().map(listed).collect()
    }
}
