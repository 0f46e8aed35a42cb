//! What a client that does not keep up has still to hear: of every person only the latest
//! presence, so that nobody can fill another's queue by changing status.

use super::events;
use crate::{
    hub::{Event, Person},
    model::AccountId,
    protocol::Dialect,
    session::Outbox,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Presence that waits for room in the outbox. Holds no memory while the client keeps up.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    latest: HashMap<AccountId, Event>,
    /// The same people, longest waiting first.
    order: VecDeque<AccountId>,
}

impl HeldBack {
    /// Sends the presence event, or keeps it instead of an older one of the same person.
    pub(super) fn send_or_hold(&mut self, event: &Event, dialect: Dialect, outbox: &mut Outbox) {
        let Some(person) = person(event) else { return };
        // Once something waits, everything waits: the order is kept.
        if self.order.is_empty() && !outbox.is_behind() {
            send(event, dialect, outbox);
        } else if self.latest.insert(person.id, event.clone()).is_none() {
            self.order.push_back(person.id);
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn release(&mut self, dialect: Dialect, outbox: &mut Outbox) {
        if self.order.is_empty() {
            return;
        }
        while !outbox.is_behind()
            && let Some(id) = self.order.pop_front()
        {
            if let Some(event) = self.latest.remove(&id) {
                send(&event, dialect, outbox);
            }
        }
        if self.order.is_empty() {
            *self = Self::default();
        }
    }

    /// Nothing may be sent about this person any more.
    pub(super) fn forget(&mut self, id: AccountId) {
        if self.latest.remove(&id).is_some() {
            self.order.retain(|waiting| *waiting != id);
        }
    }
}

fn send(event: &Event, dialect: Dialect, outbox: &mut Outbox) {
    match event {
        Event::Online(card) => outbox.share(events::nln(card, dialect)),
        Event::Offline(person) => outbox.share(events::fln(person)),
        Event::List(_) | Event::Replaced | Event::Expelled | Event::ShutdownNotice { .. } => {}
    }
}

fn person(event: &Event) -> Option<&Arc<Person>> {
    match event {
        Event::Online(card) => Some(&card.person),
        Event::Offline(person) => Some(person),
        Event::List(_) | Event::Replaced | Event::Expelled | Event::ShutdownNotice { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::{Card, event::Memo},
        model::{Address, Name, Presence, Status},
    };
    use std::future::poll_fn;

    fn online(id: u64, client_id: u32) -> Event {
        let address = Address::parse(&format!("user{id}@example.test")).unwrap();
        let name = Name::from(&address);
        let person = Person::new(AccountId(id), address, name);
        let presence = Presence { status: Status::Online, client_id, object: None };
        Event::Online(Arc::new(Card { person, presence, memo: Memo::default() }))
    }

    async fn written(outbox: &mut Outbox) -> Vec<String> {
        let mut bytes = Vec::new();
        poll_fn(|cx| outbox.poll_write(&mut bytes, cx, || ())).await.unwrap();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn who_keeps_up_hears_everything_and_who_does_not_the_latest() {
        let mut outbox = Outbox::new(1 << 20);
        let mut held_back = HeldBack::default();
        let mut tell = |event, outbox: &mut Outbox| {
            held_back.send_or_hold(&event, Dialect::Msnp9, outbox);
        };
        tell(online(1, 1), &mut outbox);
        tell(online(1, 2), &mut outbox);
        assert_eq!(written(&mut outbox).await.len(), 2);

        outbox.share(vec![b'x'; 70_000].into());
        for client_id in 0..1000 {
            tell(online(1, client_id), &mut outbox);
            tell(online(2, client_id), &mut outbox);
            tell(online(3, client_id), &mut outbox);
        }
        assert_eq!(outbox.len(), 70_000);
        written(&mut outbox).await;
        held_back.forget(AccountId(2));
        held_back.release(Dialect::Msnp9, &mut outbox);
        assert_eq!(
            written(&mut outbox).await,
            [
                "NLN NLN user1@example.test user1@example.test 999",
                "NLN NLN user3@example.test user3@example.test 999"
            ]
        );
        assert!(held_back.latest.capacity() == 0 && held_back.order.capacity() == 0);
    }
}
