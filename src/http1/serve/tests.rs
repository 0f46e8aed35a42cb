//! Connections with many requests: how long they live, what ends them, what is refused.

use super::*;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{DuplexStream, ReadBuf, duplex},
    time::Instant,
};
use tokio_util::task::TaskTracker;

const DEADLINE: Duration = Duration::from_secs(10);

/// Answers with what it was sent; keeps connections but those for `/last`.
#[derive(Default)]
struct Echo {
    heard: Heard,
}

/// What receipts were told.
type Heard = Arc<Mutex<Vec<&'static str>>>;

struct Note(Heard);

impl Receipt for Note {
    fn written(&mut self) {
        self.0.lock().push("written");
    }

    fn is_proved_by(&self, next: &Request) -> bool {
        next.path != "/other"
    }

    fn settled(self: Box<Self>, has_arrived: bool) {
        self.0.lock().push(if has_arrived { "arrived" } else { "lost" });
    }
}

#[async_trait]
impl Service for Echo {
    fn body_bytes_max(&self, request: &Request) -> Option<usize> {
        (request.path != "/deaf").then_some(10)
    }

    fn is_for_nobody_else(&self, request: &Request) -> bool {
        request.path == "/endless"
    }

    async fn answer(&self, request: Request, body: Zeroizing<Vec<u8>>, _: Ends) -> Response {
        if request.path == "/endless" {
            pending::<()>().await;
        }
        let response = Response::of_type("200 OK", "text/plain").body(body.to_vec());
        let response = response.receipt(Note(self.heard.clone()));
        if request.path == "/last" { response } else { response.keep_alive() }
    }
}

fn ends() -> Ends {
    let address = SocketAddr::from(([192, 0, 2, 1], 80));
    Ends { peer: address, local: address }
}

/// A connection that is served, and the token that drains the server.
fn connection(tasks: &TaskTracker) -> (DuplexStream, CancellationToken) {
    let (ours, theirs) = duplex(1 << 20);
    let draining = CancellationToken::new();
    let drain = draining.clone();
    tasks.spawn(async move { serve(theirs, &Echo::default(), ends(), DEADLINE, &drain).await });
    (ours, draining)
}

/// Sends all of it, then reads to the end.
async fn ask(text: &str) -> String {
    let tasks = TaskTracker::new();
    let (mut io, _draining) = connection(&tasks);
    io.write_all(text.as_bytes()).await.unwrap();
    io.shutdown().await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    tasks.close();
    tasks.wait().await;
    answer
}

fn bodies(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|one| one.split_once("\r\n\r\n").unwrap().1).collect()
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order() {
    let answers = ask("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\noneHEAD /b HTTP/1.1\r\n\
         Content-Length: 3\r\n\r\ntwoPOST /c HTTP/1.0\r\nConnection: keep-alive\r\n\
         Content-Length: 5\r\n\r\nthreePOST /last HTTP/1.1\r\nContent-Length: 4\r\n\r\nfour\
         GET /never HTTP/1.1\r\n\r\n")
    .await;
    assert_eq!(bodies(&answers), ["one", "", "three", "four"]);
    assert_eq!(answers.matches("\r\nConnection: Keep-Alive\r\n").count(), 3);
    assert_eq!(answers.matches("\r\nConnection: close\r\n").count(), 1);
}

