//! The web front over real sockets: buttons of the client from `URL` to the page, one listener for
//! two services, and peers that mean it no good.

use crate::support::{
    Client, TestServer,
    client::PATIENCE,
    server::{loopback, new_account, ticket},
};
use msnd::{
    config::{Bind, Config},
    http1::{HEAD_BYTES_MAX, LINE_BYTES_MAX},
    server::Role,
};
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

const ALICE: &str = "alice@example.test";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything up to the end of the stream; a reset counts as one.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server did not hang up: {error}"),
    }
    String::from_utf8(bytes).unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

/// Where a browser that is told `url` connects, and what it asks for there.
fn followed(url: &str) -> (SocketAddr, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.parse().unwrap(), format!("/{path}"))
}

fn get(url: &str) -> String {
    let (address, path) = followed(url);
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

fn post(url: &str, form: &str) -> String {
    let (address, path) = followed(url);
    let length = form.len();
    ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n\
             {form}"
        ),
    )
}

fn location(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
    answer.split_once("\r\nLocation: ").unwrap().1.split("\r\n").next().unwrap()
}

#[test]
fn every_button_of_the_client_leads_to_a_page_here() {
    let server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::greet(&server, "MSNP9", ALICE);
    alice.send(&format!("USR 3 TWN S {}", server.ticket(ALICE)));
    assert!(alice.line().starts_with("USR 3 OK "));
    let (_, profile) = alice.message();
    let auth = profile.split_once("\r\nMSPAuth: ").unwrap().1.split("\r\n").next().unwrap();
    let auth = auth.replace('!', "%21").replace('$', "%24");

    for service in Config::default().urls.services {
        let name = &service.name;
        alice.send(&format!("URL 4 {name} argument"));
        let line = alice.line_but_challenge();
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, page, login, site] = words[..] else { panic!("{line}") };
        let direct = get(page);
        assert!(
            direct.starts_with("HTTP/1.1 200 OK\r\n") && direct.contains("<TITLE>"),
            "{direct}"
        );

        let form = |auth: &str, sl: u64| {
            let rru = page.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F");
            format!(
                "mode=ttl&login=alice&username=alice%40example.test&sid=507&kv=11&auth={auth}&\
                 id={site}&sl={sl}&rru={rru}&creds=00112233445566778899aabbccddeeff&svc=mail&js=yes"
            )
        };
        let path = followed(page).1;
        let path = path.split('?').next().unwrap();
        assert_eq!(location(&post(login, &form(&auth, 1))), path, "{name}");
        assert_eq!(location(&post(login, &form(&auth, 9999))), "/", "{name}");
        assert_eq!(location(&post(login, &form("somebody", 1))), "/", "{name}");
    }
}

#[test]
fn one_listener_serves_web_and_passport_if_both_have_its_address() {
    // An address of this process's own, so that the port is free.
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let address = SocketAddr::from(([127, high, low, 77], 8077));
    let server = TestServer::start_with(|config| {
        config.web.bind = Bind::At(address);
        config.passport.http_bind = Bind::At(address);
    });
    server.add(vec![new_account(ALICE)]);
    assert_eq!(server.address(Role::Http), address);
    assert_eq!(server.address(Role::PassportHttp), address);
    let nexus = ask(address, "GET /rdr/pprdr.asp\r\n\r\n");
    assert!(
        nexus.contains(&format!("\r\nPassportURLs: DARealm=Passport.Net,DALogin={}", address.ip()))
    );
    let page = ask(address, "GET /help HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(page.contains("<TITLE>"), "{page}");
    assert!(ticket(address, ALICE).starts_with("t="));
    Client::sign_in(&server, "MSNP9", ALICE);
}

#[test]
fn the_front_alone_takes_no_password() {
    let server = TestServer::with_users(&[ALICE]);
    let address = server.address(Role::Http);
    assert_ne!(address, server.address(Role::PassportHttp));
    let answer = ask(
        address,
        "GET /login2.srf HTTP/1.1\r\nHost: login\r\n\
         Authorization: Passport1.4 sign-in=alice%40example.test,pwd=secret\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(!answer.contains("Authenti") && !answer.contains("PassportURLs"), "{answer}");
}

#[test]
fn without_a_front_nothing_listens() {
    let server = TestServer::start_with(|config| config.web.bind = Bind::Off);
    assert_eq!(server.running().address(Role::Http), None);
    assert!(matches!(loopback().web.bind, Bind::At(_)), "others have one");
}

#[test]
fn who_trickles_is_left() {
    let server = TestServer::start_with(|config| config.timers.http_request_secs = 1);
    let address = server.address(Role::Http);
    for sent in
        ["", "GET /help HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nauth="]
    {
        let mut slow = connect(address);
        slow.write_all(sent.as_bytes()).unwrap();
        assert_eq!(rest(&mut slow), "", "{sent}");
    }
    // A byte now and then buys no time.
    let mut slow = connect(address);
    slow.write_all(b"GET /help HTTP/1.1\r\nX: ").unwrap();
    let mut writing = slow.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        while writing.write_all(b"x").is_ok() {
            std::thread::yield_now();
        }
    });
    let answer = rest(&mut slow);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    slow.shutdown(Shutdown::Both).ok();
    writer.join().unwrap();
}

#[test]
fn what_is_too_much_is_refused_and_harms_nobody() {
    let server = TestServer::with_users(&[ALICE]);
    let address = server.address(Role::Http);
    for request in [
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(LINE_BYTES_MAX)),
        format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(HEAD_BYTES_MAX / 6)),
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".into(),
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n".into(),
        "\x16\x03\x01\r\n\r\n".into(),
    ] {
        let answer = ask(address, &request);
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    let announced = "POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n";
    assert!(ask(address, announced).starts_with("HTTP/1.1 413 "));
    // A page answers before a body that never ends, and hangs up on it.
    let mut endless = connect(address);
    let head = "POST /Config/MsgrConfig.asmx HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n";
    endless.write_all(head.as_bytes()).unwrap();
    let mut writing = endless.try_clone().unwrap();
    let writer = std::thread::spawn(move || while writing.write_all(&[b'x'; 4096]).is_ok() {});
    let answer = rest(&mut endless);
    assert!(answer.is_empty() || answer.contains("<![CDATA[<MsgrConfig>"), "{answer}");
    writer.join().unwrap();
    // Piled up requests: a page serves one and goes.
    let piled = ask(address, &"GET /help HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(50));
    assert_eq!(piled.matches("HTTP/1.1 200 OK").count(), 1);
    Client::sign_in(&server, "MSNP9", ALICE);
}

#[test]
fn many_that_hang_do_not_keep_others_out() {
    let server = TestServer::start();
    let address = server.address(Role::Http);
    let hanging: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"GET /help HTT").unwrap();
            stream
        })
        .collect();
    assert!(ask(address, "GET /help HTTP/1.1\r\n\r\n").contains("<TITLE>"));
    drop(hanging);
}
