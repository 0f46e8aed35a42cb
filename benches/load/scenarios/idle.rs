//! What a session costs that is signed in and silent: memory, measured from before the first of
//! them came to when all is quiet, and processor time.
//!
//! msnd runs on a data folder made by another process, and many have signed in and out before the
//! first figure is taken, as many at once as later: what is made on first use (caches of the
//! database, buffers of threads) is there, and next to nothing is free that sessions could fill.

use super::accounts_or;
use crate::{
    accounts::{Account, Accounts},
    client::Wire,
    crowd::{self, Crowd},
    machine,
    options::Options,
    report::{Goal, Row, median},
    seed,
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const SESSIONS: [usize; 3] = [1000, 5000, SESSIONS_MAX];
const SESSIONS_MAX: usize = 15_000;
const CONTACTS: usize = 10;
/// People who know each other.
pub(super) const CIRCLE: usize = 1000;
/// One of so many signs in and out before anything is measured.
const VISITORS_STEP: usize = 3;
/// How many connections come and go before those that are measured.
const VISITS: usize = 100;
/// What a session may need beyond what a connection needs anyway.
const KIB_MAX: f64 = 3.0;
/// How much more, in parts, it may be at one size than at another.
const GROWTH_MAX: f64 = 1.15;
/// One clock tick: as little as can be seen.
const IDLE_MS_MAX: f64 = 10.0;

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Figures {
    kib_each: f64,
    idle_ms: f64,
}

pub(super) fn accounts() -> Accounts {
    Accounts::circles(SESSIONS_MAX, CIRCLE, CONTACTS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    ensure!(options.server.is_none(), "memory can be read of a server that is started here only");
    let accounts = accounts_or(options, accounts)?;
    let folder = seed::folder(&accounts).await?;
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for sessions in SESSIONS {
        let case = format!("{sessions} sessions");
        if !options.wants(&case) {
            continue;
        }
        let (mut servers, mut tasks) = (Vec::new(), Vec::new());
        for round in 1..=options.rounds {
            let target = Target::on_folder(folder.path(), options, &[]).await?;
            servers.push(sessions_of(target, &accounts, sessions, options).await?);
            let nobody = Accounts(Vec::new());
            let target = Target::start(Kind::Raw("task"), &nobody, options).await?;
            tasks.push(tasks_of(target, sessions, options).await?);
            eprintln!("{case}: round {round}: {:?}, raw {:?}", servers.last(), tasks.last());
        }
        let kib = |figures: &[Figures]| median(figures.iter().map(|figures| figures.kib_each));
        let idle = |figures: &[Figures]| median(figures.iter().map(|figures| figures.idle_ms));
        let (server, task) = (kib(&servers), kib(&tasks));
        let raw = "raw task";
        let values: Vec<_> = servers
            .iter()
            .zip(&tasks)
            .map(|(server, task)| (server.kib_each, task.kib_each))
            .collect();
        rows.push(Row::compare(&case, "KiB/session", raw, &values, Goal::None));
        rows.push(Row::amount(&case, "KiB above that", raw, (server - task, task), KIB_MAX));
        let silent = (idle(&servers), idle(&tasks));
        rows.push(Row::amount(&case, "ms in silence", raw, silent, IDLE_MS_MAX));
        all.push((server, task));
    }
    if all.len() > 1 {
        let (servers, tasks): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let growth = (growth(&servers), growth(&tasks));
        rows.push(Row::amount("all sizes", "largest/smallest", "raw task", growth, GROWTH_MAX));
    }
    Ok(rows)
}

/// Signs in so many, all with contacts among them.
async fn sessions_of(
    target: Target,
    accounts: &Accounts,
    sessions: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let target = Arc::new(target);
    let people = accounts.0.get(..sessions).with_context(|| format!("{sessions} accounts"))?;
    crowd::pass_through(&target, &visitors(accounts)).await?;
    let before = memory(&target)?;
    let crowd = Crowd::gather(&target, people, sights(people)).await?;
    let figures = rest(&target, before, sessions, options).await?;
    crowd.board.check()?;
    drop(crowd);
    end(target).await?;
    Ok(figures)
}

/// The same with connections to a process that does nothing with them.
async fn tasks_of(
    target: Target,
    connections: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let target = Arc::new(target);
    for _ in 0..VISITS {
        connect(&target).await?;
    }
    crowd::quiet(&target).await?;
    let before = memory(&target)?;
    let mut wires = Vec::new();
    for _ in 0..connections {
        wires.push(connect(&target).await?);
    }
    crowd::quiet(&target).await?;
    let figures = rest(&target, before, connections, options).await?;
    drop(wires);
    end(target).await?;
    Ok(figures)
}

/// What has been taken since, and what silence takes.
async fn rest(
    target: &Target,
    before: u64,
    count: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let cpu_before = target.cpu_time();
    sleep(Duration::from_secs(options.seconds)).await;
    let idle = target.cpu_time() - cpu_before;
    let taken = memory(target)?.saturating_sub(before);
    let kib_each = taken as f64 / 1024.0 / count as f64;
    Ok(Figures { kib_each, idle_ms: idle.as_secs_f64() * 1000.0 })
}

/// A connection whose task is there, since it has answered.
async fn connect(target: &Target) -> anyhow::Result<Wire> {
    let mut wire = Wire::connect(target.notification).await?;
    wire.ask("PNG", "PNG").await?;
    Ok(wire)
}

/// Those who sign in and out before: some from all over the database, so that its caches, whose
/// size has a limit, are as full as sessions will make them.
pub(super) fn visitors(accounts: &Accounts) -> Vec<Account> {
    accounts.0.iter().step_by(VISITORS_STEP).cloned().collect()
}

/// How often somebody among these sees a contact come: everybody has all contacts in there.
pub(super) fn sights(people: &[Account]) -> usize {
    people.iter().map(|account| account.forward.len()).sum()
}

pub(super) fn memory(target: &Target) -> anyhow::Result<u64> {
    Ok(machine::resident_bytes(target.pid().context("the server has ended")?))
}

pub(super) async fn end(target: Arc<Target>) -> anyhow::Result<()> {
    match Arc::try_unwrap(target) {
        Ok(target) => target.end().await,
        Err(_) => Ok(()),
    }
}

fn growth(sizes: &[f64]) -> f64 {
    let largest = sizes.iter().copied().fold(f64::MIN, f64::max);
    let smallest = sizes.iter().copied().fold(f64::MAX, f64::min);
    largest / smallest
}
