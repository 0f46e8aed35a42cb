//! Lines as the reference documents them, word by word.

use super::*;
use crate::model::{GroupSet, Properties, Status};
use bytes::Bytes;

fn line(event: &Event<'_>, dialect: Dialect) -> String {
    let mut out = Vec::new();
    event.encode(dialect, &mut out);
    String::from_utf8(out).unwrap()
}

fn trid(number: u32) -> TrId {
    TrId::parse(number.to_string().as_bytes()).unwrap()
}

#[test]
fn lines_stand_exactly_as_documented() {
    let maya = Address::parse("maya@example.org").unwrap();
    let name = Name::new("Maya L").unwrap();
    let object = Some(Bytes::from_static(b"%3Cmsnobj%2F%3E"));
    let presence = Presence { status: Status::Busy, client_id: 268_435_500, object };
    let group = GroupId::new(2).unwrap();
    let nln = Event::Nln { address: &maya, name: &name, presence: &presence };
    let chg = |client_id, object| Event::Chg { trid: trid(9), status: b"NLN", client_id, object };
    use Dialect::{Msnp8, Msnp9};
    for (event, dialect, expected) in [
        (Event::Error { trid: trid(5), code: ErrorCode::AlreadyLoggedIn }, Msnp9, "207 5\r\n"),
        (
            Event::Ver { trid: trid(1), dialects: &[Msnp9, Msnp8], update_check: true },
            Msnp9,
            "VER 1 MSNP9 MSNP8 CVR0\r\n",
        ),
        (Event::VerNone { trid: trid(1) }, Msnp9, "VER 1 0\r\n"),
        (
            Event::UsrOk { trid: trid(4), address: &maya, name: &name },
            Msnp8,
            "USR 4 OK maya@example.org Maya%20L 1 0\r\n",
        ),
        (
            Event::XfrNs { trid: trid(3), to: "10.0.0.5:1863", from: "10.0.0.1:1863" },
            Msnp9,
            "XFR 3 NS 10.0.0.5:1863 0 10.0.0.1:1863\r\n",
        ),
        (chg(None, None), Msnp9, "CHG 9 NLN\r\n"),
        (chg(None, None), Msnp8, "CHG 9 NLN 0\r\n"),
        (chg(Some(b"7"), Some(b"x")), Msnp9, "CHG 9 NLN 7 x\r\n"),
        (chg(Some(b"7"), Some(b"x")), Msnp8, "CHG 9 NLN 7\r\n"),
        (nln.clone(), Msnp9, "NLN BSY maya@example.org Maya%20L 268435500 %3Cmsnobj%2F%3E\r\n"),
        (nln, Msnp8, "NLN BSY maya@example.org Maya%20L 268435500\r\n"),
        (
            Event::Iln { trid: trid(9), nln: b"NLN BSY maya@example.org Maya 0\r\n" },
            Msnp9,
            "ILN 9 BSY maya@example.org Maya 0\r\n",
        ),
        (Event::Fln { address: &maya }, Msnp8, "FLN maya@example.org\r\n"),
        (Event::Qng { secs: 60 }, Msnp9, "QNG 60\r\n"),
        (Event::Qng { secs: 60 }, Msnp8, "QNG\r\n"),
        (Event::Chl { trid: TrId::ZERO, challenge: "123" }, Msnp9, "CHL 0 123\r\n"),
        (Event::Out, Msnp9, "OUT\r\n"),
        (
            Event::Prp { trid: trid(24), version: 503, key: PropertyKey::WorkPhone, value: None },
            Msnp9,
            "PRP 24 503 PHW\r\n",
        ),
        (
            Event::Bpr {
                version: 61,
                address: &maya,
                key: PropertyKey::WorkPhone,
                value: Some("46 8"),
            },
            Msnp9,
            "BPR 61 maya@example.org PHW 46%208\r\n",
        ),
        (
            Event::Add {
                trid: trid(31),
                list: List::Forward,
                version: 315,
                address: &maya,
                name: b"M",
                group: Some(group),
            },
            Msnp9,
            "ADD 31 FL 315 maya@example.org M 2\r\n",
        ),
        (
            Event::AddReverse { version: 89, address: &maya, name: &name },
            Msnp9,
            "ADD 0 RL 89 maya@example.org Maya%20L\r\n",
        ),
        (
            Event::Rem {
                trid: trid(33),
                list: List::Block,
                version: 3,
                address: &maya,
                group: None,
            },
            Msnp9,
            "REM 33 BL 3 maya@example.org\r\n",
        ),
        (
            Event::Adg { trid: trid(41), version: 318, name: b"Choir", group },
            Msnp9,
            "ADG 41 318 Choir 2 0\r\n",
        ),
        (
            Event::Reg { trid: trid(10), version: 2, group, name: b"Choir" },
            Msnp9,
            "REG 10 2 2 Choir 0\r\n",
        ),
        (Event::Not { head: "<a>", body: b"</a>" }, Msnp9, "NOT 7\r\n<a></a>"),
        (Event::Ipg { document: "<a/>" }, Msnp9, "IPG 4\r\n<a/>"),
        (Event::Msg { payload: "a\r\n\r\n" }, Msnp9, "MSG Hotmail Hotmail 5\r\na\r\n\r\n"),
    ] {
        assert_eq!(line(&event, dialect), expected);
        let verb = if expected.as_bytes()[0].is_ascii_digit() { "NNN" } else { &expected[..3] };
        assert!(SENT.iter().any(|(sent, _)| *sent == verb), "{verb} is not in the table");
    }
}

