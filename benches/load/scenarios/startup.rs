//! From the start of the process to its ready line, and what the start of `true` takes: without a
//! database, with an empty one, and with one of 100 000 accounts. The folders are not new.

use crate::{
    accounts::Accounts,
    machine,
    options::Options,
    report::{Goal, Row, median},
    seed,
    target::LISTENERS,
};
use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::{Instant, timeout},
};

const ACCOUNTS: usize = 100_000;
/// Accounts in one transaction while seeding, and in one circle of contacts. Few contacts, since
/// making so many rows takes long.
const CIRCLE: usize = 1000;
const CONTACTS: usize = 2;
/// Starts of each kind in a round.
const STARTS: usize = 20;
/// How long a start or an end may take.
const WAIT: Duration = Duration::from_secs(60);
const MS_MAX: f64 = 50.0;
/// How much longer, in parts, all those accounts may make it.
const GROWTH_MAX: f64 = 1.2;

pub(super) fn accounts() -> Accounts {
    Accounts::circles(ACCOUNTS, CIRCLE, CONTACTS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    ensure!(options.server.is_none(), "a server that runs already cannot be started");
    let empty = seed::folder(&Accounts(Vec::new())).await?;
    let large = seed::folder(&accounts()).await?;
    // The first start makes a certificate.
    for folder in [&empty, &large] {
        start(on_folder(folder.path(), options), options).await?;
    }
    let names = ["nothing kept", "empty data folder", "100 000 accounts"];
    let (mut trues, mut starts) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    for round in 1..=options.rounds {
        for _ in 0..STARTS {
            trues.push(start(Command::new("true"), options).await?);
            let mut ephemeral = Command::new(&options.msnd);
            ephemeral.args(["run", "--ready-json", "--ephemeral"]);
            let commands =
                [ephemeral, on_folder(empty.path(), options), on_folder(large.path(), options)];
            for (command, times) in commands.into_iter().zip(&mut starts) {
                times.push(start(command, options).await?);
            }
        }
        eprintln!("startup: round {round} of {} is done", options.rounds);
    }
    let middle = |times: &Vec<f64>| median(times.iter().copied());
    let mut rows: Vec<_> = names
        .iter()
        .zip(&starts)
        .map(|(case, times)| {
            let pair = (middle(times), middle(&trues));
            Row::amount(case, "ms to ready", "start of true", pair, MS_MAX)
        })
        .collect();
    let [_, empty, large] = starts;
    let pairs: Vec<_> = large.into_iter().zip(empty).collect();
    let goal = Goal::AtMost(GROWTH_MAX);
    rows.push(Row::compare(names[2], "ms to ready", "empty data folder", &pairs, goal));
    Ok(rows)
}

fn on_folder(folder: &Path, options: &Options) -> Command {
    let mut command = Command::new(&options.msnd);
    command.args(["run", "--ready-json", "--data-dir"]).arg(folder);
    for setting in LISTENERS.into_iter().chain(["passport.https_bind=127.0.0.1:0"]) {
        command.args(["--set", setting]);
    }
    command
}

/// Milliseconds until a program prints its first line, or ends without one. Ended gently, so that
/// it leaves nothing to be mended by the next.
async fn start(mut command: Command, options: &Options) -> anyhow::Result<f64> {
    let mut line = String::new();
    machine::stay_on(&options.server_cores);
    let begun_at = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    machine::stay_on(&options.load_cores);
    let mut child = child.with_context(|| format!("cannot start {command:?}"))?;
    let stdout = child.stdout.take().context("no output")?;
    let read = timeout(WAIT, BufReader::new(stdout).read_line(&mut line)).await;
    let elapsed = begun_at.elapsed();
    read.with_context(|| format!("{command:?} hangs"))??;
    if !line.is_empty() {
        ensure!(line.starts_with('{'), "{line:?} is no ready line");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(pid.context("the server has ended")?, Signal::TERM)?;
    }
    let status = timeout(WAIT, child.wait()).await.context("the server does not end")??;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(elapsed.as_secs_f64() * 1000.0)
}
