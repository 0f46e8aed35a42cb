//! Documents byte for byte, and read back by a parser.

use super::*;
use crate::model::alert::{AlertParts, PAGE_TEXT_CHARS_MAX};
use proptest::prelude::*;

fn maya() -> Address {
    Address::parse("maya@example.org").unwrap()
}

fn to(address: &Address) -> Recipient<'_> {
    Recipient { member_id: 65536 << 32 | 1842, address, site_url: "http://www.example.org" }
}

/// The example of the reference, 449 bytes.
#[test]
fn an_alert_is_written_like_the_example() {
    let alert = Alert::new(AlertParts {
        site_id: 111_100_200,
        site_url: Some("http://calendar.example.org".into()),
        action_url: "/day.html?d=20031221".into(),
        subscribe_url: "/settings.html".into(),
        icon: Some("/bell_32.png".into()),
        html: Some("<P>Dentist at <B>14:00</B></P>".into()),
        ..AlertParts::general("Dentist at 14:00", 1033)
    });
    let (id, alert, address) = (AlertId(41), alert.unwrap(), maya());
    let document = alert_head(id, &alert, &to(&address)) + &alert_body(id, &alert);
    let lines = [
        r#"<NOTIFICATION ver="1" id="41" siteid="111100200" siteurl="http://calendar.example.org">"#,
        r#"  <TO pid="0x00010000:0x00000732" name="maya@example.org"/>"#,
        r#"  <MSG pri="1" id="41">"#,
        r#"    <ACTION url="/day.html?d=20031221"/>"#,
        r#"    <SUBSCR url="/settings.html"/>"#,
        r#"    <BODY lang="1033" icon="/bell_32.png">"#,
        r"      <TEXT>Dentist at 14:00</TEXT>",
        r"      <TEXTX>&lt;P&gt;Dentist at &lt;B&gt;14:00&lt;/B&gt;&lt;/P&gt;</TEXTX>",
        r"    </BODY>",
        r"  </MSG>",
        r"</NOTIFICATION>",
    ];
    assert_eq!(document, lines.join("\r\n"));
    assert_eq!(document.len(), 449);
}

