//! The bundle byte by byte, as far as that can be told without a Windows.

use super::{batch, hosts::MARK, *};
use std::collections::BTreeSet;

fn authority() -> Authority {
    Authority {
        der: vec![0x30, 0x82, 0x0a, 0xff],
        name: "msnd private CA 1a2b3c4d".into(),
        sha1: "AB:CD:EF:01".into(),
        sha256: "12:34:56:78".into(),
    }
}

fn facts() -> Facts {
    let own = ["Chat.example.test".to_owned(), "g.msn.com".to_owned()];
    Facts::new(Ipv4Addr::new(192, 0, 2, 1), "chat.example.test", &own, authority()).unwrap()
}

fn item(name: &str) -> Item {
    bundle(&facts()).into_iter().find(|item| item.name == name).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(item(name).bytes).unwrap()
}

#[test]
fn every_text_is_ascii_with_the_line_ends_of_windows() {
    let items = bundle(&facts());
    let names: BTreeSet<_> = items.iter().map(|item| item.name).collect();
    assert_eq!((items.len(), names.len()), (10, 10));
    for Item { name, content_type, bytes } in items {
        if name == CA_CERTIFICATE {
            assert_eq!((bytes, content_type), (authority().der, "application/x-x509-ca-cert"));
            continue;
        }
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for line in lines {
            let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("{name}: {line:?}"));
            let plain = |byte: &u8| byte.is_ascii_graphic() || b" \t".contains(byte);
            assert!(text.iter().all(plain), "{name}: {}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn the_registry_file_is_one_that_windows_98_reads() {
    assert_eq!(
        text("remove-old-servers.reg"),
        "REGEDIT4\r\n\r\n\
         [HKEY_CURRENT_USER\\Software\\Microsoft\\MessengerService]\r\n\"Server\"=-\r\n\r\n\
         [HKEY_CURRENT_USER\\Software\\Microsoft\\MSNMessenger]\r\n\"Server\"=-\r\n\r\n"
    );
}

#[test]
fn the_hosts_block_leads_every_name_here_once() {
    let text = text("hosts.txt");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.contains(MARK)), "{text}");
    let led: Vec<&str> = lines
        .iter()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split('\t').collect();
            assert_eq!((words[0], words[2], words.len()), ("192.0.2.1", MARK, 3), "{line}");
            words[1]
        })
        .collect();
    assert_eq!(led[..13], SERVICE_NAMES);
    assert_eq!(led[13..], ["chat.example.test"]);
}

/// What the batch file does to a hosts file, as its two lines with `find` and `copy` say.
fn applied(hosts: &str) -> String {
    text("hosts.txt") + &taken_back(hosts)
}

fn taken_back(hosts: &str) -> String {
    hosts.split_inclusive('\n').filter(|line| !line.contains(MARK)).collect()
}

#[test]
fn applying_twice_is_applying_once_and_undo_restores() {
    let batch = text("setup.bat");
    for line in [
        "find /v \"#msnd-setup\" < %ETC%\\hosts > %ETC%\\msnd.tmp\r\n",
        "copy /y /b hosts.txt+%ETC%\\msnd.tmp %ETC%\\hosts > nul\r\n",
        "type %ETC%\\msnd.tmp > %ETC%\\hosts\r\n",
    ] {
        assert!(batch.contains(line), "{line}");
    }
    let before = "127.0.0.1\tlocalhost\r\n198.51.100.9 nexus.passport.com\r\n";
    let once = applied(before);
    // Windows takes the first line that names a host.
    assert!(once.find("192.0.2.1\tnexus") < once.find("198.51.100.9"));
    assert_eq!(applied(&once), once);
    assert_eq!(taken_back(&once), before);
}

