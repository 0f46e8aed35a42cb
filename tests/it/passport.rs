//! Passport sign-in from outside: the test vectors of the reference over real sockets with and
//! without TLS.

mod protection;
mod service;

use msnd::{account::Candidate, config, hub::ticket::Grant, model::AccountId};
use service::{Service, Way, address, login, password, read_all, ticket};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task,
    time::advance,
};

const BOTH: [Way; 2] = [Way::Http, Way::Https];
const ALICE: &str = "sign-in=alice%40example%2Etest,pwd=secret";

fn nexus(host: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n\
         Content-Type: text/html\r\n\
         Cache-Control: private\r\n\
         PassportURLs: DARealm=Passport.Net,DALogin={host}/login2.srf,\
         DAReg=http://{host}/register,Properties=http://{host}/account,\
         Privacy=http://{host}/privacy,GeneralRedir=http://{host}/redir,\
         Help=http://{host}/help,ConfigVersion=3\r\n\
         Content-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )
}

fn refusal(host: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 401 Unauthorized\r\n\
         Content-Type: text/html\r\n\
         WWW-Authenticate: Passport1.4 da-status=failed,srealm=Passport.NET,ts=-3,prompt,\
         cburl=http://{host}/logo.gif,cbtxt={text}\r\n\
         Content-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )
}

fn wrong_password() -> String {
    refusal("login.example.test", "The%20e-mail%20address%20or%20password%20is%20wrong.")
}

fn head_only(status: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )
}

// Vectors 1 to 3.
#[tokio::test]
async fn every_form_of_nexus_request_gets_the_same_answer() {
    let service = Service::new().await;
    for way in BOTH {
        for (request, host) in [
            ("GET /rdr/pprdr.asp\r\n\r\n", "127.0.0.1"),
            ("GET /rdr/pprdr.asp HTTP/1.0\r\n\r\n", "127.0.0.1"),
            (
                "GET /rdr/pprdr.asp HTTP/1.1\r\nHost: nexus.example.test:443\r\n\r\n",
                "nexus.example.test",
            ),
            (
                "get /RDR/pprdr.ASP?a=1&a=2 http/1.1\r\nHOST: nexus.example.test\r\n\r\n",
                "nexus.example.test",
            ),
            (
                "HEAD /rdr/pprdr.asp HTTP/1.1\r\nHost: nexus.example.test\r\n\r\n",
                "nexus.example.test",
            ),
            ("GET http://nexus.example.test/rdr/pprdr.asp HTTP/1.1\r\n\r\n", "nexus.example.test"),
            ("GET /rdr/pprdr.asp HTTP/1.1\r\nHost: a',DALogin=evil.test/x\r\n\r\n", "127.0.0.1"),
        ] {
            assert_eq!(service.ask(way, request).await, nexus(host), "{way:?} {request}");
        }
    }
}

#[tokio::test]
async fn the_nexus_names_the_configured_hosts() {
    let config = config::Passport {
        login_host: "login.example.net".into(),
        site_url: "http://www.example.net".into(),
        ..config::Passport::default()
    };
    let service = Service::with(config).await;
    let answer = service.ask(Way::Http, "GET /rdr/pprdr.asp\r\n\r\n").await;
    let start = "\r\nPassportURLs: DARealm=Passport.Net,DALogin=login.example.net/login2.srf,\
                 DAReg=http://www.example.net/register,";
    assert!(answer.contains(start), "{answer}");
    for path in ["/nexus-mock", "/n"] {
        let answer = service.ask(Way::Http, format!("GET {path} HTTP/1.1\r\n\r\n")).await;
        for name in ["PassportURLs", "Passporturls"] {
            let line = format!("\r\n{name}: DALogin=https://login.example.net/login2.srf\r\n");
            assert!(answer.contains(&line), "{answer}");
        }
    }
}

