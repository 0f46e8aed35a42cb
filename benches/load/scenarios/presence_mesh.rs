//! A whole network at random: people change status, sign out and come back, each before all their
//! contacts. Some actors at once, each waiting only for the answer to its own deed. What everybody
//! sees of everybody is followed line by line, and compared with the truth in the end.

mod truth;

use super::{accounts_or, compare, row};
use crate::{
    accounts::{Account, Accounts},
    client::{self, Frame, Sender, Wire, passport},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use anyhow::{Context as _, bail, ensure};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep},
};
use truth::{Deed, Truth};

const ACCOUNTS: usize = 10_000;
const CONTACTS: usize = 50;
/// Each has its own people, so that nobody does two things at once.
const ACTORS: usize = 64;
/// One deed of so many is to sign out, and as many are to come back.
const SIGN_OUT_ONE_IN: usize = 20;
/// It lasts so many times as long as the measurement of a rate.
const TIMES_AS_LONG: u32 = 10;
/// How long the last lines may take, and how often to look.
const SETTLE_WAIT: Duration = Duration::from_secs(20);
const SETTLE_LOOK: Duration = Duration::from_millis(20);

pub(super) fn accounts() -> Accounts {
    Accounts::circle(ACCOUNTS, CONTACTS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let accounts = accounts_or(options, accounts)?;
    let case = format!("{} users", accounts.0.len());
    eprintln!("{case}: --seed {}", options.seed);
    let kinds = [Kind::Server, Kind::Coalescing];
    let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
        measure(target, people, options).await
    })
    .await?;
    let of = |measure| (case.as_str(), measure, "coalescing writer");
    let goal = Goal::AtLeast(0.6);
    let cpu = Sample::cpu_micros;
    Ok(vec![
        row(of("deliveries/s"), &samples, Kind::Coalescing, Sample::rate, goal),
        row(of("processor µs each"), &samples, Kind::Coalescing, cpu, Goal::None),
    ])
}

async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    options: &Options,
) -> anyhow::Result<Sample> {
    ensure!(target.has_endless_tickets(), "people sign in again here: use --passport");
    // One for the first sign-in, and one so that coming back is hardly ever about Passport.
    let first = passport::tickets(target, people).await?;
    let second = passport::tickets(target, people).await?;
    let tickets = first.into_iter().zip(second);
    let mesh = Arc::new(Mesh {
        truth: Truth::new(people.clone()),
        tickets: tickets.map(|(first, second)| Mutex::new(vec![first, second])).collect(),
        seats: people.iter().map(|_| Seat::default()).collect(),
        pongs: AtomicUsize::new(0),
    });
    let actor = |number| Actor::new(&mesh, target, number, options.seed);
    let actors = all((0..ACTORS).map(actor).collect(), None).await?;
    mesh.settled().await?;

    let (cpu_before, begun_at) = (target.cpu_time(), Instant::now());
    let delivered_before = mesh.truth.delivered();
    let end = begun_at + Duration::from_secs(options.seconds) * TIMES_AS_LONG;
    let actors = all(actors, Some(end)).await?;
    mesh.settled().await?;
    let (elapsed, cpu) = (begun_at.elapsed(), target.cpu_time() - cpu_before);
    let count = mesh.truth.delivered() - delivered_before;

    mesh.nothing_is_behind().await?;
    let deeds: usize = actors.iter().map(|actor| actor.deeds).sum();
    let sign_ins: usize = actors.iter().map(|actor| actor.sign_ins).sum();
    eprintln!(
        "{deeds} deeds, {sign_ins} of them sign-ins; {count} deliveries, all as they must be"
    );
    Ok(Sample { count, elapsed, cpu, latencies: Vec::new() })
}

/// Has all actors bring their people in, or act until then.
async fn all(actors: Vec<Actor>, until: Option<Instant>) -> anyhow::Result<Vec<Actor>> {
    let mut tasks = JoinSet::new();
    for mut actor in actors {
        tasks.spawn(async move {
            match until {
                None => actor.bring_all().await?,
                Some(end) => actor.act(end).await?,
            }
            anyhow::Ok(actor)
        });
    }
    let mut actors = Vec::new();
    while let Some(actor) = tasks.join_next().await {
        actors.push(actor??);
    }
    Ok(actors)
}

/// What all have in common.
struct Mesh {
    truth: Truth,
    tickets: Vec<Mutex<Vec<String>>>,
    seats: Vec<Seat>,
    pongs: AtomicUsize,
}

/// One person's connection, if there is one.
#[derive(Default)]
struct Seat {
    out: Mutex<Option<Sender>>,
    /// The server has answered what was sent last.
    answered: Notify,
    is_leaving: AtomicBool,
}

impl Mesh {
    /// Waits until everybody sees everybody as they are.
    async fn settled(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE_WAIT;
        loop {
            self.truth.check()?;
            let Some(difference) = self.truth.difference() else { return Ok(()) };
            ensure!(Instant::now() < deadline, "at last {difference}");
            sleep(SETTLE_LOOK).await;
        }
    }

