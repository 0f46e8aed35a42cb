//! The session machine against clients that hang up, ask again and ask twice at once. The stream's
//! other end is an echo: it answers each `PNG n` with `QNG n`, and tells news when a test says so.

mod order;

use super::*;
use crate::gateway::tunnel::{Tunnel, tunnel};
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
    receipts: Mutex<HashMap<u64, Answer>>,
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
        self.receipts.lock().insert(connection, answer);
        output
    }

    /// The last answer of a connection has arrived, or its client is known to have left before.
    fn end_connection(&self, connection: u64, has_arrived: bool) {
        if let Some(answer) = self.receipts.lock().remove(&connection) {
            answer.settled(has_arrived);
        }
    }

    /// The connection is reset: nobody will know.
    fn reset(&self, connection: u64) {
        drop(self.receipts.lock().remove(&connection));
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
async fn what_came_too_late_for_a_client_comes_again() {
    let house = House::new();
    house.tell("FLN a\r\n").await;
    assert_eq!(house.poll(1).await, "FLN a\r\n");
    house.end_connection(1, false);
    assert_eq!(house.poll(2).await, "FLN a\r\n");
    house.end_connection(2, true);
    assert_eq!(house.poll(3).await, "");
}

#[tokio::test(start_paused = true)]
async fn after_a_reset_nothing_is_told_twice_but_to_repeated_commands() {
    let house = House::new();
    house.tell("CHL 0 1\r\n").await;
    assert_eq!(house.poll(1).await, "CHL 0 1\r\n");
    house.reset(1);
    let start = Instant::now();
    assert_eq!(house.poll(2).await, "");
    assert_eq!(Instant::now(), start, "there is no word to wait for");
    assert_eq!(house.data(2, "PNG 1\r\n").await, "QNG 1\r\n");
    house.reset(2);
    assert_eq!(house.data(3, "PNG 1\r\n").await, "QNG 1\r\n");
    house.reset(3);
    assert_eq!(house.data(4, "PNG 2\r\n").await, "QNG 2\r\n");
    let mut house = house;
    assert_eq!(house.end().await, ["CHL 0 1\r\n", "QNG 1\r\n", "QNG 2\r\n"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_sent_is_shown() {
    let house = House::new();
    let mut answer = house.session.serve(Ask::Data(b"PNG secret\r\n")).await.unwrap();
    let shown = format!("{answer:?}");
    answer.written();
    house.session.mouth.feed(b"half of a secret");
    let shown = format!("{shown}{:?}{answer:?}", house.session);
    assert!(!shown.contains("secret") && shown.contains("output_bytes: 12"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn another_connection_waits_for_word_of_the_answer_before() {
    let house = House::new();
    house.tell("FLN a\r\n").await;
    assert_eq!(house.poll(1).await, "FLN a\r\n");
    let lost = async {
        yield_now().await;
        house.end_connection(1, false);
    };
    let (heard, ()) = tokio::join!(house.poll(2), lost);
    assert_eq!(heard, "FLN a\r\n");
    let start = Instant::now();
    assert_eq!(house.poll(3).await, "");
    assert_eq!(Instant::now(), start + VERDICT_WAIT, "no word is no loss");
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
