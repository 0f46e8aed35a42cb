//! What an operator does in a transcript, through the service that the ways in for operators use.

use crate::support::{TestServer, server::new_account};
use msnd::{
    alert::Recipients,
    model::{
        Address, Alert,
        alert::AlertParts,
        mail::{Folder, MailMoved, NewMail},
    },
};
use quick_xml::{
    Reader,
    escape::{resolve_predefined_entity, unescape},
    events::Event,
};
use std::collections::BTreeMap;

/// Receives alerts that only use up numbers.
const NOBODY: &str = "nobody.in.particular@example.test";

/// Does what stands behind `>`.
pub(super) fn obey(server: &TestServer, order: &str) {
    let (verb, rest) = order.split_once(' ').unwrap();
    let (user, rest) = rest.split_once(' ').unwrap();
    let user = Address::parse(user).unwrap();
    match verb {
        "alert" => post(server, user, AlertParts::general(rest, 1033)),
        "mail" => {
            let (from, subject) = rest.split_once(' ').unwrap();
            let from = Address::parse(from).unwrap();
            let mail = NewMail::new("", from, subject, "m1", Folder::inbox()).unwrap();
            server.block_on(server.alerts().new_mail(&user, mail)).unwrap();
        }
        "moved" => {
            let words: Vec<_> = rest.split(' ').collect();
            let folder = |name: &str| Folder::new(name).unwrap();
            let moved =
                MailMoved::new(folder(words[0]), folder(words[1]), words[2].parse().unwrap());
            server.block_on(server.alerts().mail_moved(&user, moved.unwrap())).unwrap();
        }
        _ => panic!("{order}: no such order"),
    }
}

/// Sends the alert of this document, with its number, to whom it names.
pub(super) fn send(server: &TestServer, document: &[u8]) {
    let mut values = values(str::from_utf8(document).unwrap());
    let mut take = |path: &str| values.remove(path);
    let id: u64 = take("NOTIFICATION@id").unwrap().parse().unwrap();
    server.add(vec![new_account(NOBODY)]);
    for _ in 1..id {
        let nobody = Address::parse(NOBODY).unwrap();
        post(server, nobody, AlertParts::general("one more number", 1033));
    }
    let user = Address::parse(&take("NOTIFICATION/TO@name").unwrap()).unwrap();
    let parts = AlertParts {
        site_id: take("NOTIFICATION@siteid").unwrap().parse().unwrap(),
        site_url: take("NOTIFICATION@siteurl"),
        action_url: take("NOTIFICATION/MSG/ACTION@url").unwrap(),
        subscribe_url: take("NOTIFICATION/MSG/SUBSCR@url").unwrap(),
        icon: take("NOTIFICATION/MSG/BODY@icon"),
        lang: take("NOTIFICATION/MSG/BODY@lang").unwrap().parse().unwrap(),
        priority: take("NOTIFICATION/MSG@pri").unwrap().parse().unwrap(),
        text: take("NOTIFICATION/MSG/BODY/TEXT").unwrap(),
        html: take("NOTIFICATION/MSG/BODY/TEXTX"),
    };
    post(server, user, parts);
}

fn post(server: &TestServer, user: Address, parts: AlertParts) {
    let alert = Alert::new(parts).unwrap();
    let accepted = server.block_on(server.alerts().send_alert(Recipients::One(user), alert, None));
    assert_eq!(accepted.unwrap().recipients, 1);
}

/// Attributes and texts of a document, by path.
fn values(document: &str) -> BTreeMap<String, String> {
    let mut reader = Reader::from_str(document);
    let (mut path, mut values) = (Vec::<String>::new(), BTreeMap::<String, String>::new());
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                path.push(start.name().as_ref().to_owned());
                for attribute in start.attributes().map(Result::unwrap) {
                    let at = format!("{}@{}", path.join("/"), attribute.key.as_ref());
                    values.insert(at, unescape(&attribute.value).unwrap().into_owned());
                }
                if matches!(event, Event::Empty(_)) {
                    path.pop();
                }
            }
            Event::End(_) => drop(path.pop()),
            Event::Text(text) => *values.entry(path.join("/")).or_default() += text,
            Event::GeneralRef(entity) => {
                let character = resolve_predefined_entity(entity).unwrap();
                *values.entry(path.join("/")).or_default() += character;
            }
            Event::Eof => return values,
            other => panic!("{other:?}"),
        }
    }
}
