//! From events to lines.

use super::{Case, Round, person};
use bytes::Bytes;
use msnd::{
    model::{Contact, GroupId, GroupSet, ListBits, Name, Presence, Properties, Status},
    protocol::{Dialect, Event, escape},
};
use std::{hint::black_box, sync::Arc};

/// A name of which nothing needs an escape, one with some, and one of which everything does.
const NAMES: [&str; 3] = ["Greta", "Greta (gone fishing)", "★ гостья из будущего ★"];

/// The lines of which most are sent, and their most expensive part.
pub(crate) const CASES: &[Case] = &[
    Case { name: "NLN_of_MSNP8", items: 1, set_up: || nln(Dialect::Msnp8) },
    Case { name: "NLN_of_MSNP9", items: 1, set_up: || nln(Dialect::Msnp9) },
    Case { name: "LST", items: 1, set_up: lst },
    Case { name: "MSG_of_200_bytes", items: 1, set_up: said },
    Case { name: "plain_name", items: 1, set_up: || escaped(NAMES[0]) },
    Case { name: "ordinary_name", items: 1, set_up: || escaped(NAMES[1]) },
    Case { name: "exotic_name", items: 1, set_up: || escaped(NAMES[2]) },
    Case { name: "exotic_name_read", items: 1, set_up: read },
];

fn nln(dialect: Dialect) -> Round {
    let person = person(1);
    let object = "%3Cmsnobj%20Creator%3D%22user1%40example.test%22%20Size%3D%2224539%22%20Type%3D%223%22\
                  %20Location%3D%22TFR2C.tmp%22%20Friendly%3D%22AAA%3D%22%20SHA1D%3D%22trC8SlFx2sWQxZMIBAWSEnXc8oQ%3D%22/%3E";
    let presence = Presence {
        status: Status::Online,
        client_id: 268_435_500,
        object: Some(Bytes::from_static(object.as_bytes())),
    };
    encoding(move |out| {
        let (address, name) = (&person.address, &person.name);
        Event::Nln { address, name, presence: &presence }.encode(dialect, out);
    })
}

fn lst() -> Round {
    let person = person(1);
    let contact = Contact {
        id: person.id,
        address: person.address.clone(),
        name: Name::new(NAMES[1]).unwrap(),
        lists: ListBits::FORWARD.with(ListBits::ALLOW),
        groups: GroupSet::ZERO.with(GroupId::new(7).unwrap()),
        properties: Properties::default(),
    };
    encoding(move |out| Event::Lst(&contact).encode(Dialect::Msnp9, out))
}

fn said() -> Round {
    let (person, payload) = (person(1), [b'a'; 200]);
    encoding(move |out| {
        let (address, name) = (&person.address, &person.name);
        Event::Said { address, name, payload: &payload }.encode(Dialect::Msnp9, out);
    })
}

/// A round encodes into a buffer that is there already, as a session's often is.
fn encoding(encode: impl Fn(&mut Vec<u8>) + 'static) -> Round {
    let mut out = Vec::with_capacity(4096);
    Box::new(move || {
        out.clear();
        encode(&mut out);
        black_box(&out);
    })
}

fn escaped(name: &'static str) -> Round {
    Box::new(move || {
        black_box(escape::encode(black_box(name), 387));
    })
}

fn read() -> Round {
    let word: Arc<str> = escape::encode(NAMES[2], 387).into();
    Box::new(move || {
        black_box(escape::decode(black_box(word.as_bytes())).unwrap());
    })
}
