//! README, what the server prints, and the files for users of Windows name the same things, and
//! what they name is there.

use super::{
    Computer, README,
    computer::{Tls, get},
    home,
};
use crate::process::child::{FREE_PORTS, Home};
use msnd::setup::{CERTIFIED_NAMES, SERVICE_NAMES};
use std::{fs, time::Duration};
use tokio::time::Instant;

/// How long a client waits for a name before its user does.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// How often a name may miss that time, since other tests run beside this one.
const ATTEMPTS: usize = 3;

#[test]
fn readme_leads_every_name_here() {
    let lines: Vec<Vec<&str>> = README
        .lines()
        .filter_map(|line| line.strip_prefix("192.0.2.1  "))
        .map(|names| names.split(' ').collect())
        .collect();
    // Windows reads no more than nine names of a line.
    assert!(lines.iter().all(|names| names.len() <= 9), "{lines:?}");
    assert_eq!(lines.concat(), SERVICE_NAMES);
}

#[test]
fn every_name_in_the_hosts_lines_is_answered_within_a_second() {
    let home = home();
    home.manage("cert init --name chat.example.org", "");
    let server = home.keeping(&[]);
    let mut computer = Computer::new(&server);
    computer.set_up();
    let names: Vec<String> = computer.names().map(str::to_owned).collect();
    assert_eq!(names.len(), SERVICE_NAMES.len());
    for name in &names {
        let page = || computer.http(name, &get("/", name));
        let answer = in_time(name, &page);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {answer}");
        if SERVICE_NAMES[..CERTIFIED_NAMES].contains(&name.as_str()) {
            let nexus = || computer.https(name, Tls::Today, &get("/rdr/pprdr.asp", name));
            let answer = in_time(name, &nexus);
            assert!(answer.contains(&format!("DALogin={name}/login2.srf,")), "{name}: {answer}");
        }
    }
    in_time("dispatch", &|| {
        let mut ds = computer.dial("messenger.hotmail.com:1863");
        ds.ask("VER 1 MSNP8 CVR0", "VER 1 MSNP8 CVR0");
        String::new()
    });
}

fn in_time(name: &str, ask: &dyn Fn() -> String) -> String {
    for _ in 0..ATTEMPTS {
        let start = Instant::now();
        let answer = ask();
        if start.elapsed() < ANSWER_TIME {
            return answer;
        }
    }
    panic!("{name} is slow");
}

/// Whether the operator hands the folder out or the server its pages, users get the same.
#[test]
fn the_folder_and_the_page_hold_the_same_files() {
    let home = home();
    home.manage("cert init", "");
    let folder = home.data_dir().join("for-users");
    home.manage(&format!("client-setup --host 127.0.0.1 --out {}", folder.display()), "");
    let server = home.keeping(&[]);
    let computer = Computer::new(&server);
    let mut files = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "msnd-ca.crt" {
            continue;
        }
        let answer = computer.http("127.0.0.1", &get(&format!("/setup/{name}"), "127.0.0.1"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {head}");
        assert_eq!(body, fs::read_to_string(&path).unwrap(), "{name}");
        files += 1;
    }
    assert_eq!(files, 9);
    // What the batch file takes for granted lies beside it.
    let batch = fs::read_to_string(folder.join("setup.bat")).unwrap();
    for name in ["hosts.txt", "msnd-ca.crt", "remove-old-servers.reg"] {
        assert!(batch.contains(name) && folder.join(name).exists(), "{name}");
    }
}

#[test]
fn the_server_prints_what_to_do_and_what_is_in_the_way() {
    let home = Home::new();
    home.manage("cert init", "");
    let data_dir = home.data_dir();
    let mut arguments = vec!["--data-dir", data_dir.to_str().unwrap()];
    arguments.extend(FREE_PORTS.iter().flat_map(|option| ["--set", option]));
    let mut server = home.spawn(&arguments);
    let mut printed = Vec::new();
    while printed.last().is_none_or(|line: &String| !line.starts_with("Ctrl-C ")) {
        printed.push(server.out_line());
    }
    let lines = printed.iter().filter_map(|line| line.trim().strip_prefix("192.0.2.1  "));
    let names: Vec<&str> = lines.flat_map(|names| names.split(' ')).collect();
    assert_eq!(names, SERVICE_NAMES);
    let text = printed.join("\n");
    for part in [
        "user add --data-dir ",
        "certificates/ca.pem (`msnd client-setup`",
        "/setup",
        "But dispatch is on port ",
        "But Passport is on port ",
        "But web pages are on port ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
