//! The metrics: their form, and that they count what happens, each server its own.

use super::{ALICE, BOB, CAROL, http::Door, server};
use crate::support::{Client, TestServer, until};
use msnd::{
    net::tls::{KeyKind, TlsServer},
    server::Role,
};
use std::{collections::BTreeSet, net::TcpStream};

#[test]
fn the_text_is_well_formed_open_metrics() {
    let (server, door) = server(|_| {});
    let _alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let answer = door.get("/metrics");
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text;"));
    let (mut known, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let text = answer.body.strip_suffix("# EOF\n").unwrap();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            assert!(!words.next().unwrap().is_empty(), "{line}");
            known.insert(name.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        assert!(seen.insert(series.to_owned()), "{series} is there twice");
        let name = series.split('{').next().unwrap();
        let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
        let is_known = suffixes
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|name| known.contains(name)));
        assert!(is_known, "nothing tells what {name} is");
    }
    let build = format!("msnd_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(answer.body.contains(&build), "{}", answer.body);
    assert!(door.metric("process_start_time_seconds") > 1_700_000_000.0);
}

#[test]
fn sign_ins_and_sessions_are_counted() {
    let (server, door) = server(|_| {});
    let accepted = |role| format!("msnd_sign_ins_total{{role=\"{role}\",result=\"accepted\"}}");
    let sessions =
        |dialect| format!("msnd_sessions{{role=\"notification\",dialect=\"{dialect}\"}}");
    let alice = Client::sign_in(&server, "MSNP9", ALICE);
    let mut bob = Client::sign_in(&server, "MSNP8", BOB);
    assert_eq!(door.metric(&accepted("passport")), 2.0);
    assert_eq!(door.metric(&accepted("notification")), 2.0);
    assert_eq!(door.metric(&sessions("MSNP9")), 1.0);
    assert_eq!(door.metric(&sessions("MSNP8")), 1.0);
    assert_eq!(door.metric("msnd_accounts_online"), 2.0);
    assert_eq!(door.metric("msnd_connections{role=\"notification\"}"), 2.0);
    assert_eq!(door.metric("msnd_password_verifications_total"), 2.0);
    assert_eq!(door.metric("msnd_password_queue_depth"), 0.0);
    assert!(door.metric("msnd_store_read_seconds_count{operation=\"sign_in\"}") >= 2.0);
    bob.ask("OUT", "OUT");
    bob.expect_end();
    drop(alice);
    until(|| door.metric("msnd_connections{role=\"notification\"}") == 0.0);
    assert_eq!(door.metric(&sessions("MSNP8")), 0.0);
    assert_eq!(door.metric("msnd_accounts_online"), 0.0);
    let ended =
        |reason| format!("msnd_session_ends_total{{role=\"notification\",reason=\"{reason}\"}}");
    assert_eq!(door.metric(&ended("out")), 1.0);
    assert_eq!(door.metric(&ended("peer_closed")), 1.0);
}

#[test]
fn refusals_are_counted_by_their_reason() {
    let (server, door) = server(|_| {});
    let mut alice = Client::greet(&server, "MSNP9", ALICE);
    alice.ask("USR 3 TWN S t=worthless&p=", "911 3");
    alice.expect_end();
    let refused = |role, reason| {
        format!("msnd_sign_in_refusals_total{{role=\"{role}\",reason=\"{reason}\"}}")
    };
    assert_eq!(door.metric(&refused("notification", "bad_ticket")), 1.0);
    assert_eq!(door.metric("msnd_sign_ins_total{role=\"notification\",result=\"refused\"}"), 1.0);
    assert_eq!(door.metric("msnd_errors_total{role=\"notification\",code=\"911\"}"), 1.0);
    let mut login = TcpStream::connect(server.address(Role::PassportHttp)).unwrap();
    let request = "GET /login2.srf HTTP/1.1\r\nAuthorization: Passport1.4 \
                   sign-in=alice%40example.test,pwd=wrong\r\n\r\n";
    std::io::Write::write_all(&mut login, request.as_bytes()).unwrap();
    std::io::Read::read_to_end(&mut login, &mut Vec::new()).unwrap();
    assert_eq!(door.metric(&refused("passport", "wrong_password")), 1.0);
}

#[test]
fn connections_above_a_limit_are_counted() {
    let (server, door) = server(|config| config.limits.connections_per_address_max = 1);
    let _first = TcpStream::connect(server.address(Role::Dispatch)).unwrap();
    let mut second = Client::connect(server.address(Role::Dispatch));
    second.expect_end();
    let reason = "msnd_connection_refusals_total{reason=\"connections_per_address_max\"}";
    assert_eq!(door.metric(reason), 1.0);
}

