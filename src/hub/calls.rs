//! Conversations as far as the hub knows them: who may open one, whom a call reaches, what a cookie
//! lets in. Synchronous: the caller holds the lock.

use super::{
    Admitted, Answer, Event, NotRung, Opening, Ring, RoomId, SessionId, Unanswered,
    cookie::Call,
    local::{Member, State},
    stays::Stays,
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
        let admitted = admit(self.members.get(&id)?, &mut self.stays);
        Some(Opening { admitted, server })
    }

    pub(super) fn redeem_answer(
        &mut self,
        presented: &[u8],
        address: Option<&Address>,
        now: Instant,
    ) -> Result<Answer, Unanswered> {
        let redeemed = self.cookies.redeem_answer(presented, address, now);
        let (id, Call { room, caller, server }) = redeemed.ok_or(Unanswered::BadCookie)?;
        let member = self.members.get(&id).ok_or(Unanswered::BadCookie)?;
        // The lists may have changed since the call.
        if !member.circle.allows(caller) {
            return Err(Unanswered::NotAllowed);
        }
        Ok(Answer { admitted: admit(member, &mut self.stays), room, caller, server })
    }

    /// Those of `callees` who have been called into `room` and can still answer.
    pub(super) fn still_rung(
        &self,
        room: RoomId,
        callees: &[Address],
        now: Instant,
    ) -> Vec<Address> {
        let is_rung = |callee: &&Address| {
            let id = self.by_address.get(*callee);
            id.is_some_and(|id| self.cookies.is_rung(*id, room, now))
        };
        callees.iter().filter(is_rung).cloned().collect()
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
        let call = Call { room: ring.room, caller: ring.caller.id, server: ring.server.clone() };
        if !self.cookies.issue_answer(&ring.cookie, &member.person, call, now) {
            return Err(NotRung::TooMany);
        }
        self.tell(id, Event::Ring(Arc::new(ring)));
        self.settle();
        Ok(())
    }
}

fn admit(member: &Member, stays: &mut Stays) -> Admitted {
    Admitted {
        person: member.person.clone(),
        dialect: member.facts.dialect,
        session: member.session,
        over: stays.token(&member.person),
    }
}