#[tokio::test]
async fn a_tunnel_is_refused_and_nothing_behind_it_is_heard() {
    for request in [
        "CONNECT nexus.passport.com:443 HTTP/1.1\r\nHost: nexus.passport.com\r\n\r\n",
        "connect messenger.hotmail.com:1863 HTTP/1.0\r\n\r\n",
        "CONNECT /deaf\r\n",
    ] {
        let answers = ask(&format!("{request}POST /a HTTP/1.1\r\n\r\n")).await;
        assert!(answers.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{answers}");
        assert!(answers.ends_with("\r\nConnection: close\r\n\r\n"), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    }
}

#[tokio::test]
async fn the_client_can_have_it_closed() {
    for request in [
        "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /a HTTP/1.0\r\n\r\n",
        "GET /a\r\n\r\n",
        "GET /deaf HTTP/1.1\r\n\r\n",
    ] {
        let answers = ask(&format!("{request}GET /never HTTP/1.1\r\n\r\n")).await;
        assert_eq!(bodies(&answers).len(), 1, "{request}");
        assert!(answers.contains("\r\nConnection: close\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_body_that_may_hide_a_request_is_refused() {
    for header in [
        "Content-Length: 3\r\nContent-Length: 0",
        "Transfer-Encoding: chunked",
        "Content-Length : 3",
    ] {
        let answers =
            ask(&format!("POST /a HTTP/1.1\r\n{header}\r\n\r\nGET /b HTTP/1.1\r\n\r\n")).await;
        assert!(answers.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answers}");
        assert_eq!(bodies(&answers).len(), 1, "{header}");
    }
    let answers = ask("POST /a HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello world").await;
    assert!(answers.starts_with("HTTP/1.1 413 "), "{answers}");
}

#[tokio::test]
async fn a_body_nobody_wants_is_not_waited_for() {
    let answers = ask("POST /deaf HTTP/1.1\r\nContent-Length: 100000\r\n\r\nonly this").await;
    assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_asked() {
    let tasks = TaskTracker::new();
    let (mut io, _draining) = connection(&tasks);
    let head = "POST /last HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    io.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    io.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    io.write_all(b"hi").await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert_eq!(bodies(&answer), ["hi"]);
    let at_once = ask(&format!("{head}hi")).await;
    assert!(at_once.starts_with("HTTP/1.1 200 OK\r\n"), "{at_once}");
}

#[tokio::test]
async fn a_connection_ends_with_its_thousandth_request() {
    let answers = ask(&"GET /a HTTP/1.1\r\n\r\n".repeat(REQUESTS_MAX + 1)).await;
    assert_eq!(bodies(&answers).len(), REQUESTS_MAX);
    assert_eq!(answers.matches("\r\nConnection: close\r\n").count(), 1);
    assert!(answers.ends_with("\r\nConnection: close\r\n\r\n"));
}

#[tokio::test(start_paused = true)]
async fn idle_and_slow_peers_are_left() {
    for (sent, secs) in [
        ("", 10),
        ("GET /a HTTP/1.1\r\nX: ", 10),
        ("GET /a HTTP/1.1\r\n\r\n", 60),
        ("GET /a HTTP/1.1\r\n\r\nGET", 10),
        ("POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n1", 10),
    ] {
        let tasks = TaskTracker::new();
        let (mut io, _draining) = connection(&tasks);
        let start = Instant::now();
        io.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        io.read_to_string(&mut answer).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), secs, "{sent}");
        assert_eq!(bodies(&answer).len(), usize::from(sent.starts_with("GET /a HTTP/1.1\r\n\r\n")));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_in_the_end() {
    let tasks = TaskTracker::new();
    let (mut io, draining) = connection(&tasks);
    io.write_all(b"GET /a HTTP/1.1\r\n\r\n").await.unwrap();
    let mut first = [0; 20];
    io.read_exact(&mut first).await.unwrap();
    let start = Instant::now();
    draining.cancel();
    tasks.close();
    tasks.wait().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_tells_what_became_of_the_answer() {
    for (requests, takes_it, heard) in [
        ("GET /last\r\n\r\n", true, &["written", "arrived"][..]),
        ("GET /last\r\n\r\n", false, &[]),
        ("GET /a HTTP/1.1\r\n\r\nGET /last\r\n", true, &["written", "arrived"].repeat(2)),
        ("GET /a HTTP/1.1\r\n\r\n", true, &["written", "arrived"]),
        // From somebody else behind the same proxy.
        ("GET /a HTTP/1.1\r\n\r\nGET /other\r\n", true, &["written", "written", "arrived"]),
    ] {
        let (mut io, theirs) = duplex(16);
        let service = Echo::default();
        let draining = CancellationToken::new();
        let client = async {
            io.write_all(requests.as_bytes()).await.unwrap();
            if takes_it {
                io.shutdown().await.unwrap();
                let mut answer = String::new();
                io.read_to_string(&mut answer).await.unwrap();
            }
            drop(io);
        };
        tokio::join!(serve(theirs, &service, ends(), DEADLINE, &draining), client);
        assert_eq!(*service.heard.lock(), heard, "{requests:?}");
    }
}

/// Takes what is written and then breaks, as a socket whose peer closed with or without reading.
struct Breaking(&'static [u8]);

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        buffer.put_slice(std::mem::take(&mut self.0));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_behind_an_answer_proves_nothing() {
    for request in [&b"GET /a HTTP/1.1\r\n\r\n"[..], b"GET /last\r\n"] {
        let service = Echo::default();
        serve(Breaking(request), &service, ends(), DEADLINE, &CancellationToken::new()).await;
        assert_eq!(*service.heard.lock(), ["written"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_waits_no_longer() {
    let (mut io, theirs) = duplex(100);
    let service = Echo::default();
    io.write_all(b"GET /endless HTTP/1.1\r\n\r\n").await.unwrap();
    drop(io);
    serve(theirs, &service, ends(), DEADLINE, &CancellationToken::new()).await;
    assert_eq!(*service.heard.lock(), [""; 0]);
}
