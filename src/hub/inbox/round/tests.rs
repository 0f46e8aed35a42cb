//! Whose wire is written to, who is woken, and what the client reads.

use super::super::{Inbox, Sender, inbox};
use super::*;
use crate::{
    hub::{Card, Person, event::Memo},
    model::{AccountId, Address, Name, Presence, Status},
    net::wire::{Line, split},
};
use proptest::prelude::*;
use socket2::SockRef;
use std::{
    collections::HashMap,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite as _},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime,
    time::Instant,
};

/// Makes a presence long enough that few of them fill a socket.
const PADDING: usize = 1500;
/// See [`Session::poll`].
const EVENTS_PER_TURN: usize = 3;
/// How long the next of the rest may take. TCP itself waits for some tenths of a second where a
/// buffer of one line was full.
const REST_WAIT: Duration = Duration::from_secs(30);

/// Notes that it has been woken.
#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does what a connection does with its inbox, and has answers of its own to write.
struct Session {
    line: Line,
    inbox: Inbox,
    unsent: Vec<u8>,
    alarm: Arc<Alarm>,
}

impl Session {
    /// One that has been polled first, its client, and the hub's end.
    async fn start(is_slow: bool) -> (Self, Sender, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        if is_slow {
            socket.set_recv_buffer_size(1).unwrap();
        }
        let client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        if is_slow {
            SockRef::from(&stream).set_send_buffer_size(1).unwrap();
        }
        stream.writable().await.unwrap();
        let (line, wire) = split(stream);
        let (sender, mut inbox) = inbox(1 << 20);
        inbox.set_wire(wire, Dialect::Msnp9);
        let mut session = Self { line, inbox, unsent: Vec::new(), alarm: Arc::default() };
        session.poll();
        (session, sender, client)
    }

    /// Writes and lends as a connection does.
    fn poll(&mut self) {
        let waker = Waker::from(self.alarm.clone());
        let mut cx = Context::from_waker(&waker);
        self.write(&mut cx);
        for _ in 0..EVENTS_PER_TURN {
            let is_quiet = self.unsent.is_empty();
            match self.inbox.poll_recv(true, is_quiet, &mut cx) {
                Poll::Ready(event) => self.unsent.extend(text(&event.expect("the hub is there"))),
                Poll::Pending => {
                    self.write(&mut cx);
                    if !is_quiet && self.unsent.is_empty() {
                        self.inbox.lend_wire();
                    }
                    return;
                }
            }
        }
        waker.wake();
    }

    /// Polls it if something has woken it.
    fn wake_up(&mut self) -> bool {
        let is_woken = self.alarm.0.swap(false, Ordering::Relaxed);
        if is_woken {
            self.poll();
        }
        is_woken
    }

    /// Carries out a command. Its answer is written later: others wait for the store.
    fn command(&mut self, answer: &str) {
        while let Some(event) = self.inbox.try_recv() {
            self.unsent.extend(text(&event));
        }
        self.unsent.extend(answer.as_bytes());
        self.alarm.0.store(true, Ordering::Relaxed);
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.line).poll_write(cx, &self.unsent) {
                Poll::Ready(written) => drop(self.unsent.drain(..written.unwrap())),
                Poll::Pending => break,
            }
        }
    }
}

fn text(event: &Event) -> Vec<u8> {
    match event {
        Event::Online(card) => format!(
            "NLN {} {} {}\n",
            card.person.id.0,
            card.presence.client_id,
            "-".repeat(PADDING)
        )
        .into(),
        Event::ShutdownNotice { minutes } => format!("MSG {minutes}\n").into(),
        Event::Rest(rest) => [&rest.begun[..], &rest.behind].concat(),
        other => panic!("{other:?}"),
    }
}

fn encode(event: &Event, dialect: Dialect) -> Option<Bytes> {
    assert_eq!(dialect, Dialect::Msnp9);
    Some(text(event).into())
}

fn online(id: u64, client_id: u32) -> Event {
    let address = Address::parse(&format!("user{id}@example.test")).unwrap();
    let name = Name::from(&address);
    let person = Person::new(AccountId(id), address, name);
    let presence = Presence { status: Status::Online, client_id, object: None };
    Event::Online(Arc::new(Card { person, presence, memo: Memo::default() }))
}

fn show(sender: &Sender, id: u64, client_id: u32) {
    sender.send_round(online(id, client_id), &mut Round::new(&Rounds::new(encode))).unwrap();
}

async fn read(client: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap().replace('-', "")
}

