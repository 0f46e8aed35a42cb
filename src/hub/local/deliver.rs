//! Puts events into inboxes, and parts from those whose inbox is full.

use super::{Member, State};
use crate::{
    hub::{Event, inbox::Full},
    model::AccountId,
};

impl State {
    pub(super) fn tell_seers(&mut self, watched: AccountId, event: &Event) {
        self.tell_seers_but(None, watched, event);
    }

    pub(super) fn tell_seers_but(
        &mut self,
        but: Option<AccountId>,
        watched: AccountId,
        event: &Event,
    ) {
        let mut told = 0;
        for seer in self.watch.seers(watched).filter(|seer| Some(*seer) != but) {
            if let Some(member) = self.members.get(&seer) {
                told += 1;
                deliver(member, seer, event.clone(), &mut self.overflowed);
            }
        }
        self.meters.deliveries.inc_by(told);
    }

    pub(in crate::hub) fn tell(&mut self, id: AccountId, event: Event) {
        if let Some(member) = self.members.get(&id) {
            if matches!(event, Event::Online(_) | Event::Offline(_)) {
                self.meters.deliveries.inc();
            }
            deliver(member, id, event, &mut self.overflowed);
        }
    }

    /// Removes members whose inbox was full, which may fill further inboxes.
    pub(in crate::hub) fn settle(&mut self) {
        while let Some(id) = self.overflowed.pop() {
            if self.remove(id).is_some() {
                self.meters.overflows.inc();
            }
        }
    }
}

fn deliver(member: &Member, id: AccountId, event: Event, overflowed: &mut Vec<AccountId>) {
    if let Err(Full) = member.inbox.send(event) {
        overflowed.push(id);
    }
}
