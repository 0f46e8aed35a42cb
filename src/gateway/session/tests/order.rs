//! The session machine at random: answers arrive, vanish or are destroyed, and requests come over
//! new connections and two at once.

use super::*;
use proptest::prelude::*;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The answer arrives.
    Arrives,
    /// The client hangs up before there is an answer.
    HangsUp,
    /// The answer cannot be written.
    Unwritten,
    /// It is written, but the client had closed its end before, and the transport says so.
    Lost,
    /// It arrives, and then the client resets the connection.
    ArrivesThenReset,
    /// It is written and destroyed by a reset, or on its way; only commands can be in for that.
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
        1 => Just(Fate::Lost),
        1 => Just(Fate::ArrivesThenReset),
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
            Fate::Lost => {
                answer.written();
                answer.settled(false);
            }
            Fate::Vanishes => answer.written(),
            Fate::ArrivesThenReset => {
                answer.written();
                self.heard += &output;
                self.connection = self.house.connection();
                return true;
            }
            Fate::Arrives | Fate::HangsUp => {
                answer.written();
                self.house.receipts.lock().insert(self.connection, answer);
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
                    self.house.receipts.lock().insert(connection, answer);
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