#[test]
fn what_is_not_given_is_left_out() {
    let (id, alert) = (AlertId(7), Alert::new(AlertParts::general("Hi", 1053)).unwrap());
    let address = maya();
    let head = alert_head(id, &alert, &to(&address));
    assert!(head.contains(r#" siteid="199999999" siteurl="http://www.example.org">"#), "{head}");
    let body = alert_body(id, &alert);
    assert!(
        body.contains("<BODY lang=\"1053\">\r\n      <TEXT>Hi</TEXT>\r\n    </BODY>"),
        "{body}"
    );
}

#[test]
fn a_page_names_its_sender() {
    let tomas = Address::parse("tomas@example.org").unwrap();
    let late = Page::new(tomas, "Running late & <sorry>").unwrap();
    let address = maya();
    let lines = [
        r#"<NOTIFICATION ver="1" id="0" siteid="111100400" siteurl="http://www.example.org">"#,
        r#"  <TO pid="0x00010000:0x00000732" name="maya@example.org">"#,
        r#"    <VIA agent="mobile"/>"#,
        r"  </TO>",
        r#"  <FROM name="tomas@example.org"/>"#,
        r#"  <MSG pri="1" id="0">"#,
        r#"    <CAT id="110110001"/>"#,
        r#"    <ACTION url="/mobile?a=1&amp;b=2"/>"#,
        r#"    <SUBSCR url="/mobile?a=1&amp;b=2"/>"#,
        r#"    <BODY lang="1033">"#,
        r"      <TEXT>Running late &amp; &lt;sorry&gt;</TEXT>",
        r"    </BODY>",
        r"  </MSG>",
        r"</NOTIFICATION>",
    ];
    assert_eq!(page(&late, 1033, "/mobile?a=1&b=2", &to(&address)), lines.join("\r\n"));
}

#[test]
fn pages_of_clients_are_understood() {
    let text = |payload: &str| page_text(payload.as_bytes());
    let late = "<TEXT xml:space=\"preserve\" enc=\"utf-8\">Running late</TEXT>";
    assert_eq!(late.len(), 58);
    assert_eq!(text(late).as_deref(), Ok("Running late"));
    let phone = "<PHONE pri=\"1\"><LOC>1&#x3b;</LOC><NUM>555</NUM></PHONE>";
    assert_eq!(text(&format!("{phone}\r\n{late}")).as_deref(), Ok("Running late"));
    let escaped = "<TEXT>a &#x26; b &#x3B; &#x3c;&#x3E; &#x5e; &amp;</TEXT>";
    assert_eq!(text(escaped).as_deref(), Ok("a & b ; <> ^ &"));
    assert_eq!(text("<TEXT></TEXT>").as_deref(), Ok(""));
}

#[test]
fn other_documents_are_no_pages() {
    for payload in [
        "",
        "Running late",
        "<TEXT>",
        "<TEXT>a</TEXT",
        "<TEXT>a</TEXTX>",
        "<TEXT>a<B>b</B></TEXT>",
        "<TEXT>a</TEXT>b",
        "<TEXT>a</TEXT><TEXT>b</TEXT>",
        "<TEXT>a</TEXT><PHONE></PHONE>",
        "<TEXT>a & b</TEXT>",
        "<TEXT>&bomb;</TEXT>",
        "<TEXT>&#x0;</TEXT>",
        "<TEXT a=b>a</TEXT>",
        "<TEXT><![CDATA[a]]></TEXT>",
        "<!DOCTYPE TEXT><TEXT>a</TEXT>",
        "<?xml version=\"1.0\"?><TEXT>a</TEXT>",
        "<!-- a --><TEXT>a</TEXT>",
        "<LOC>a</LOC><TEXT>a</TEXT>",
        "<PHONE>a</PHONE><TEXT>a</TEXT>",
        "<PHONE pri=\"1\"><NUM>1</NUM></PHONE>",
        "&amp;<TEXT>a</TEXT>",
    ] {
        assert_eq!(page_text(payload.as_bytes()), Err(BadPage), "{payload}");
    }
    assert_eq!(page_text(b"<TEXT>\xff</TEXT>"), Err(BadPage));
}

/// Attributes and texts of a document, by path.
fn read(document: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(document);
    let (mut path, mut values) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        let mut add = |path: &[String], key: &str, value: &str| {
            let at = format!("{}{key}", path.join("/"));
            match values.last_mut() {
                Some((last, text)) if *last == at && key.is_empty() => *text += value,
                _ => values.push((at, value.to_owned())),
            }
        };
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                path.push(start.name().as_ref().to_owned());
                for attribute in start.attributes() {
                    let attribute = attribute.unwrap();
                    let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                    add(&path, &format!("@{}", attribute.key.as_ref()), &value);
                }
                if matches!(event, Event::Empty(_)) {
                    path.pop();
                }
            }
            Event::End(_) => drop(path.pop()),
            Event::Text(text) if path.last().is_some_and(|name| name.starts_with("TEXT")) => {
                add(&path, "", &text);
            }
            Event::GeneralRef(entity) => add(&path, "", &resolve(&entity).unwrap()),
            Event::Text(text) => assert_eq!(text.trim(), ""),
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(path.is_empty());
    values
}

fn value(values: &[(String, String)], path: &str) -> Option<String> {
    values.iter().find(|(at, _)| at == path).map(|(_, value)| value.clone())
}

proptest! {
    #[test]
    fn a_parser_finds_in_an_alert_what_was_put_in(
        (text, html) in ("[\\PC\n]{1,60}", proptest::option::of("[\\PC\n<>&'\"]{1,60}")),
        urls in ("/[!-~]{0,30}", "/[!-~]{0,30}", proptest::option::of("/[!-~]{0,30}")),
        site_url in proptest::option::of("http://[a-z&=?/]{1,20}"),
        (site_id, lang, priority) in (any::<u32>(), 1u16.., 1u8..10),
        (id, member_id) in (any::<u64>(), any::<u64>()),
    ) {
        let parts = AlertParts {
            site_id,
            site_url,
            action_url: urls.0,
            subscribe_url: urls.1,
            icon: urls.2,
            lang,
            priority,
            text,
            html,
        };
        let Ok(alert) = Alert::new(parts) else { return Ok(()) };
        let (id, parts, address) = (AlertId(id), alert.parts().clone(), maya());
        let to = Recipient { member_id, ..to(&address) };
        let values = read(&(alert_head(id, &alert, &to) + &alert_body(id, &alert)));
        let at = |path: &str| value(&values, path);
        let body = "NOTIFICATION/MSG/BODY";
        prop_assert_eq!(at("NOTIFICATION@id"), Some(id.to_string()));
        prop_assert_eq!(at("NOTIFICATION@siteid"), Some(site_id.to_string()));
        let site_url = parts.site_url.unwrap_or_else(|| to.site_url.to_owned());
        prop_assert_eq!(at("NOTIFICATION@siteurl"), Some(site_url));
        let pid = at("NOTIFICATION/TO@pid").unwrap();
        let halves = pid.strip_prefix("0x").unwrap().split_once(":0x").unwrap();
        let half = |digits| u64::from_str_radix(digits, 16).unwrap();
        prop_assert_eq!(half(halves.0) << 32 | half(halves.1), member_id);
        prop_assert_eq!(at("NOTIFICATION/TO@name"), Some("maya@example.org".to_owned()));
        prop_assert_eq!(at("NOTIFICATION/MSG@pri"), Some(priority.to_string()));
        prop_assert_eq!(at("NOTIFICATION/MSG@id"), Some(id.to_string()));
        prop_assert_eq!(at("NOTIFICATION/MSG/ACTION@url"), Some(parts.action_url));
        prop_assert_eq!(at("NOTIFICATION/MSG/SUBSCR@url"), Some(parts.subscribe_url));
        prop_assert_eq!(at(&format!("{body}@lang")), Some(lang.to_string()));
        prop_assert_eq!(at(&format!("{body}@icon")), parts.icon);
        prop_assert_eq!(at(&format!("{body}/TEXT")), Some(parts.text));
        prop_assert_eq!(at(&format!("{body}/TEXTX")), parts.html);
    }

    #[test]
    fn a_parser_finds_in_a_page_what_was_put_in(text in "[\\PC\n<>&;^]{1,80}") {
        let sender = Address::parse("bob@example.test").unwrap();
        let Ok(made) = Page::new(sender, &text) else { return Ok(()) };
        let address = maya();
        let values = read(&page(&made, 1033, "/m", &to(&address)));
        let (from, text) = ("NOTIFICATION/FROM@name", "NOTIFICATION/MSG/BODY/TEXT");
        prop_assert_eq!(value(&values, from), Some("bob@example.test".to_owned()));
        prop_assert_eq!(value(&values, text), Some(made.text().to_owned()));
    }

    #[test]
    fn no_payload_panics(payload in proptest::collection::vec(any::<u8>(), 0..PAGE_TEXT_CHARS_MAX)) {
        let _ = page_text(&payload);
    }
}