    /// Has everybody ask for something, behind which nothing more must have come.
    async fn nothing_is_behind(&self) -> anyhow::Result<()> {
        let delivered = self.truth.delivered();
        let mut awaited = 0;
        for seat in &self.seats {
            let out = seat.out.lock().clone();
            if let Some(out) = out {
                out.send(b"PNG\r\n").await?;
                awaited += 1;
            }
        }
        let deadline = Instant::now() + SETTLE_WAIT;
        while self.pongs.load(Ordering::Relaxed) < awaited {
            self.truth.check()?;
            ensure!(Instant::now() < deadline, "not every ping is answered");
            sleep(SETTLE_LOOK).await;
        }
        self.truth.check()?;
        ensure!(self.truth.delivered() == delivered, "something was told that nobody did");
        Ok(())
    }

    /// Reads somebody's connection to its end.
    async fn listen(&self, number: usize, mut wire: Wire) {
        let seat = &self.seats[number];
        loop {
            let mut challenge = None;
            let mut look = |frame: Frame<'_>| {
                match frame.line.get(..3).unwrap_or_default() {
                    b"CHG" => {
                        self.truth.is_done(number, frame)?;
                        seat.answered.notify_one();
                    }
                    b"CHL" => {
                        let text = String::from_utf8_lossy(frame.line);
                        challenge = text.strip_prefix("CHL 0 ").map(str::to_owned);
                        self.truth.has_seen_all(number);
                    }
                    b"QNG" => {
                        self.pongs.fetch_add(1, Ordering::Relaxed);
                    }
                    b"OUT" if seat.is_leaving.load(Ordering::Relaxed) => {}
                    _ if frame.is_trouble() => bail!("the server says {:?}", frame.shown()),
                    _ => self.truth.hear(number, frame)?,
                }
                Ok(())
            };
            let read = wire.frames(|frame| {
                look(frame).unwrap_or_else(|error| self.truth.wrong(number, &error));
                Ok(())
            });
            let mut ended = read.await;
            if let (Ok(()), Some(challenge)) = (&ended, challenge) {
                ended = wire.answer(&challenge).await;
            }
            if let Err(error) = ended {
                if seat.is_leaving.load(Ordering::Relaxed) {
                    self.truth.has_gone(number);
                } else {
                    self.truth.wrong(number, &error);
                }
                seat.answered.notify_one();
                return;
            }
        }
    }
}

/// Does what its people do, one thing after the other.
struct Actor {
    mesh: Arc<Mesh>,
    target: Arc<Target>,
    /// Its people: who is there, and who is not.
    here: Vec<usize>,
    away: Vec<usize>,
    random: Random,
    deeds: usize,
    sign_ins: usize,
    listeners: JoinSet<()>,
}

impl Actor {
    fn new(mesh: &Arc<Mesh>, target: &Arc<Target>, number: usize, seed: u64) -> Self {
        Self {
            mesh: mesh.clone(),
            target: target.clone(),
            here: Vec::new(),
            away: (number..mesh.seats.len()).step_by(ACTORS).collect(),
            random: Random(seed ^ (number as u64) << 32),
            deeds: 0,
            sign_ins: 0,
            listeners: JoinSet::new(),
        }
    }

    async fn bring_all(&mut self) -> anyhow::Result<()> {
        while !self.away.is_empty() {
            self.come().await?;
        }
        Ok(())
    }

    async fn act(&mut self, end: Instant) -> anyhow::Result<()> {
        while self.here.len() + self.away.len() > 0 && Instant::now() < end {
            match self.random.below(SIGN_OUT_ONE_IN) {
                0 if self.here.len() > 1 => self.go().await?,
                1 if !self.away.is_empty() => {
                    self.come().await?;
                    self.sign_ins += 1;
                }
                _ => {
                    let person = self.here[self.random.below(self.here.len())];
                    let line = self.mesh.truth.begin(person, Deed::Change);
                    self.say(person, &line).await?;
                }
            }
            self.deeds += 1;
        }
        Ok(())
    }

    async fn come(&mut self) -> anyhow::Result<()> {
        let person = self.away.swap_remove(self.random.below(self.away.len()));
        self.here.push(person);
        let account = self.mesh.truth.account(person);
        let spare = self.mesh.tickets[person].lock().pop();
        let ticket = match spare {
            Some(ticket) => ticket,
            None => passport::ticket(&self.target, account).await?,
        };
        let wire = client::log_in(&self.target, account, &ticket).await?;
        *self.mesh.seats[person].out.lock() = Some(wire.sender());
        let line = self.mesh.truth.begin(person, Deed::Come);
        let mesh = self.mesh.clone();
        self.listeners.spawn(async move { mesh.listen(person, wire).await });
        self.say(person, &line).await
    }

    async fn go(&mut self) -> anyhow::Result<()> {
        let person = self.here.swap_remove(self.random.below(self.here.len()));
        self.away.push(person);
        self.mesh.truth.begin(person, Deed::Go);
        let seat = &self.mesh.seats[person];
        seat.is_leaving.store(true, Ordering::Relaxed);
        self.say(person, "OUT").await?;
        seat.is_leaving.store(false, Ordering::Relaxed);
        *seat.out.lock() = None;
        Ok(())
    }

    /// Sends a line and waits until it is answered.
    async fn say(&self, person: usize, line: &str) -> anyhow::Result<()> {
        let seat = &self.mesh.seats[person];
        let out = seat.out.lock().clone().context("not connected")?;
        out.send(format!("{line}\r\n").as_bytes()).await?;
        seat.answered.notified().await;
        self.mesh.truth.check()
    }
}

/// Numbers that look like chance and are the same each time (splitmix64).
struct Random(u64);

impl Random {
    const fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