// Vectors 4 to 8.
#[tokio::test]
async fn every_way_of_writing_a_password_gets_a_ticket() {
    let service = Service::new().await;
    for (name, text) in [
        ("comma", "a,b=c"),
        ("percent", "100%"),
        ("triple", "a%41"),
        ("raw", "x,y"),
        ("long", "0123456789abcdefghi"),
    ] {
        service.accounts.create(address(name), None, &password(text)).await.unwrap();
    }
    for way in BOTH {
        for fields in [
            ALICE,
            "sign-in=comma@example.test,pwd=a%2Cb%3Dc",
            "sign-in=Percent@Example.test,pwd=100%",
            "sign-in=triple%40example.test,pwd=a%41",
            "sign-in=raw%40example.test,pwd=x,y",
            "sign-in=bob%40example.test,pwd=geheim%2C%20100%25",
            "sign-in=long%40example.test,pwd=0123456789abcdef",
            "pwd=secret,lc=1033,tpf=0a6c,kv=11,ct=1783012545,sign-in=alice@example.test",
        ] {
            let answer = service.ask(way, login(fields)).await;
            let ticket = ticket(&answer);
            let expected = format!(
                "HTTP/1.1 200 OK\r\n\
                 Content-Type: text/html\r\n\
                 Cache-Control: no-cache\r\n\
                 Authentication-Info: Passport1.4 da-status=success,from-PP='{ticket}',\
                 ru=http://messenger.msn.com\r\n\
                 Content-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            assert_eq!(answer, expected);
        }
    }
}

#[tokio::test]
async fn any_path_to_a_srf_is_the_login() {
    let service = Service::new().await;
    for line in
        ["GET /login.srf HTTP/1.0", "GET /a/LOGIN.SRF?lc=1033 HTTP/1.1", "POST /x.srf HTTP/1.1"]
    {
        let request = login(ALICE).replace("GET /login2.srf HTTP/1.1", line);
        ticket(&service.ask(Way::Http, request).await);
    }
}

// Vectors 9 and 14.
#[tokio::test]
async fn nobody_can_tell_an_unknown_account_from_a_wrong_password() {
    let service = Service::new().await;
    let bare = "GET /login2.srf HTTP/1.1\r\nHost: login.example.test\r\n\r\n";
    for way in BOTH {
        for request in [
            login("sign-in=alice%40example.test,pwd=wrong"),
            login("sign-in=nobody%40example.test,pwd=wrong"),
            login("sign-in=nobody,pwd=wrong"),
            login("sign-in=alice%40example.test"),
            login("pwd=secret"),
            bare.to_owned(),
            login(ALICE).replace("Passport1.4", "Basic"),
        ] {
            let before = service.hasher.hashes_total();
            assert_eq!(service.ask(way, &request).await, wrong_password(), "{request}");
            assert_eq!(service.hasher.hashes_total() - before, 1, "{request}");
        }
        for name in ["alice", "nobody"] {
            let before = service.hasher.hashes_total();
            let request = login(&format!("sign-in={name}%40example.test,pwd=%41,b"));
            assert_eq!(service.ask(way, request).await, wrong_password());
            assert_eq!(service.hasher.hashes_total() - before, 4, "{name}");
        }
    }
}

// Vectors 10 and 11; what a notification server makes of `None` is its own test.
#[tokio::test]
async fn a_ticket_is_good_for_its_account_once() {
    let service = Service::new().await;
    for way in BOTH {
        let answer = service.ask(way, login(ALICE)).await;
        let first = ticket(&answer).as_bytes();
        let grant = Grant { account: AccountId(1), credential_epoch: 1 };
        assert_eq!(service.tickets.redeem(first, Some(&address("alice"))), Some(grant));
        assert_eq!(service.tickets.redeem(first, Some(&address("alice"))), None);

        let answer = service.ask(way, login(ALICE)).await;
        let second = ticket(&answer).as_bytes();
        assert_eq!(service.tickets.redeem(second, Some(&address("bob"))), None);
        assert_eq!(service.tickets.redeem(second, Some(&address("alice"))), None);
    }
}

// Vector 12.
#[tokio::test(start_paused = true)]
async fn a_ticket_is_worthless_after_121_seconds() {
    let service = Service::new().await;
    for (age_secs, good) in [(119, true), (121, false)] {
        let answer = service.ask_in_memory(login(ALICE)).await;
        advance(Duration::from_secs(age_secs)).await;
        let grant = service.tickets.redeem(ticket(&answer).as_bytes(), Some(&address("alice")));
        assert_eq!(grant.is_some(), good, "{age_secs}");
    }
}

#[tokio::test]
async fn a_ticket_carries_the_epoch_of_the_password_that_earned_it() {
    let service = Service::new().await;
    let answer = service.ask(Way::Http, login(ALICE)).await;
    service.accounts.set_password(&address("alice"), &password("other")).await.unwrap();
    let grant =
        service.tickets.redeem(ticket(&answer).as_bytes(), Some(&address("alice"))).unwrap();
    let (alice, candidates) = (address("alice"), vec![Candidate::new(b"other")]);
    let account =
        service.accounts.authenticate(Some(&alice), candidates, Ipv4Addr::LOCALHOST.into()).await;
    assert!(grant.credential_epoch < account.unwrap().credential_epoch);
}

// Vector 13.
#[tokio::test]
async fn too_much_and_nonsense_are_a_bad_request() {
    let service = Service::new().await;
    for way in BOTH {
        for request in [
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9 * 1024)).into_bytes(),
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(2000)).into_bytes(),
            vec![b'x'; 20_000],
            b"GET /\0/login2.srf HTTP/1.1\r\n\r\n".to_vec(),
            b"\0\r\n\r\n".to_vec(),
            b"VER 1 MSNP9 CVR0 x\r\n\r\n".to_vec(),
        ] {
            assert_eq!(service.ask(way, request).await, head_only("400 Bad Request"));
        }
    }
}

#[tokio::test]
async fn unknown_pages_are_empty_and_bodies_are_ignored() {
    let service = Service::new().await;
    let body = "x".repeat(5000);
    for way in BOTH {
        for request in [
            "GET / HTTP/1.1\r\nHost: login.example.test\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{body}"),
            "POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\nnot all of it".to_owned(),
            "OPTIONS * HTTP/1.1\r\n\r\n".to_owned(),
        ] {
            assert_eq!(service.ask(way, request).await, head_only("200 OK"));
        }
    }
    service.settle().await;
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let service = Service::new().await;
    for way in BOTH {
        let mut connection = service.connect(way).await;
        for byte in login(ALICE).as_bytes() {
            connection.write_all(&[*byte]).await.unwrap();
            connection.flush().await.unwrap();
            task::yield_now().await;
        }
        ticket(&read_all(&mut connection).await);
    }
}

#[tokio::test]
async fn an_answer_is_one_tls_record() {
    let service = Service::new().await;
    let mut connection = service.connect(Way::Https).await;
    connection.write_all(b"GET /rdr/pprdr.asp\r\n\r\n").await.unwrap();
    let mut buffer = [0; 2048];
    let count = connection.read(&mut buffer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..count]), nexus("127.0.0.1"));
}
