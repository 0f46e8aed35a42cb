//! Contact list files of the official client, in and out.

use super::{failed, home_with, network, user};
use serde_json::json;

fn file(contacts: &[&str]) -> String {
    let contacts: String =
        contacts.iter().map(|c| format!("<contact type=\"1\">{c}</contact>\r\n")).collect();
    format!(
        "<?xml version=\"1.0\"?>\r\n<messenger>\r\n<service name=\".NET Messenger Service\">\r\n\
         <contactlist>\r\n{contacts}</contactlist>\r\n</service>\r\n</messenger>\r\n"
    )
}

#[test]
fn a_saved_list_comes_onto_the_forward_and_allow_list() {
    let home = network();
    let saved = file(&[
        "Carol@Example.test",
        "bob@example.test",
        "dave@example.test",
        "zed@example.test",
        "carol@example.test",
        "alice@example.test",
        "not an address",
    ]);
    let units = saved.encode_utf16().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(units).collect();
    std::fs::write(home.path().join("a.ctt"), bytes).unwrap();
    let said = home.ok("user contacts import alice@example.test a.ctt", "");
    assert_eq!(
        said,
        "carol@example.test: added\n\
         bob@example.test: there already\n\
         dave@example.test: added, but blocked, and stays so\n\
         zed@example.test: has no account here\n\
         alice@example.test: refused: is the account itself\n\
         \"not an address\": refused: no address: contains a character that is not allowed in an \
         address\n\
         2 added, 1 there already, 1 without an account here, 2 refused\n\
         alice@example.test sees them from the next sign-in on\n"
    );
    let alice = home.json("user show alice@example.test --json");
    let carol = &alice["contacts"][0];
    assert_eq!(carol["lists"], json!(["FL", "AL", "RL"]));
    // The name that alice gave her before she was on the forward list is replaced, as a client's
    // ADD would.
    assert_eq!(carol["name"], "carol@example.test");
    assert_eq!(alice["contacts"][1]["lists"], json!(["FL", "BL"]));
    let carol = home.json("user show carol@example.test --json");
    assert_eq!(carol["contacts"][0]["lists"], json!(["FL", "RL"]));

    let exported = home.ok("user contacts export alice@example.test", "");
    let people: Vec<_> =
        exported.lines().filter_map(|l| l.trim().strip_prefix("<contact>")).collect();
    assert_eq!(people, ["carol", "dave", "bob"].map(|who| format!("{who}@example.test</contact>")));
    let said = home.ok("user contacts export alice@example.test --out b.ctt", "");
    assert_eq!(said, "wrote 3 contacts\n");
    let said = home.ok("user contacts import alice@example.test b.ctt", "");
    assert!(
        said.ends_with("0 added, 3 there already, 0 without an account here, 0 refused\n"),
        "{said}"
    );
}

#[test]
fn a_full_list_takes_no_more() {
    let people = ["alice", "bob", "carol"].map(|who| user(&format!("{who}@example.test"), ""));
    let home = home_with(&[
        ("all.toml", &people.concat()),
        ("a.ctt", &file(&["bob@example.test", "carol@example.test"])),
    ]);
    home.ok("user import all.toml", "");
    let line = "user contacts import alice@example.test a.ctt --set limits.forward_list_max=1";
    let said = home.ok(line, "");
    assert!(said.contains("carol@example.test: refused: forward list: list full\n"), "{said}");
    assert!(said.contains("\n1 added, 0 there already, 0 without an account here, 1 refused\n"));
    assert_eq!(home.json("user show carol@example.test --json")["contacts"], json!([]));
}

#[test]
fn what_is_no_contact_list_changes_nothing() {
    let home = network();
    let bomb = "<!DOCTYPE m [<!ENTITY a \"x\">]><messenger><contactlist><contact>&a;</contact>\
                </contactlist></messenger>";
    std::fs::write(home.path().join("bomb.ctt"), bomb).unwrap();
    std::fs::write(home.path().join("page.ctt"), "<html></html>").unwrap();
    std::fs::write(home.path().join("big.ctt"), vec![b' '; 2 << 20]).unwrap();
    let before = home.ok("user export", "");
    for (name, says) in [
        ("bomb.ctt", "document type"),
        ("page.ctt", "not a contact list"),
        ("big.ctt", "longer than"),
        ("none.ctt", "cannot be read"),
    ] {
        let ran = home.run(&format!("user contacts import alice@example.test {name}"));
        failed(&ran, 78, &[name, says]);
    }
    let ran = home.run("user contacts import zed@example.test page.ctt");
    failed(&ran, 1, &["no account zed@example.test"]);
    assert_eq!(home.ok("user export", ""), before);
}
