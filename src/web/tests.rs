//! What the front answers: every row, every default link, and what it never does, whatever it is
//! asked.

mod documents;

use super::*;
use crate::{http1, model::AccountId};
use proptest::prelude::*;
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const ALICE: AccountId = AccountId(1);

fn web(change: impl FnOnce(&mut Config)) -> Web {
    let mut config = Config::default();
    change(&mut config);
    Web::new(&config, Arc::new(Tickets::new(Duration::from_secs(120), 8)))
}

/// An answer, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
    }

    fn status(&self) -> &str {
        self.head.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()
    }
}

/// Sends bytes to a front that was reached at 192.0.2.7:8080.
async fn send(web: &Web, bytes: &[u8]) -> Answer {
    let (mut ours, theirs) = duplex(1 << 17);
    ours.write_all(bytes).await.unwrap();
    ours.shutdown().await.unwrap();
    let ends = Ends {
        peer: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        local: SocketAddr::from(([192, 0, 2, 7], 8080)),
    };
    let deadline = Duration::from_secs(10);
    http1::serve(theirs, web, ends, deadline, &CancellationToken::new()).await;
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    Answer { head: head.into(), body: body.into() }
}

async fn ask(web: &Web, text: &str) -> Answer {
    send(web, text.as_bytes()).await
}

async fn get(web: &Web, path: &str) -> Answer {
    ask(web, &format!("GET {path} HTTP/1.1\r\nHost: msn.example.test\r\n\r\n")).await
}

async fn post(web: &Web, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: h.test\r\nContent-Length: {length}\r\n\r\n");
    ask(web, &(head + body)).await
}

#[tokio::test]
async fn every_default_link_leads_to_a_page() {
    let web = web(|_| {});
    let nothing = get(&web, "/nothing/of/the/kind").await.body;
    let config = Config::default();
    let services = config.urls.services.iter().flat_map(|service| [&service.page, &service.login]);
    let nexus = ["register", "account", "privacy", "redir", "help", "logo.gif"];
    let tabs = config.web.tabs.iter().flat_map(|tab| [&tab.page, &tab.image]);
    let client = [&config.notification.download_url, &config.notification.info_url];
    let paths = services
        .chain(tabs)
        .chain([&config.web.today])
        .map(|address| address.strip_prefix("{site}").unwrap().to_owned())
        .chain(nexus.map(|page| format!("/{page}")))
        .chain(client.map(|url| url.strip_prefix("http://messenger.msn.com").unwrap().to_owned()))
        .chain(["/textad", "/search?q=x", "/tos"].map(String::from));
    let mut seen = BTreeSet::new();
    for path in paths {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let answer = get(&web, &path).await;
        assert_eq!(answer.status(), "200 OK", "{path}");
        assert!(answer.body != nothing && !answer.body.is_empty(), "{path}");
        seen.insert(path);
    }
    assert!(seen.len() > 20);
}

