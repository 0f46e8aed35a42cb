//! What must not leak, wait for ever, cost too much or be told apart.

use super::service::{PATIENCE, Service, Way, address, login, read_all, ticket};
use super::{ALICE, head_only, refusal, wrong_password};
use msnd::{
    account::{AuthError, Candidate},
    config,
};
use parking_lot::Mutex;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf},
    runtime, task,
    time::{Instant, advance},
};
use tokio_util::sync::CancellationToken;

const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 443);
const THERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1024);

fn wait_a_while() -> String {
    let text = "Too%20many%20failed%20attempts.%20Please%20wait%20a%20few%20minutes.";
    refusal("login.example.test", text)
}

/// Counts the writes that reach a stream.
struct Counting(DuplexStream, Arc<Mutex<usize>>);

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        *self.1.lock() += 1;
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_one_write_and_the_peer_has_two_seconds_to_leave() {
    let service = Service::new().await;
    let (mut client, server) = tokio::io::duplex(16 * 1024);
    let writes = Arc::new(Mutex::new(0));
    client.write_all(login(ALICE).as_bytes()).await.unwrap();
    let begun = Instant::now();
    service
        .passport
        .serve(
            Counting(server, Arc::clone(&writes)),
            THERE,
            HERE,
            PATIENCE,
            &CancellationToken::new(),
        )
        .await;
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    ticket(&read_all(&mut client).await);
    assert_eq!(*writes.lock(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_ends_the_connection() {
    let service = Service::new().await;
    let (mut client, server) = tokio::io::duplex(16 * 1024);
    let flood = async {
        client.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
        while client.write_all(&[b'x'; 1024]).await.is_ok() {}
        read_all(&mut client).await
    };
    let begun = Instant::now();
    let running = CancellationToken::new();
    let ((), answer) =
        tokio::join!(service.passport.serve(server, THERE, HERE, PATIENCE, &running), flood);
    assert_eq!(answer, head_only("200 OK"));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_left_alone_at_its_deadline() {
    let service = Service::new().await;
    for start in ["", "GET /rdr/ppr", "GET /rdr/pprdr.asp HTTP/1.1\r\nHost: a"] {
        let (mut client, server) = tokio::io::duplex(16 * 1024);
        client.write_all(start.as_bytes()).await.unwrap();
        let begun = Instant::now();
        service
            .passport
            .serve(server, THERE, HERE, Duration::from_secs(10), &CancellationToken::new())
            .await;
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
        assert_eq!(read_all(&mut client).await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left_at_the_deadline() {
    let service = Service::new().await;
    let (mut client, server) = tokio::io::duplex(64);
    let begun = Instant::now();
    let deadline = Duration::from_secs(10);
    let running = CancellationToken::new();
    let (written, ()) = tokio::join!(
        client.write_all(b"GET /rdr/pprdr.asp\r\n\r\n"),
        service.passport.serve(server, THERE, HERE, deadline, &running)
    );
    written.unwrap();
    assert_eq!(begun.elapsed(), deadline);
}

#[tokio::test(start_paused = true)]
async fn guessing_has_to_wait_and_costs_no_hash() {
    let config = config::Passport { failures_per_account_max: 3, ..config::Passport::default() };
    for name in ["alice", "nobody"] {
        let service = Service::with(config.clone()).await;
        let guess = login(&format!("sign-in={name}%40example.test,pwd=secret1"));
        for _ in 0..3 {
            assert_eq!(service.ask_in_memory(&guess).await, wrong_password());
        }
        let before = service.hasher.hashes_total();
        assert_eq!(service.ask_in_memory(&guess).await, wait_a_while());
        if name == "alice" {
            assert_eq!(service.ask_in_memory(login(ALICE)).await, wait_a_while());
        }
        assert_eq!(service.hasher.hashes_total(), before);
        let bob = login("sign-in=bob%40example.test,pwd=geheim%2C 100%");
        ticket(&service.ask_in_memory(bob).await);
        advance(Duration::from_secs(100)).await;
        assert_eq!(service.ask_in_memory(&guess).await, wrong_password());
        assert_eq!(service.ask_in_memory(&guess).await, wait_a_while());
        advance(Duration::from_secs(300)).await;
        ticket(&service.ask_in_memory(login(ALICE)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn one_address_has_to_wait_whatever_account_it_tries() {
    let config = config::Passport { failures_per_address_max: 5, ..config::Passport::default() };
    let service = Service::with(config).await;
    for number in 0..5 {
        ticket(&service.ask_in_memory(login(ALICE)).await);
        let guess = login(&format!("sign-in=user{number}%40example.test,pwd=x"));
        assert_eq!(service.ask_in_memory(guess).await, wrong_password());
    }
    assert_eq!(service.ask_in_memory(login(ALICE)).await, wait_a_while());
    let candidates = vec![Candidate::new(b"secret")];
    let elsewhere = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    let alice = address("alice");
    assert!(service.accounts.authenticate(Some(&alice), candidates, elsewhere).await.is_ok());
}

#[tokio::test]
async fn only_the_right_password_learns_that_an_account_is_disabled() {
    let service = Service::new().await;
    service.accounts.set_enabled(&address("alice"), false).await.unwrap();
    let disabled = refusal("login.example.test", "This%20account%20has%20been%20disabled.");
    assert_eq!(service.ask(Way::Http, login(ALICE)).await, disabled);
    let wrong = login("sign-in=alice@example.test,pwd=wrong");
    assert_eq!(service.ask(Way::Http, wrong).await, wrong_password());
    service.accounts.set_enabled(&address("alice"), true).await.unwrap();
    ticket(&service.ask(Way::Http, login(ALICE)).await);
    service.accounts.remove(&address("alice")).await.unwrap();
    assert_eq!(service.ask(Way::Http, login(ALICE)).await, wrong_password());
}

#[tokio::test]
async fn a_broken_store_is_503_and_no_failure_of_the_client() {
    let config = config::Passport { failures_per_account_max: 1, ..config::Passport::default() };
    let service = Service::with(config).await;
    service.store.break_down();
    for _ in 0..3 {
        let answer = service.ask(Way::Http, login(ALICE)).await;
        assert_eq!(answer, head_only("503 Service Unavailable"));
    }
}

#[test]
fn a_full_queue_is_503() {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = config::Passport { password_queue_max: 0, ..config::Passport::default() };
        let service = Service::with(config).await;
        let (release, held) = mpsc::channel::<()>();
        let holder = task::spawn_blocking(move || held.recv());
        let request = login(ALICE);
        // Either may come first; the other one finds the only place taken, and says so while the
        // first still waits for the only thread.
        let ask = async || {
            let answer = service.ask_in_memory(&request).await;
            let _ = release.send(());
            answer
        };
        let (one, other) = tokio::join!(ask(), ask());
        let busy = head_only("503 Service Unavailable");
        let (refused, served) = if one == busy { (one, other) } else { (other, one) };
        assert_eq!(refused, busy);
        ticket(&served);
        holder.await.unwrap().unwrap();
    });
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || Sink(Arc::clone(&writer)))
        .finish();
    // With one subscriber in the process, a log point first met on another test's thread would be
    // switched off for this one too; with two, all are asked.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);

    let service = Service::new().await;
    let answer = service.ask(Way::Https, login(ALICE)).await;
    let wrong = login("sign-in=alice@example.test,pwd=wr0ngsecret");
    service.ask(Way::Http, wrong).await;
    service.ask(Way::Http, login("sign-in=hallo\x1b[2J,pwd=wr0ngsecret")).await;
    service.settle().await;

    let (secret, profile) = ticket(&answer)[2..].split_once("&p=").unwrap();
    let refused = service
        .accounts
        .authenticate(Some(&address("alice")), vec![Candidate::new(b"wr0ngsecret")], THERE.ip())
        .await
        .unwrap_err();
    assert_eq!(refused, AuthError::Refused);
    let accounts = format!("{:?} {:?} {refused}", service.passport, service.accounts);
    let stored = format!("{:?}", service.store);
    let log = String::from_utf8(log.lock().clone()).unwrap();
    assert!(log.contains("passport ticket issued user=\"alice@example.test\""), "{log}");
    assert!(log.contains("passport sign-in refused user=\"alice@example.test\""), "{log}");
    assert!(log.contains("user=\"-\""), "{log}");
    for forbidden in
        ["wr0ngsecret", "pwd", "Passport1.4", secret, profile, "$argon2", "\x1b", "hallo"]
    {
        for shown in [&log, &accounts, &stored] {
            assert!(!shown.contains(forbidden), "{forbidden:?} in {shown}");
        }
    }
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