#[test]
fn a_switchboard_speaks_every_dialect_alike() {
    let address = &Address::parse("maya@example.org").unwrap();
    let name = &Name::new("Maya L").unwrap();
    let trid = trid(2);
    for (event, expected) in [
        (Event::Error { trid, code: ErrorCode::MalformedMessage }, "282 2\r\n"),
        (Event::UsrConversation { trid, address, name }, "USR 2 OK maya@example.org Maya%20L\r\n"),
        (Event::Cal { trid, room: 1_842_001 }, "CAL 2 RINGING 1842001\r\n"),
        (
            Event::Iro { trid, index: 1, total: 2, address, name },
            "IRO 2 1 2 maya@example.org Maya%20L\r\n",
        ),
        (Event::AnsOk { trid }, "ANS 2 OK\r\n"),
        (Event::Joi { address, name }, "JOI maya@example.org Maya%20L\r\n"),
        (Event::Bye { address, idle: false }, "BYE maya@example.org\r\n"),
        (Event::Bye { address, idle: true }, "BYE maya@example.org 1\r\n"),
        (
            Event::Said { address, name, payload: b"a\r\n" },
            "MSG maya@example.org Maya%20L 3\r\na\r\n",
        ),
        (
            Event::SaidBy { head: &said_by(address, name), payload: b"a\r\n" },
            "MSG maya@example.org Maya%20L 3\r\na\r\n",
        ),
        (Event::Ack { trid }, "ACK 2\r\n"),
        (Event::Nak { trid }, "NAK 2\r\n"),
    ] {
        assert_eq!(line(&event, Dialect::Msnp8), expected);
        assert_eq!(line(&event, Dialect::Msnp9), expected);
        let verb = if expected.as_bytes()[0].is_ascii_digit() { "NNN" } else { &expected[..3] };
        let is_listed = SENT_ON_SWITCHBOARD.iter().any(|(sent, _)| *sent == verb);
        assert!(is_listed, "{verb} is not in the table");
    }
}

#[test]
fn what_a_dialect_or_a_limit_forbids_is_not_sent() {
    let watch = Event::SynProperty { key: PropertyKey::WebWatch, value: "0" };
    assert_eq!(line(&watch, Dialect::Msnp9), "PRP WWE 0\r\n");
    assert_eq!(line(&watch, Dialect::Msnp8), "");
    assert_eq!(line(&Event::Not { head: "<a>", body: b"</a>" }, Dialect::Msnp8), "");
    assert_eq!(line(&Event::Ipg { document: "<a/>" }, Dialect::Msnp8), "");
    // As long as a client can have sent it, and not longer.
    let group = Group { id: GroupId::ZERO, name: Name::new(&"é".repeat(30)).unwrap() };
    assert_eq!(
        line(&Event::Lsg(&group), Dialect::Msnp9),
        format!("LSG 0 {} 0\r\n", "é".repeat(30))
    );
}

#[test]
fn groups_stand_only_on_forward_entries() {
    let mut contact = Contact {
        id: crate::model::AccountId(1),
        address: Address::parse("tomas@example.org").unwrap(),
        name: Name::new("Tomas").unwrap(),
        lists: ListBits(11),
        groups: GroupSet(0b11),
        properties: Properties::new(),
    };
    assert_eq!(
        line(&Event::Lst(&contact), Dialect::Msnp9),
        "LST tomas@example.org Tomas 11 0,1\r\n"
    );
    contact.lists = ListBits::REVERSE;
    assert_eq!(line(&Event::Lst(&contact), Dialect::Msnp9), "LST tomas@example.org Tomas 8\r\n");
}