#[tokio::test]
async fn numbered_links_lead_to_our_own_pages() {
    let web = web(|_| {});
    let nothing = get(&web, "/nothing").await.body;
    for number in 0..200 {
        let answer = get(&web, &format!("/5meen_us/{number}?passport=alice%40example.test")).await;
        assert_eq!(answer.status(), "302 Found");
        let location = answer.header("Location").unwrap();
        let page = get(&web, location).await;
        assert!(page.status() == "200 OK" && page.body != nothing, "{number}: {location}");
        assert!(!page.body.contains("alice"));
    }
    assert_eq!(get(&web, "/5meen_us/107").await.header("Location"), Some("/help"));
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let web = web(|_| {});
    let (_ticket, known) = web.tickets.issue_web(ALICE);
    for (one, other) in [
        ("/default.msnw?mem=alice@example.test", "/default.msnw?mem=nobody@example.test"),
        ("/5meen_us/106?passport=alice@example.test", "/5meen_us/106?passport=x@example.test"),
        ("/profile?user=alice@example.test", "/profile?user=nobody@example.test"),
    ] {
        assert_eq!(get(&web, one).await, get(&web, other).await);
    }
    // With a ticket and without one, whoever the form says it is from.
    for auth in [known.as_str(), "guess"] {
        let form = |user: &str| format!("username={user}&auth={auth}&sl=0&rru=/inbox");
        let alice = post(&web, "/", &form("alice@example.test")).await;
        assert_eq!(alice, post(&web, "/", &form("nobody@example.test")).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_clients_form_leads_to_a_page_of_ours() {
    let web = web(|_| {});
    let (ticket, text) = web.tickets.issue_web(ALICE);
    tokio::time::advance(Duration::from_secs(1000)).await;
    let auth = text.replace('!', "%21").replace('$', "%24");
    for (fields, location) in [
        ("sl=1000&rru=http%3A%2F%2Fh.test%2Finbox", "/inbox"),
        ("sl=1000&ru=http%3A%2F%2Fh.test%2Finbox", "/inbox"),
        ("sl=1300&rru=http%3A%2F%2Fh.test%2Fcompose%3Fto%3Dbob%40example.test", "/compose"),
        ("sl=700&rru=http%3A%2F%2Fevil.test%2Fevil&id=961", "/mobile"),
        ("sl=1000&rru=%2F%2Fevil.test&id=99", "/"),
        ("sl=1000", "/"),
        // Too far off, or nonsense.
        ("sl=1301&rru=%2Finbox", "/"),
        ("sl=699&rru=%2Finbox", "/"),
        ("sl=-1&rru=%2Finbox", "/"),
        ("rru=%2Finbox", "/"),
    ] {
        let form = format!(
            "mode=ttl&login=alice&username=alice%40example.test&sid=507&kv=11&\
                            auth={auth}&{fields}&creds=0123456789abcdef&svc=mail&js=yes"
        );
        let answer = post(&web, "/", &form).await;
        assert_eq!((answer.status(), answer.header("Location")), ("302 Found", Some(location)));
        let refused = post(&web, "/", &form.replace(&auth, "other")).await;
        assert_eq!(refused.header("Location"), Some("/"), "{fields}");
    }
    drop(ticket);
    let late = post(&web, "/", &format!("auth={auth}&sl=1000&rru=%2Finbox")).await;
    assert_eq!(late.header("Location"), Some("/"));
}

#[tokio::test]
async fn the_start_page_takes_any_post() {
    let web = web(|_| {});
    for body in ["", "x", "a=b&c"] {
        let answer = post(&web, "/", body).await;
        assert_eq!((answer.status(), answer.body.as_str()), ("200 OK", ""), "{body}");
    }
    let exactly = "x".repeat(landing::FORM_BYTES_MAX);
    assert_eq!(post(&web, "/", &exactly).await.status(), "200 OK");
    let more = post(&web, "/", &(exactly + "x")).await;
    assert!(more.status().starts_with("413 "), "{more:?}");
}

#[tokio::test]
async fn names_decide_where_paths_do_not() {
    let web = web(|_| {});
    let at = |host: &str, path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let status = ask(&web, &at("Status.Messenger.MSN.com", "/whatever.asp")).await;
    assert!(status.body.contains("The service is up."));
    let absolute = "GET http://status.messenger.msn.com/x HTTP/1.0\r\n\r\n";
    assert_eq!(ask(&web, absolute).await.body, status.body);
    let config = ask(&web, &at("status.messenger.msn.com", "/MsgrConfig")).await;
    assert!(config.body.contains("<MsgrConfig>"));
    let nothing = ask(&web, &at("rad.msn.com", "/ADSAdClient31.dll?GetAd=PG=IM")).await;
    assert_eq!(nothing, ask(&web, &at("unknown.test", "/whatever.asp")).await);
    assert_eq!((nothing.status(), nothing.body.len() < 60), ("200 OK", true));
}

#[tokio::test]
async fn pages_are_what_internet_explorer_5_knows() {
    const KNOWN: &[&str] = &["html", "head", "title", "body", "h2", "p", "hr", "a"];
    let web = web(|_| {});
    for path in ["/", "/help", "/inbox", "/status", "/nothing"] {
        let page = get(&web, path).await;
        assert!(page.header("Content-Type").unwrap().starts_with("text/html"));
        let mut open: Vec<String> = Vec::new();
        for tag in page.body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let name = tag.split(' ').next().unwrap().to_lowercase();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{path}"),
                None if name == "!doctype" => assert!(tag.contains("HTML 3.2"), "{path}"),
                None => {
                    assert!(KNOWN.contains(&&*name), "{path}: {name}");
                    open.extend((name != "hr").then_some(name));
                }
            }
        }
        assert!(open.is_empty(), "{path}: {open:?}");
        for link in page.body.split("HREF=\"").skip(1) {
            let target = get(&web, link.split('"').next().unwrap()).await;
            assert!(target.body.contains("<TITLE>"), "{path}");
        }
    }
}

#[tokio::test]
async fn guests_are_asked_first() {
    struct Parrot;
    #[async_trait]
    impl Service for Parrot {
        fn body_bytes_max(&self, _: &Request) -> Option<usize> {
            Some(4)
        }
        async fn answer(&self, request: Request, body: Zeroizing<Vec<u8>>, _: Ends) -> Response {
            Response::new("200 OK").body([request.query.as_slice(), &body].concat()).keep_alive()
        }
    }
    let web = web(|_| {}).with(|request| request.path == "/", Arc::new(Parrot));
    let answer = post(&web, "/?Polly", "said").await;
    assert_eq!(
        (answer.body.as_str(), answer.header("Connection")),
        ("Pollysaid", Some("Keep-Alive"))
    );
    assert!(post(&web, "/", "words").await.status().starts_with("413 "));
    assert!(get(&web, "/help").await.body.contains("<TITLE>"));
}

#[tokio::test]
async fn one_request_is_all_that_a_page_serves() {
    let web = web(|_| {});
    let request = "GET /help HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n";
    let answer = ask(&web, &request.repeat(3)).await;
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(!answer.body.contains("HTTP/1.1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is asked: a quick answer, no cookie, nobody sent away, nothing repeated but the
    /// host.
    #[test]
    fn every_answer_is_harmless(
        method in "(GET|POST|HEAD|OPTIONS|PUT|[A-Z]{1,6})",
        path in prop_oneof![
            "/[!-~]{0,30}",
            "(https?://[a-z]{1,9}(\\.[a-z]{1,4})?(:[0-9]{1,5})?)?/(5meen_us|help|svcs|config|default\\.msnw|msgrconfig)[!-~]{0,12}",
            "//[a-z.]{1,12}/[!-~]{0,9}",
        ],
        host in prop_oneof!["[ -~]{0,20}", "(g|rad|status\\.messenger|members)\\.msn\\.com"],
        body in prop_oneof!["[ -~]{0,60}", "auth=[!-~]{0,9}&sl=[0-9]{0,4}&rru=[!-~]{0,20}"],
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let length = body.len();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}");
        let (answer, waited) = runtime.block_on(async {
            let started = Instant::now();
            (ask(&web(|_| {}), &request).await, started.elapsed())
        });
        prop_assert_eq!(waited, Duration::ZERO);
        prop_assert!(["200 OK", "302 Found", "400 Bad Request"].contains(&answer.status()));
        prop_assert_eq!(answer.header("Set-Cookie"), None);
        prop_assert_eq!(answer.header("Connection"), Some("close"));
        prop_assert!(!answer.body.contains("https:") && !answer.head.contains("https:"));
        if let Some(location) = answer.header("Location") {
            prop_assert!(location.starts_with('/') && !location.starts_with("//"), "{}", location);
        }
    }
}