#[tokio::test]
async fn who_sleeps_is_not_woken_for_presence() {
    let (mut session, sender, mut client) = Session::start(false).await;
    for client_id in 0..3 {
        show(&sender, 1, client_id);
        assert_eq!(read(&mut client).await, format!("NLN 1 {client_id} \n"));
    }
    // What is shown before the round sets out is written at once.
    show(&sender, 1, 3);
    show(&sender, 2, 4);
    assert_eq!(read(&mut client).await, "NLN 1 3 \n");
    assert_eq!(read(&mut client).await, "NLN 2 4 \n");
    assert!(!session.wake_up());
    sender.send(Event::ShutdownNotice { minutes: 5 }).unwrap();
    assert!(session.wake_up());
    assert_eq!(read(&mut client).await, "MSG 5\n");
    show(&sender, 1, 6);
    assert_eq!(read(&mut client).await, "NLN 1 6 \n");
    assert!(!session.wake_up(), "its wire is lent again");
}

#[tokio::test]
async fn what_is_not_presence_wakes_behind_presence() {
    let (mut session, sender, mut client) = Session::start(false).await;
    show(&sender, 1, 1);
    sender.send(Event::ShutdownNotice { minutes: 2 }).unwrap();
    assert!(session.wake_up(), "it does not wait for the round");
    assert_eq!(read(&mut client).await, "NLN 1 1 \n");
    assert_eq!(read(&mut client).await, "MSG 2\n");
}

#[tokio::test]
async fn who_has_taken_its_wire_back_writes_itself() {
    let (mut session, sender, mut client) = Session::start(false).await;
    show(&sender, 1, 1);
    assert!(session.inbox.take_back_wire().is_none());
    yield_now().await;
    assert!(session.inbox.len() == 1, "the round has passed it by");
    session.command("QNG 1\n");
    session.wake_up();
    assert_eq!(read(&mut client).await, "NLN 1 1 \n");
    assert_eq!(read(&mut client).await, "QNG 1\n");
}

#[tokio::test]
async fn who_has_no_wire_is_woken() {
    let (sender, mut inbox) = inbox(10);
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(alarm.clone());
    assert!(inbox.poll_recv(true, true, &mut Context::from_waker(&waker)).is_pending());
    show(&sender, 1, 1);
    assert!(alarm.0.load(Ordering::Relaxed));
    assert!(inbox.try_recv().is_some());
}