#[test]
fn the_batch_file_is_one_that_command_com_reads() {
    let longest = Authority { name: "c".repeat(64), sha1: ["AB"; 20].join(":"), ..authority() };
    let longest = Facts::new(Ipv4Addr::LOCALHOST, &"h".repeat(80), &[], longest).unwrap();
    let long = batch::file(&longest);
    // COMMAND.COM reads no more, and cuts off what is longer without a word.
    assert!(long.lines().all(|line| line.len() <= 126), "{long}");
    let batch = text("setup.bat");
    assert!(batch.starts_with("@echo off\r\n"));
    let mut labels = BTreeSet::new();
    for line in batch.lines() {
        assert!(line.len() <= 110, "{line}");
        let command = line.trim_start();
        let spoken = ["echo ", "rem "].iter().any(|word| command.starts_with(word));
        for foreign in ["2>", "&&", "||", " else ", "setlocal", "%~n", "call ", "/i ", "&"] {
            assert!(spoken || !line.contains(foreign), "{foreign}: {line}");
        }
        assert!(!spoken || line.contains("echo test>") || !line.contains(['<', '>', '|', '&']));
        if let Some(label) = command.strip_prefix(':') {
            // All that COMMAND.COM looks at.
            assert!(labels.insert(label.chars().take(8).collect::<String>()), "{label}");
        }
        assert!(!line.contains(['{', '}']), "{line}");
    }
    for line in batch.lines() {
        if let Some((_, label)) = line.split_once("goto ") {
            let label: String = label.chars().take(8).collect();
            assert!(labels.contains(&label), "{line}");
        }
    }
    for part in [
        "certutil -addstore -f Root msnd-ca.crt\r\n",
        "certutil -delstore Root ABCDEF01\r\n",
        "regedit /s remove-old-servers.reg\r\n",
        "start msnd-ca.crt\r\n",
        "goto noadmin\r\n",
        "set ETC=%SystemRoot%\\system32\\drivers\\etc\r\n",
        "msnd private CA 1a2b3c4d\r\n",
    ] {
        assert!(batch.contains(part), "{part}");
    }
    assert_eq!(batch::FILE, "setup.bat");
}

#[test]
fn pages_are_html_that_internet_explorer_5_reads() {
    const KNOWN: [&str; 21] = [
        "HTML", "HEAD", "TITLE", "BODY", "H1", "H2", "P", "UL", "OL", "LI", "A", "B", "I", "CODE",
        "TABLE", "TR", "TH", "TD", "!DOCTYPE", "BR", "HR",
    ];
    let items = bundle(&facts());
    let names: BTreeSet<_> = items.iter().map(|item| item.name).collect();
    for page in items.iter().filter(|item| item.content_type == "text/html") {
        let text = String::from_utf8(page.bytes.clone()).unwrap();
        let mut open = Vec::new();
        for piece in text.split('<').skip(1) {
            let (tag, _) = piece.split_once('>').unwrap();
            let name = tag.split_whitespace().next().unwrap();
            let plain = name.trim_start_matches('/');
            assert!(KNOWN.contains(&plain), "{}: {tag}", page.name);
            if name.starts_with('/') {
                assert_eq!(open.pop(), Some(plain), "{}: {tag}", page.name);
            } else if !["LI", "!DOCTYPE", "BR", "HR"].contains(&name) {
                open.push(plain);
            }
            if let Some(target) = tag.strip_prefix("A HREF=\"") {
                assert!(names.contains(target.trim_end_matches('"')), "{}: {tag}", page.name);
            }
        }
        assert!(open.is_empty(), "{}: {open:?}", page.name);
        assert!(text.contains("chat.example.test"), "{}", page.name);
        assert!(text.contains("AB:CD:EF:01"), "{}: no fingerprint", page.name);
    }
}

#[test]
fn each_generation_has_its_paths_and_every_error_number() {
    for (page, hosts) in [
        ("win98.htm", "C:\\WINDOWS\\hosts"),
        ("win2000.htm", "system32\\drivers\\etc\\hosts"),
        ("winxp.htm", "system32\\drivers\\etc\\hosts"),
        ("win7.htm", "Run as administrator"),
        ("win10.htm", "TLS 1.2"),
    ] {
        let text = text(page);
        assert!(text.contains(hosts), "{page}: {hosts}");
        for number in [
            "80048821", "81000306", "81000314", "80072ee7", "80072efd", "80072f05", "80072f06",
            "80072f0d", "80072f19", "80072745",
        ] {
            assert!(text.contains(number), "{page}: {number}");
        }
    }
}

#[test]
fn the_other_ways_are_told_and_led_to() {
    let index = text("index.htm");
    for part in ["patched", "messenger.hotmail.com", "1863", "aMSN", "proxy", "By hand"] {
        assert!(index.contains(part), "{part}");
    }
    for windows in &guide::GENERATIONS {
        assert!(text(windows.file).contains("<A HREF=\"index.htm\">Other ways</A>"));
    }
}

#[test]
fn nothing_that_could_break_out_of_a_file_gets_in() {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    for host in ["a b", "a&b", "a\r\nb", "%PATH%", "<b>", "", "[::1]", &"x".repeat(81)] {
        assert!(Facts::new(address, host, &[], authority()).is_err(), "{host}");
        assert!(Facts::new(address, "host", &[host.to_owned()], authority()).is_err(), "{host}");
    }
    for address in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
        assert!(Facts::new(address, "host", &[], authority()).is_err(), "{address}");
    }
    for name in ["a & del", &"c".repeat(65)] {
        let named = Authority { name: name.into(), ..authority() };
        assert!(Facts::new(address, "host", &[], named).is_err());
    }
    let many = vec!["a.example.test".to_owned(); 33];
    assert!(Facts::new(address, "host", &many, authority()).is_err());
}
