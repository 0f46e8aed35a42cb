//! Hub events as lines: encoded once for each dialect, shared by all receivers.

use crate::{
    hub::{self, Card, Person},
    protocol::{Dialect, Event},
};
use bytes::Bytes;

/// `NLN …` for everybody who speaks `dialect`.
#[must_use]
pub fn nln(card: &Card, dialect: Dialect) -> Bytes {
    card.memo.get_or_encode(dialect.index(), || {
        let Card { person, presence, .. } = card;
        encode(&Event::Nln { address: &person.address, name: &person.name, presence }, dialect)
    })
}

/// `FLN …`, the same in all dialects.
pub(super) fn fln(person: &Person) -> Bytes {
    person
        .memo
        .get_or_encode(0, || encode(&Event::Fln { address: &person.address }, Dialect::Msnp9))
}

/// Presence as it is written, `None` for everything else.
#[must_use]
pub fn presence(event: &hub::Event, dialect: Dialect) -> Option<Bytes> {
    match event {
        hub::Event::Online(card) => Some(nln(card, dialect)),
        hub::Event::Offline(person) => Some(fln(person)),
        _ => None,
    }
}

fn encode(event: &Event<'_>, dialect: Dialect) -> Bytes {
    let mut line = Vec::with_capacity(256);
    event.encode(dialect, &mut line);
    // The exact size: the line may stay in memory as long as the person is online.
    Bytes::copy_from_slice(&line)
}