#[tokio::test]
async fn the_end_wakes_also_who_waits_for_a_round() {
    let (session, sender, mut client) = Session::start(false).await;
    show(&sender, 1, 1);
    sender.farewell(Event::ShutdownNotice { minutes: 2 });
    assert!(session.alarm.0.load(Ordering::Relaxed));
    let Session { mut inbox, line, .. } = session;
    let told: Vec<_> = std::iter::from_fn(|| inbox.try_recv()).map(|event| text(&event)).collect();
    assert_eq!(told, [text(&online(1, 1)), b"MSG 2\n".to_vec()]);
    // And what is gone is not written to.
    drop((line, inbox));
    assert_eq!(client.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_round_that_ends_early_wakes_everybody() {
    let runtime = || runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sessions = runtime();
    let (mut session, sender, _client) = sessions.block_on(Session::start(false));
    show(&sender, 1, 1);
    assert!(session.wake_up(), "there is nobody to go round");
    let other = runtime();
    let rounds = Rounds { encode, places: Arc::new(Semaphore::new(0)) };
    other.block_on(async {
        sender.send_round(online(1, 2), &mut Round::new(&rounds)).unwrap();
        // It has set out, and waits for a place.
        yield_now().await;
        yield_now().await;
    });
    assert!(!session.wake_up());
    drop(other);
    let _sessions = sessions.enter();
    assert!(session.wake_up());
    assert!(session.unsent.is_empty());
}

#[tokio::test]
async fn whoever_waits_has_a_turn_between_visits() {
    const AT_ONCE: usize = 4;
    let rounds = Rounds { encode, places: Arc::new(Semaphore::new(AT_ONCE)) };
    let mut sessions = Vec::new();
    for _ in 0..5 * AT_ONCE / 2 {
        sessions.push(Session::start(false).await);
    }
    for (_, sender, _) in &sessions {
        // Each in a part of its own.
        sender.send_round(online(1, 1), &mut Round::new(&rounds)).unwrap();
    }
    let mut waiting = sessions.len();
    let mut visited_between_turns = Vec::new();
    for _ in 0..100 {
        yield_now().await;
        let left = sessions.iter().filter(|(session, ..)| !session.inbox.is_empty()).count();
        visited_between_turns.push(waiting - left);
        waiting = left;
    }
    let visited: Vec<_> = visited_between_turns.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(visited, [AT_ONCE, AT_ONCE, AT_ONCE / 2]);
}

/// Whoever sleeps anew while a round is still to come does not wait for another one.
#[tokio::test]
async fn a_session_is_in_one_round_at_most() {
    let rounds = Rounds::new(encode);
    let places = rounds.places.clone();
    let taken = places.acquire_many(places.available_permits() as u32).await.unwrap();
    let (mut session, sender, mut client) = Session::start(false).await;
    let references = Arc::strong_count(&session.inbox.0);
    for client_id in 0..50 {
        sender.send_round(online(1, client_id), &mut Round::new(&rounds)).unwrap();
        yield_now().await;
        if client_id < 49 {
            session.command("QNG 1\n");
            assert!(session.wake_up());
            assert_eq!(read(&mut client).await, format!("NLN 1 {client_id} \n"));
            assert_eq!(read(&mut client).await, "QNG 1\n");
        }
    }
    assert_eq!(Arc::strong_count(&session.inbox.0), references + 1);
    drop(taken);
    assert_eq!(read(&mut client).await, "NLN 1 49 \n");
    assert!(!session.wake_up());
}

#[tokio::test]
async fn a_session_far_behind_does_not_wait_for_a_round() {
    let rounds = Rounds { encode, places: Arc::new(Semaphore::new(0)) };
    let (mut session, mut sender, mut client) = Session::start(false).await;
    sender.events_max = 16;
    for client_id in 0..8 {
        assert!(!session.wake_up(), "{client_id}");
        sender.send_round(online(client_id, 1), &mut Round::new(&rounds)).unwrap();
    }
    while session.wake_up() {}
    for client_id in 0..8 {
        assert_eq!(read(&mut client).await, format!("NLN {client_id} 1 \n"));
    }
}

/// Reads what is there.
fn hear(client: &TcpStream, bytes_max: usize, heard: &mut Vec<u8>) {
    let mut buffer = vec![0; bytes_max];
    let bytes = client.try_read(&mut buffer).unwrap_or(0);
    heard.extend(&buffer[..bytes]);
}

/// What happens to a session.
#[derive(Debug, Clone)]
enum Step {
    Show(u64, u32),
    Tell,
    Command,
    /// Rounds are made.
    Visit,
    /// The session is polled if it was woken; if so, its client has woken it.
    Run(bool),
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..4u64, 1..6u32).prop_map(|(id, times)| Step::Show(id, times)),
        1 => Just(Step::Tell),
        1 => Just(Step::Command),
        4 => Just(Step::Visit),
        2 => any::<bool>().prop_map(Step::Run),
        3 => (0..20_000usize).prop_map(Step::Read),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whoever writes, whatever the system takes: lines are whole, everybody's changes come in
    /// order up to the last one, and nobody sleeps on what waits.
    #[test]
    fn a_slow_client_reads_whole_lines_in_order(steps in steps()) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut session, sender, client) = Session::start(true).await;
            let (mut heard, mut shown) = (Vec::new(), HashMap::new());
            let (mut client_id, mut notices, mut commands) = (0, 0, 0);
            for step in steps {
                match step {
                    Step::Show(id, times) => for _ in 0..times {
                        client_id += 1;
                        show(&sender, id, client_id);
                        shown.insert(id, client_id);
                    },
                    Step::Tell => {
                        notices += 1;
                        sender.send(Event::ShutdownNotice { minutes: notices }).unwrap();
                    }
                    Step::Command => {
                        commands += 1;
                        session.command(&format!("QNG {commands}\n"));
                    }
                    Step::Visit => {
                        yield_now().await;
                        yield_now().await;
                    }
                    Step::Run(by_client) => {
                        session.alarm.0.fetch_or(by_client, Ordering::Relaxed);
                        session.wake_up();
                    }
                    Step::Read(bytes) => {
                        hear(&client, bytes, &mut heard);
                    }
                }
            }
            sender.send(Event::ShutdownNotice { minutes: 0 }).unwrap();
            let mut heard_at = Instant::now();
            while !heard.ends_with(b"\nMSG 0\n") && heard != b"MSG 0\n" {
                assert!(heard_at.elapsed() < REST_WAIT, "somebody sleeps on what waits");
                yield_now().await;
                session.wake_up();
                let before = heard.len();
                hear(&client, 4096, &mut heard);
                if heard.len() > before {
                    heard_at = Instant::now();
                }
            }
            let (mut seen, mut told, mut answered) = (HashMap::new(), 0, 0);
            for line in String::from_utf8(heard).unwrap().lines() {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["NLN", id, client_id, padding] => {
                        assert_eq!(padding.len(), PADDING);
                        let (id, client_id) = (id.parse().unwrap(), client_id.parse().unwrap());
                        assert!(seen.insert(id, client_id).is_none_or(|before| before < client_id));
                    }
                    ["MSG", "0"] => assert_eq!(told, notices),
                    ["MSG", minutes] => {
                        told += 1;
                        assert_eq!(minutes, told.to_string());
                    }
                    ["QNG", number] => {
                        answered += 1;
                        assert_eq!(number, answered.to_string());
                    }
                    _ => panic!("{line}"),
                }
            }
            assert_eq!((seen, answered), (shown, commands));
        });
    }
}
