//! The PROXY protocol on real listeners: whose address counts, and who is hung up on.

use crate::support::{Client, TestServer, server::new_account};
use msnd::{config::Config, model::subnet::Subnet, server::Role};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// Carol's connection to port 1863 of the proxy at 198.51.100.1, in version 1.
const CAROL: &str = "PROXY TCP4 203.0.113.7 198.51.100.1 4000 1863\r\n";

fn trusting(config: &mut Config) {
    let range = Subnet::try_from("127.0.0.1".to_owned()).unwrap();
    config.net.proxy_protocol_from = vec![range];
}

fn server(change: impl FnOnce(&mut Config)) -> TestServer {
    let server = TestServer::start_with(|config| {
        trusting(config);
        change(config);
    });
    server.add(vec![new_account("carol@example.test")]);
    server
}

/// A ticket, asked for through the proxy.
fn ticket(server: &TestServer, header: &str) -> String {
    let mut stream = TcpStream::connect(server.address(Role::PassportHttp)).unwrap();
    let request = format!(
        "{header}GET /login2.srf HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in=carol%40example.test,pwd={},lc=1033,\
         id=507,tw=40,fs=1,ct=1,kpp=1,kv=11,ver=2.1.6000.1,tpf=0\r\nHost: login\r\n\r\n",
        crate::support::server::PASSWORD
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (_, rest) = response.split_once("from-PP='").unwrap_or_else(|| panic!("{response}"));
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Version 2, for a client at 203.0.113.7:4000 who reached 198.51.100.1:1863.
fn version_2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 7, 198, 51, 100, 1, 0x0f, 0xa0, 0x07, 0x47]);
    header
}

fn through(server: &TestServer, role: Role, header: &[u8]) -> Client {
    let mut client = Client::connect(server.address(role));
    client.send_bytes(header);
    client
}

#[test]
fn the_client_is_who_the_header_names() {
    let server = server(|_| {});
    for header in [CAROL.as_bytes(), &version_2()] {
        let mut carol = through(&server, Role::Notification, header);
        carol.send("VER 1 MSNP9 CVR0");
        assert!(carol.line().starts_with("VER 1 MSNP9"));
        carol.send("USR 2 TWN I carol@example.test");
        assert!(carol.line().starts_with("USR 2 TWN S "));
        carol.send(&format!("USR 3 TWN S {}", ticket(&server, CAROL)));
        assert!(carol.line().starts_with("USR 3 OK "));
        let (_, profile) = carol.message();
        assert!(profile.contains("\r\nClientIP: 203.0.113.7\r\n"), "{profile}");
        // The protocol writes the port's bytes the other way round.
        let port = 4000_u16.swap_bytes();
        assert!(profile.contains(&format!("\r\nClientPort: {port}\r\n")), "{profile}");
    }
}

#[test]
fn a_referral_leads_back_to_the_proxy() {
    let server = server(|config| {
        let any = "0.0.0.0:0".parse().unwrap();
        config.dispatch.bind = msnd::config::Bind::At(any);
        config.notification.bind = msnd::config::Bind::At(any);
    });
    let port = server.address(Role::Dispatch).port();
    let mut carol = Client::connect(([127, 0, 0, 1], port).into());
    carol.send_bytes(CAROL.as_bytes());
    carol.send("VER 1 MSNP9 CVR0");
    assert!(carol.line().starts_with("VER 1 MSNP9"));
    carol.send("USR 2 TWN I carol@example.test");
    let notification = server.address(Role::Notification).port();
    let line = carol.line();
    assert!(line.starts_with(&format!("XFR 2 NS 198.51.100.1:{notification} ")), "{line}");
}

#[test]
fn a_proxy_that_only_looks_is_served_as_itself() {
    let server = server(|_| {});
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for header in [&b"PROXY UNKNOWN\r\n"[..], local] {
        let mut proxy = through(&server, Role::Notification, header);
        proxy.ask("VER 1 MSNP8 CVR0", "VER 1 MSNP8 CVR0");
    }
}

#[test]
fn a_proxy_without_a_header_is_hung_up_on() {
    let server = server(|_| {});
    for header in ["VER 1 MSNP9 CVR0\r\n", "PROXY TCP4 203.0.113.7\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        for role in [Role::Notification, Role::PassportHttp, Role::Http] {
            through(&server, role, header.as_bytes()).expect_end();
        }
    }
}

#[test]
fn nobody_else_is_believed() {
    let server = TestServer::start();
    // To the notification role it is a command it does not know.
    through(&server, Role::Notification, CAROL.as_bytes()).expect_end();
}

#[test]
fn limits_count_clients_and_not_the_proxy() {
    let server = server(|config| config.limits.connections_per_address_max = 1);
    let header = |n: usize| format!("PROXY TCP4 203.0.113.{n} 198.51.100.1 4000 1863\r\n");
    let greeted = |n| {
        let mut client = through(&server, Role::Notification, header(n).as_bytes());
        client.send("VER 1 MSNP9 CVR0");
        client.line_or_end().map(|_| client)
    };
    let held: Vec<_> = (1..5).map(|n| greeted(n).unwrap()).collect();
    // Each of them has one already.
    assert!((1..5).all(|n| greeted(n).is_none()));
    drop(held);
}

#[test]
fn connections_whose_header_does_not_come_are_no_hindrance_to_a_shutdown() {
    let mut server = server(|_| {});
    let mut silent = through(&server, Role::Notification, b"PROXY TCP4 ");
    // The listener has both by now.
    let mut other = through(&server, Role::Notification, b"PROXY UNKNOWN\r\n");
    other.ask("VER 1 MSNP8 CVR0", "VER 1 MSNP8 CVR0");
    assert!(server.shut_down());
    silent.expect_end();
}
