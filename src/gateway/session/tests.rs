//! The session machine against clients that hang up, ask again and ask twice at once. The stream's
//! other end is an echo: it answers each `PNG n` with `QNG n`, and tells news when a test says so.

use super::*;
use crate::gateway::tunnel::{Tunnel, tunnel};
use proptest::prelude::*;
use std::collections::HashMap;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::{JoinHandle, yield_now},
};

const IDLE: Duration = Duration::from_secs(90);

/// A session with an echo behind it.
struct House {
    session: Arc<Session>,
    news: mpsc::Sender<String>,
    kept: JoinHandle<Vec<String>>,
    draining: CancellationToken,
    connections: u64,
    /// Answers on connections that have not asked on.
    receipts: Mutex<HashMap<u64, Box<Answer>>>,
}

impl House {
    fn new() -> Self {
        let (stream, mouth) = tunnel(64 * 1024, 256 * 1024);
        let session = Session::new(mouth, IDLE);
        let (news, told) = mpsc::channel(100);
        let (kept, draining) = (session.clone(), CancellationToken::new());
        let drain = draining.clone();
        #[expect(clippy::disallowed_methods, reason = "joined by the test")]
        let kept = tokio::spawn(async move {
            let mut said = Vec::new();
            kept.keep(echo(stream, told, &mut said), &drain).await;
            said
        });
        Self { session, news, kept, draining, connections: 0, receipts: Mutex::default() }
    }

    fn connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// A request over `connection` whose answer is written.
    async fn ask(&self, connection: u64, ask: Ask<'_>) -> String {
        self.end_connection(connection, true);
        let mut answer = self.session.serve(ask).await.unwrap();
        let output = String::from_utf8(answer.output().to_vec()).unwrap();
        answer.written();
        self.receipts.lock().insert(connection, Box::new(answer));
        output
    }

    /// The last answer of a connection has arrived, or is known not to have.
    fn end_connection(&self, connection: u64, has_arrived: bool) {
        if let Some(answer) = self.receipts.lock().remove(&connection) {
            answer.settled(has_arrived);
        }
    }

    async fn data(&self, connection: u64, text: &str) -> String {
        self.ask(connection, Ask::Data(text.as_bytes())).await
    }

    async fn poll(&self, connection: u64) -> String {
        self.ask(connection, Ask::Poll(Duration::ZERO)).await
    }

    async fn tell(&self, line: &str) {
        self.news.send(line.to_owned()).await.unwrap();
        // In a single thread, so much later the echo has passed it on.
        for _ in 0..10 {
            yield_now().await;
        }
    }
}

