//! Puts events into inboxes, and parts from those whose inbox is full.

use super::State;
use crate::{
    hub::{
        Event,
        inbox::Full,
        seats::{Seat, Seated},
    },
    model::AccountId,
};

impl State {
    pub(super) fn tell_seers(&mut self, watched: AccountId, event: &Event) {
        self.tell_seers_but(None, watched, event);
    }

    pub(super) fn tell_seers_but(&mut self, but: Option<Seat>, watched: AccountId, event: &Event) {
        let mut told = 0;
        for seat in self.watch.seers(watched).iter().filter(|seat| Some(**seat) != but) {
            if let Some(seated) = self.seats.get(*seat) {
                told += 1;
                deliver(seated, event.clone(), &mut self.overflowed);
            }
        }
        self.meters.deliveries.inc_by(told);
    }

    pub(in crate::hub) fn tell(&mut self, id: AccountId, event: Event) {
        if let Some(seat) = self.members.get(&id).map(|member| member.seat) {
            self.tell_seat(seat, event);
        }
    }

    pub(super) fn tell_seat(&mut self, seat: Seat, event: Event) {
        if let Some(seated) = self.seats.get(seat) {
            if matches!(event, Event::Online(_) | Event::Offline(_)) {
                self.meters.deliveries.inc();
            }
            deliver(seated, event, &mut self.overflowed);
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

fn deliver(seated: &Seated, event: Event, overflowed: &mut Vec<AccountId>) {
    if let Err(Full) = seated.inbox.send(event) {
        overflowed.push(seated.id);
    }
}
