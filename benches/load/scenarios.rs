//! What can be measured. Each scenario is a file; here is what they share.

mod chat;
mod login;
mod p2p;
mod ping;
mod presence_burst;
mod presence_turn;
mod talk;

use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{self, Wire, passport},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use clap::ValueEnum;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// How many sign in at once.
const SIGN_INS_AT_ONCE: usize = 32;

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// A storm of 10 000 accounts with 10 contacts each, 32 at a time, tickets in hand
    Login,
    /// One user changes status, the next change when all watchers have it
    PresenceTurn,
    /// Many users change status at once before the same 1000 watchers
    PresenceBurst,
    /// PNG and QNG on 100 connections
    Ping,
    /// 100 and 1000 conversations of two, one of whom writes
    Chat,
    /// Data as fast as it goes, in 20 conversations
    P2p,
}

/// One line for each scenario.
pub(crate) fn list() -> String {
    let line = |scenario: &Scenario| {
        let value = scenario.to_possible_value().unwrap();
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        format!("  {:<18} {help}", value.get_name())
    };
    Scenario::value_variants().iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::PresenceTurn => "presence-turn",
            Self::PresenceBurst => "presence-burst",
            Self::Ping => "ping",
            Self::Chat => "chat",
            Self::P2p => "p2p",
        }
    }

    /// The accounts of its largest case.
    pub(crate) fn accounts(self) -> Accounts {
        match self {
            Self::Login => login::accounts(),
            Self::PresenceTurn => presence_turn::accounts(presence_turn::WATCHERS_MAX),
            Self::PresenceBurst => presence_burst::accounts(presence_burst::CHANGERS_MAX),
            Self::Ping => ping::accounts(),
            Self::Chat => chat::accounts(chat::CONVERSATIONS_MAX),
            Self::P2p => p2p::accounts(),
        }
    }

    /// More than it needs on any machine that is of use.
    pub(crate) fn time_limit(self, options: &Options) -> Duration {
        let measurements = if self == Self::Chat { 32 } else { 12 };
        let measuring = Duration::from_secs(options.seconds) * options.rounds * measurements;
        measuring + Duration::from_secs(60) * options.rounds
    }

    pub(crate) async fn run(self, options: &Options) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Login => login::run(options).await,
            Self::PresenceTurn => presence_turn::run(options).await,
            Self::PresenceBurst => presence_burst::run(options).await,
            Self::Ping => ping::run(options).await,
            Self::Chat => chat::run(options).await,
            Self::P2p => p2p::run(options).await,
        }
    }
}

/// The accounts of a case: those of the fixture if one was given.
fn accounts_or(options: &Options, made: impl FnOnce() -> Accounts) -> anyhow::Result<Accounts> {
    options.fixture.as_deref().map_or_else(|| Ok(made()), Accounts::read)
}

/// Measures the server and the baselines in turn, a fresh process each time.
async fn compare(
    case: &str,
    kinds: &[Kind],
    accounts: &Accounts,
    options: &Options,
    measure: impl AsyncFn(&Arc<Target>, &Arc<Vec<Account>>) -> anyhow::Result<Sample>,
) -> anyhow::Result<HashMap<Kind, Vec<Sample>>> {
    let people = Arc::new(accounts.0.clone());
    let mut samples: HashMap<Kind, Vec<Sample>> = HashMap::new();
    for round in 1..=options.rounds {
        for kind in kinds {
            let target = Arc::new(Target::start(*kind, accounts, options).await?);
            let sample = measure(&target, &people).await?;
            eprintln!(
                "{case}: round {round}, {kind:?}: {:.0}/s, {:.2} µs of its processor for each",
                sample.rate(),
                sample.cpu_micros()
            );
            samples.entry(*kind).or_default().push(sample);
            if let Ok(target) = Arc::try_unwrap(target) {
                target.end().await?;
            }
        }
    }
    Ok(samples)
}

/// A row of the figures of two kinds.
fn row(
    (case, measure, against): (&str, &'static str, &'static str),
    samples: &HashMap<Kind, Vec<Sample>>,
    baseline: Kind,
    figure: impl Fn(&Sample) -> f64,
    goal: Goal,
) -> Row {
    let values: Vec<_> = samples[&Kind::Server]
        .iter()
        .zip(&samples[&baseline])
        .map(|(server, baseline)| (figure(server), figure(baseline)))
        .collect();
    Row::compare(case, measure, against, &values, goal)
}

/// Signs everybody in, some at a time; their connections, in the order of the accounts.
async fn sign_in_all(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
) -> anyhow::Result<Vec<Wire>> {
    let tickets = Arc::new(passport::tickets(target, people).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..SIGN_INS_AT_ONCE {
        let (target, people, tickets) = (target.clone(), people.clone(), tickets.clone());
        let next = next.clone();
        workers.spawn(async move {
            let mut wires = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(account) = people.get(number) else { return anyhow::Ok(wires) };
                wires.push((number, client::sign_in(&target, account, &tickets[number]).await?));
            }
        });
    }
    let mut all = Vec::with_capacity(people.len());
    while let Some(wires) = workers.join_next().await {
        all.extend(wires??);
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, wire)| wire).collect())
}

/// Reads these connections for ever, each in a task of its own; all end with the set. `each` makes
/// what looks at the frames of one.
fn listen_all<F>(
    board: &Arc<Board>,
    wires: Vec<Wire>,
    mut each: impl FnMut(usize) -> F,
) -> JoinSet<()>
where
    F: FnMut(client::Frame<'_>) -> anyhow::Result<()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (number, mut wire) in wires.into_iter().enumerate() {
        let (board, look) = (board.clone(), each(number));
        tasks.spawn(async move { board.listen(&mut wire, look).await });
    }
    tasks
}

/// Does `turn` again and again, for as long as one measurement takes. `turn` tells how many things
/// it did.
async fn repeat(
    target: &Target,
    options: &Options,
    mut turn: impl AsyncFnMut() -> anyhow::Result<u64>,
) -> anyhow::Result<Sample> {
    // What is done once is over after a few.
    for _ in 0..3 {
        turn().await?;
    }
    let (cpu_before, begun_at) = (target.cpu_time(), Instant::now());
    let mut count = 0;
    while begun_at.elapsed() < Duration::from_secs(options.seconds) {
        count += turn().await?;
    }
    let (elapsed, cpu) = (begun_at.elapsed(), target.cpu_time() - cpu_before);
    Ok(Sample { count, elapsed, cpu, latencies: Vec::new() })
}