#[test]
fn gateway_sessions_above_the_limit_are_counted() {
    let (server, door) = server(|_| {});
    let mut http = TcpStream::connect(server.address(Role::Http)).unwrap();
    let request = "POST /gateway/gateway.dll?Action=open&Server=NS HTTP/1.1\r\n\
                   Content-Length: 0\r\n\r\n";
    let requests = request.repeat(65) + "GET / HTTP/1.0\r\n\r\n";
    std::io::Write::write_all(&mut http, requests.as_bytes()).unwrap();
    std::io::Read::read_to_end(&mut http, &mut Vec::new()).unwrap();
    let reason = "msnd_connection_refusals_total{reason=\"gateway_sessions\"}";
    assert_eq!(door.metric(reason), 1.0);
}

#[test]
fn a_change_of_status_is_one_delivery_for_each_watcher() {
    let (server, door) = server(|_| {});
    let mut watchers: Vec<_> = [BOB, CAROL]
        .map(|user| {
            let mut client = Client::present(&server, "MSNP9", user, "NLN");
            client.send("ADD 9 FL alice@example.test Alice");
            client.drain();
            client
        })
        .into();
    assert_eq!(door.metric("msnd_list_edits_total{kind=\"add\"}"), 2.0);
    assert_eq!(
        door.metric("msnd_store_commit_seconds_count"),
        door.metric("msnd_store_commit_jobs_count")
    );
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let deliveries = || door.metric("msnd_presence_deliveries_total");
    let commands = |verb| {
        door.metric(&format!("msnd_commands_total{{role=\"notification\",verb=\"{verb}\"}}"))
    };
    let before = (deliveries(), commands("CHG"), commands("PNG"));
    alice.ask("CHG 8 BSY", "CHG 8 BSY");
    alice.ask("CHG 9 NLN", "CHG 9 NLN");
    alice.send("PNG");
    assert!(alice.line().starts_with("QNG"));
    let after = (deliveries(), commands("CHG"), commands("PNG"));
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (4.0, 2.0, 1.0));
    assert_eq!(door.metric("msnd_watches"), 2.0);
    for watcher in &mut watchers {
        watcher.drain();
    }
}

#[test]
fn nothing_that_a_peer_sends_becomes_a_label() {
    let (server, door) = server(|_| {});
    let mut client = Client::greet(&server, "MSNP9", ALICE);
    client.send("XYZ 3 hush");
    client.expect_end();
    let text = door.get("/metrics").body;
    assert!(!text.contains("XYZ") && !text.contains("hush"), "{text}");
    let ended = "msnd_session_ends_total{role=\"notification\",reason=\"unknown_command\"} 1\n";
    assert!(text.contains(ended), "{text}");
}

#[test]
fn two_servers_in_one_process_count_apart() {
    let ((one, one_door), (other, other_door)) = (server(|_| {}), server(|_| {}));
    let _alice = Client::present(&one, "MSNP9", ALICE, "NLN");
    assert_eq!(one_door.metric("msnd_accounts_online"), 1.0);
    for name in [
        "msnd_accounts_online",
        "msnd_commands_total{role=\"notification\",verb=\"CHG\"}",
        "msnd_password_verifications_total",
        "msnd_store_read_seconds_count{operation=\"sign_in\"}",
    ] {
        assert_eq!(other_door.metric(name), 0.0, "{name}");
    }
    drop(other);
}

#[test]
fn a_dropped_session_is_counted_as_an_overflow() {
    let (server, door) = server(|config| config.limits.inbox_events_max = 16);
    assert_eq!(door.metric("msnd_inbox_overflows_total"), 0.0);
    let hub = server.running().hub().clone();
    let _alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    // Now and then the session has no turn between two of them.
    until(|| {
        for minutes in 1..=100 {
            hub.announce(minutes);
        }
        door.metric("msnd_inbox_overflows_total") == 1.0
    });
}

#[test]
fn the_end_of_the_certificate_is_told() {
    let names = ["login.example.test".into()];
    let tls = TlsServer::in_memory(&names, KeyKind::P256).unwrap();
    let end = tls.certificates().unwrap()[0].expires_at_secs;
    let server = TestServer::start_with_tls(Some(tls), |config| {
        config.passport.https_bind = config.passport.http_bind;
    });
    let door = Door::Socket(server.running().admin_socket().unwrap().to_path_buf());
    assert_eq!(door.metric("msnd_certificate_end_seconds{clients=\"modern\"}"), end as f64);
    assert!(!door.get("/metrics").body.contains("clients=\"legacy\""));
}
