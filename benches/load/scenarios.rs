//! What can be measured. Each scenario is a file; here is what they share.

mod chat;
mod gateway;
mod growth;
mod idle;
pub(crate) mod lists;
mod login;
mod p2p;
mod ping;
mod presence_burst;
mod presence_mesh;
mod presence_turn;
mod startup;
mod talk;

use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{self, Wire, passport},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

/// How many sign in at once.
const SIGN_INS_AT_ONCE: usize = 32;

/// Something that can be measured.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One line for people.
    about: &'static str,
    /// The accounts of its largest case.
    pub(crate) accounts: fn() -> Accounts,
    /// About how many times `--seconds` one round takes.
    measurements: u32,
    /// Whether it runs with `all`.
    pub(crate) is_among_all: bool,
    run: Run,
}

/// The rows of a scenario.
type Rows = anyhow::Result<Vec<Row>>;
type Run = for<'a> fn(&'a Options) -> Pin<Box<dyn Future<Output = Rows> + 'a>>;

/// A row of [`SCENARIOS`].
macro_rules! scenario {
    ($name:literal, $accounts:expr, $run:path, $measurements:literal, $about:literal) => {
        Scenario {
            name: $name,
            about: $about,
            accounts: $accounts,
            measurements: $measurements,
            is_among_all: true,
            run: |options| Box::pin($run(options)),
        }
    };
}

/// All that can be measured.
pub(crate) static SCENARIOS: [Scenario; 13] = [
    scenario!(
        "login",
        login::accounts,
        login::run,
        4,
        "A storm of 10 000 accounts with 10 contacts each, 32 at a time, tickets in hand"
    ),
    scenario!(
        "login-passport",
        login::accounts,
        login::run_with_passport,
        4,
        "The same with nexus and login over plain HTTP, each on a connection of its own"
    ),
    scenario!(
        "presence-turn",
        presence_turn::most_accounts,
        presence_turn::run,
        8,
        "One user changes status, the next change when all watchers have it"
    ),
    scenario!(
        "presence-burst",
        presence_burst::most_accounts,
        presence_burst::run,
        8,
        "Many users change status at once before the same 1000 watchers"
    ),
    scenario!(
        "presence-mesh",
        presence_mesh::accounts,
        presence_mesh::run,
        60,
        "10 000 users with 50 contacts each come, change and go at random, ten times --seconds long"
    ),
    scenario!(
        "chat",
        chat::most_accounts,
        chat::run,
        32,
        "100 and 1000 conversations of two, one of whom writes"
    ),
    scenario!("p2p", p2p::accounts, p2p::run, 4, "Data as fast as it goes, in 20 conversations"),
    scenario!("ping", ping::accounts, ping::run, 8, "PNG and QNG on 100 connections"),
    scenario!(
        "idle",
        idle::accounts,
        idle::run,
        12,
        "Memory and processor time of sessions that are silent"
    ),
    scenario!(
        "lists",
        lists::accounts,
        lists::run,
        4,
        "100 users adding and removing contacts, each edit on disk before it is acknowledged"
    ),
    scenario!(
        "startup",
        startup::accounts,
        startup::run,
        12,
        "Process start to ready line: nothing kept, no accounts, 100 000 accounts"
    ),
    scenario!(
        "gateway",
        gateway::accounts,
        gateway::run,
        8,
        "Turns before 1000 watchers, without and with 500 sessions polling the HTTP gateway"
    ),
    Scenario {
        name: "growth",
        about: "How cost grows with sessions and contacts; takes many minutes, so it is not in `all`",
        accounts: growth::most_accounts,
        measurements: 600,
        is_among_all: false,
        run: |options| Box::pin(growth::run(options)),
    },
];

/// The one of this name.
pub(crate) fn find(name: &str) -> Result<&'static Scenario, String> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| format!("there is no scenario `{name}`; there are `all` and\n{}", list()))
}

/// One line for each scenario.
pub(crate) fn list() -> String {
    let line = |Scenario { name, about, .. }: &Scenario| format!("  {name:<18} {about}");
    SCENARIOS.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Scenario {
    pub(crate) async fn run(&self, options: &Options) -> Rows {
        // More than it needs on any machine that is of use; before a round, accounts are made.
        let measuring = Duration::from_secs(options.seconds) * options.rounds * self.measurements;
        let limit = measuring + Duration::from_secs(120) * (options.rounds + 1);
        let run = timeout(limit, (self.run)(options)).await;
        run.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {limit:?}")))
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