/// Answers and tells until the input ends or `OUT` comes; notes every line it sends.
async fn echo(stream: Tunnel, mut news: mpsc::Receiver<String>, said: &mut Vec<String>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let answer = select! {
            Some(news) = news.recv() => news,
            read = stream.read_line(&mut line) => match read {
                Ok(bytes) if bytes > 0 => line.replace("PNG", "QNG"),
                _ => return,
            },
        };
        if line.ends_with('\n') {
            line.clear();
        }
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        said.push(answer.clone());
        if answer == "OUT\r\n" {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn commands_and_polls_bring_what_there_is() {
    let house = House::new();
    assert_eq!(house.poll(1).await, "");
    assert_eq!(house.data(1, "PNG 1\r\nPNG 2\r\n").await, "QNG 1\r\nQNG 2\r\n");
    house.tell("FLN a\r\n").await;
    assert_eq!(house.poll(2).await, "FLN a\r\n");
    assert_eq!(house.poll(1).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_not_waited_for_longer_than_it_takes() {
    let house = House::new();
    let start = Instant::now();
    assert_eq!(house.data(1, "PNG 1\r\n").await, "QNG 1\r\n");
    assert_eq!(Instant::now(), start);
    assert_eq!(house.data(1, "PNG").await, "");
    assert_eq!(Instant::now(), start + REPLY_WAIT);
    assert_eq!(house.data(1, " 2\r\n").await, "QNG 2\r\n");
    assert_eq!(Instant::now(), start + REPLY_WAIT);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_news_its_time_or_another_request() {
    let house = House::new();
    let start = Instant::now();
    let long = Ask::Poll(Duration::from_secs(30));
    let (heard, ()) = tokio::join!(house.ask(1, long), house.tell("FLN a\r\n"));
    assert_eq!((&*heard, Instant::now()), ("FLN a\r\n", start));
    assert_eq!(house.ask(1, long).await, "");
    assert_eq!(Instant::now(), start + Duration::from_secs(30));
    let (polled, answered) = tokio::join!(house.ask(1, long), house.data(2, "PNG 1\r\n"));
    assert_eq!((&*polled, &*answered), ("", "QNG 1\r\n"));
    assert_eq!(Instant::now(), start + Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_one_before_it_and_not_for_ever() {
    let house = House::new();
    let mut first = house.session.serve(Ask::Data(b"PNG 1\r\n")).await.unwrap();
    let start = Instant::now();
    let second = house.session.serve(Ask::Data(b"PNG 2\r\n")).await;
    assert_eq!(second.unwrap_err(), Refused::Overlap);
    assert_eq!(Instant::now(), start + OVERLAP_WAIT);
    let finish = async {
        assert_eq!(first.output(), b"QNG 1\r\n");
        first.written();
    };
    let (second, ()) = tokio::join!(house.data(2, "PNG 3\r\n"), finish);
    assert_eq!(second, "QNG 3\r\n", "what was refused was carried out");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_written_comes_again_in_front() {
    let house = House::new();
    let answer = house.session.serve(Ask::Data(b"PNG 1\r\n")).await.unwrap();
    house.tell("FLN a\r\n").await;
    drop(answer);
    assert_eq!(house.data(2, "PNG 1\r\n").await, "QNG 1\r\nFLN a\r\n");
    assert_eq!(house.data(2, "PNG 1\r\n").await, "QNG 1\r\n");
}

#[tokio::test(start_paused = true)]
async fn commands_repeated_over_a_new_connection_are_carried_out_once() {
    let mut house = House::new();
    // Written, but nobody knows whether it arrived.
    assert_eq!(house.data(1, "PNG 1\r\n").await, "QNG 1\r\n");
    assert_eq!(house.data(2, "PNG 1\r\n").await, "QNG 1\r\n");
    // Over the same connection nobody repeats anything.
    assert_eq!(house.data(2, "PNG 1\r\n").await, "QNG 1\r\n");
    // The client hung up in its own time: the answer had arrived.
    house.end_connection(2, true);
    assert_eq!(house.data(3, "PNG 1\r\n").await, "QNG 1\r\n");
    // It did not wait for it.
    house.end_connection(3, false);
    house.tell("FLN a\r\n").await;
    assert_eq!(house.data(4, "PNG 1\r\n").await, "QNG 1\r\nFLN a\r\n");
    tokio::time::advance(REPEAT_WINDOW).await;
    assert_eq!(house.data(5, "PNG 1\r\n").await, "QNG 1\r\n");
    let said = house.end().await;
    assert_eq!(said.iter().filter(|line| *line == "QNG 1\r\n").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_reset_took_away_comes_again() {
    let house = House::new();
    house.tell("FLN a\r\n").await;
    assert_eq!(house.poll(1).await, "FLN a\r\n");
    house.end_connection(1, false);
    assert_eq!(house.poll(2).await, "FLN a\r\n");
    house.end_connection(2, true);
    assert_eq!(house.poll(3).await, "");
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_once_after_everything_else() {
    let mut house = House::new();
    house.tell("FLN a\r\n").await;
    let ask = Ask::Data(b"OUT\r\n");
    let mut answer = house.session.serve(ask).await.unwrap();
    assert_eq!((answer.output(), answer.is_last()), (&b"FLN a\r\nOUT\r\n"[..], false));
    answer.written();
    let answer = house.session.serve(Ask::Poll(Duration::ZERO)).await.unwrap();
    assert_eq!((answer.output(), answer.is_last()), (&b""[..], true));
    // Not written: it is still there to be told.
    drop(answer);
    let mut answer = house.session.serve(ask).await.unwrap();
    assert!(answer.is_last() && !house.kept.is_finished());
    answer.written();
    assert_eq!(house.session.serve(ask).await.unwrap_err(), Refused::Over);
    (&mut house.kept).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_gone_after_its_time() {
    let mut house = House::new();
    for _ in 0..5 {
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        assert_eq!(house.poll(1).await, "");
    }
    let start = Instant::now();
    (&mut house.kept).await.unwrap();
    assert_eq!(Instant::now(), start + IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_no_silence() {
    let house = House::new();
    let start = Instant::now();
    let polled = house.ask(1, Ask::Poll(IDLE * 2)).await;
    assert_eq!((&*polled, Instant::now()), ("", start + IDLE * 2));
    assert_eq!(house.data(1, "PNG 1\r\n").await, "QNG 1\r\n");
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_holds_no_buffers() {
    let house = House::new();
    house.tell(&"FLN a\r\n".repeat(1000)).await;
    assert_eq!(house.poll(1).await.len(), 7000);
    assert!(house.session.state.lock().sent.is_some());
    sleep(REPEAT_WINDOW + Duration::from_millis(1)).await;
    assert!(house.session.state.lock().sent.is_none());
    assert_eq!(house.session.mouth.held_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_when_the_server_goes_down() {
    let mut house = House::new();
    house.draining.cancel();
    house.tell("OUT\r\n").await;
    let start = Instant::now();
    (&mut house.kept).await.unwrap();
    assert_eq!(Instant::now(), start);
}

impl House {
    /// Ends the stream and returns every line it said.
    async fn end(&mut self) -> Vec<String> {
        self.session.mouth.close();
        self.draining.cancel();
        (&mut self.kept).await.unwrap()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The answer arrives.
    Arrives,
    /// The client hangs up before there is an answer.
    HangsUp,
    /// The answer cannot be written.
    Unwritten,
    /// It is written and destroyed on its way, and the transport says so.
    Reset,
    /// It is written and does not arrive, and nobody says so; only commands can be in for that.
    Vanishes,
}

#[derive(Debug, Clone)]
enum Step {
    Data { commands: usize, fate: Fate, changes_connection: bool },
    Poll { wait: bool, fate: Fate, changes_connection: bool },
    News(usize),
    Both { commands: usize },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        1 => Just(Fate::HangsUp),
        1 => Just(Fate::Unwritten),
        1 => Just(Fate::Reset),
        1 => Just(Fate::Vanishes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_usize..4, fate(), any::<bool>()).prop_map(|(commands, fate, changes_connection)| {
            Step::Data { commands, fate, changes_connection }
        }),
        (any::<bool>(), fate(), any::<bool>()).prop_map(|(wait, fate, changes_connection)| {
            Step::Poll { wait, fate, changes_connection }
        }),
        (1_usize..2000).prop_map(Step::News),
        (1_usize..4).prop_map(|commands| Step::Both { commands }),
    ]
}

/// A client that asks again over a new connection when no answer has come.
struct Model {
    house: House,
    connection: u64,
    next: usize,
    heard: String,
}

impl Model {
    fn commands(&mut self, count: usize) -> String {
        let first = self.next;
        self.next += count;
        (first..self.next).map(|n| format!("PNG {n}\r\n")).collect()
    }

    /// Whether the answer arrived.
    async fn attempt(&mut self, ask: Ask<'_>, fate: Fate) -> bool {
        let session = self.house.session.clone();
        self.house.end_connection(self.connection, true);
        let mut serving = Box::pin(session.serve(ask));
        if let Fate::HangsUp = fate {
            select! {
                biased;
                _ = &mut serving => {}
                () = yield_now() => {}
            }
            return false;
        }
        let mut answer = serving.await.unwrap();
        let output = String::from_utf8(answer.output().to_vec()).unwrap();
        match fate {
            Fate::Unwritten => drop(answer),
            Fate::Reset => {
                answer.written();
                Box::new(answer).settled(false);
            }
            Fate::Vanishes => answer.written(),
            Fate::Arrives | Fate::HangsUp => {
                answer.written();
                self.house.receipts.lock().insert(self.connection, Box::new(answer));
                self.heard += &output;
                return true;
            }
        }
        false
    }

    async fn play(&mut self, step: Step) {
        match step {
            Step::News(count) => {
                let first = self.next;
                self.next += 1;
                self.house.tell(&format!("FLN {first}\r\n").repeat(count)).await;
            }
            Step::Data { commands, fate, changes_connection } => {
                if changes_connection {
                    self.connection = self.house.connection();
                }
                let body = self.commands(commands);
                let mut fate = fate;
                while !self.attempt(Ask::Data(body.as_bytes()), fate).await {
                    self.connection = self.house.connection();
                    fate = Fate::Arrives;
                }
            }
            Step::Poll { wait, fate, changes_connection } => {
                if changes_connection {
                    self.connection = self.house.connection();
                }
                let wait = if wait { Duration::from_secs(20) } else { Duration::ZERO };
                let fate = if let Fate::Vanishes = fate { Fate::Arrives } else { fate };
                if !self.attempt(Ask::Poll(wait), fate).await {
                    self.connection = self.house.connection();
                }
            }
            Step::Both { commands } => {
                let body = self.commands(commands);
                let other = self.house.connection();
                let heard = Mutex::new(String::new());
                let ask = async |connection, ask| {
                    let mut answer = self.house.session.serve(ask).await.unwrap();
                    // Heard in the order in which answers are written.
                    *heard.lock() += std::str::from_utf8(answer.output()).unwrap();
                    answer.written();
                    self.house.receipts.lock().insert(connection, Box::new(answer));
                };
                let long = Ask::Poll(Duration::from_secs(20));
                tokio::join!(ask(self.connection, long), ask(other, Ask::Data(body.as_bytes())));
                self.connection = other;
                self.heard += &heard.into_inner();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever becomes of the connections, the client hears exactly what the stream said, in its
    /// order, and every command is carried out once.
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(steps in prop::collection::vec(step(), 0..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (heard, said, commands) = runtime.block_on(async {
            let house = House::new();
            let mut model = Model { house, connection: 0, next: 0, heard: String::new() };
            for step in steps {
                model.play(step).await;
            }
            loop {
                let rest = model.house.poll(model.connection).await;
                if rest.is_empty() {
                    break;
                }
                assert!(rest.len() <= ANSWER_BYTES_MAX);
                model.heard += &rest;
            }
            let said = model.house.end().await;
            (model.heard, said, model.next)
        });
        let numbers: Vec<usize> = said
            .iter()
            .map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
            .collect();
        prop_assert_eq!(numbers, (0..commands).collect::<Vec<_>>());
        prop_assert_eq!(heard, said.concat());
    }
}
