//! Conversations as far as the hub knows them: who may open one, whom a call reaches, what a cookie
//! lets in. Synchronous: the caller holds the lock.

use super::{
    Admitted, Answer, Event, NotRung, Opening, Ring, SessionId,
    cookie::Call,
    local::{Member, State},
};
use crate::model::{AccountId, Address};
use std::sync::Arc;
use tokio::time::Instant;

impl State {
    pub(super) fn set_takes_calls(&mut self, id: AccountId, session: SessionId, takes: bool) {
        if let Some(member) = self.member(id, session) {
            member.takes_calls = takes;
        }
    }

    /// Whether the session still is the account's, and so got the cookie.
    pub(super) fn open_conversation(
        &mut self,
        id: AccountId,
        session: SessionId,
        cookie: &str,
        server: Option<Arc<str>>,
        now: Instant,
    ) -> bool {
        let Some(person) = self.member(id, session).map(|member| member.person.clone()) else {
            return false;
        };
        self.cookies.issue_opening(cookie, &person, server, now);
        true
    }

    pub(super) fn redeem_opening(
        &mut self,
        presented: &[u8],
        address: Option<&Address>,
        now: Instant,
    ) -> Option<Opening> {
        let (id, server) = self.cookies.redeem_opening(presented, address, now)?;
        let admitted = admit(self.members.get_mut(&id)?);
        Some(Opening { admitted, server })
    }

    pub(super) fn redeem_answer(
        &mut self,
        presented: &[u8],
        address: Option<&Address>,
        now: Instant,
    ) -> Option<Answer> {
        let (id, call) = self.cookies.redeem_answer(presented, address, now)?;
        let member = self.members.get_mut(&id)?;
        // The lists may have changed since the call.
        let Call { room, caller } = call;
        member.circle.allows(caller).then(|| Answer { admitted: admit(member), room, caller })
    }

    pub(super) fn ring(
        &mut self,
        callee: &Address,
        ring: Ring,
        now: Instant,
    ) -> Result<(), NotRung> {
        let id = *self.by_address.get(callee).ok_or(NotRung::Unreachable)?;
        let member = self.members.get(&id).ok_or(NotRung::Unreachable)?;
        if member.visible().is_none() || !member.takes_calls {
            return Err(NotRung::Unreachable);
        }
        if !member.circle.allows(ring.caller.id) {
            return Err(NotRung::Refused);
        }
        let call = Call { room: ring.room, caller: ring.caller.id };
        self.cookies.issue_answer(&ring.cookie, &member.person, call, now);
        self.tell(id, Event::Ring(Arc::new(ring)));
        self.settle();
        Ok(())
    }
}

fn admit(member: &mut Member) -> Admitted {
    Admitted {
        person: member.person.clone(),
        dialect: member.facts.dialect,
        session: member.session,
        over: member.over.get_or_insert_default().clone(),
    }
}
