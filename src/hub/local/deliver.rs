//! Puts events into inboxes, and parts from those whose inbox is full.

use super::State;
use crate::{
    hub::{
        Event,
        inbox::{Full, Round},
        seats::{Seat, Seated},
    },
    model::AccountId,
};

/// Inboxes that are fetched from memory together.
const TOLD_TOGETHER: usize = 32;

impl State {
    pub(super) fn tell_seers(&mut self, watched: AccountId, event: &Event) {
        self.tell_seers_but(None, watched, event);
    }

    pub(super) fn tell_seers_but(&mut self, but: Option<Seat>, watched: AccountId, event: &Event) {
        let mut told = 0;
        let mut round = self.rounds.as_ref().map(Round::new);
        for seats in self.watch.seers(watched).chunks(TOLD_TOGETHER) {
            let seated = || seats.iter().filter_map(|seat| Some((*seat, self.seats.get(*seat)?)));
            // In a crowd no inbox is in any cache: they are fetched together, not one by one.
            seated().for_each(|(_, Seated { inbox, .. })| inbox.fetch());
            for (_, Seated { id, inbox }) in seated().filter(|(seat, _)| Some(*seat) != but) {
                told += 1;
                let result = match &mut round {
                    Some(round) => inbox.send_round(event.clone(), round),
                    None => inbox.send(event.clone()),
                };
                if let Err(Full) = result {
                    self.overflowed.push(*id);
                }
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
            if let Err(Full) = seated.inbox.send(event) {
                self.overflowed.push(seated.id);
            }
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
