//! One user changes status; the next change comes when all watchers have this one. One line to each
//! of many connections: what fan-out costs where nothing can be gathered.

use super::{accounts_or, compare, listen_all, repeat, row, sign_in_all};
use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{CLIENT_ID, Frame},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use std::sync::Arc;

/// Sizes.
const WATCHERS: [usize; 3] = [100, 1000, WATCHERS_MAX];
pub(super) const WATCHERS_MAX: usize = 10_000;
const STATUSES: [&str; 2] = ["BSY", "AWY"];

pub(super) fn accounts(watchers: usize) -> Accounts {
    Accounts::audience(1, watchers)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for watchers in WATCHERS {
        let case = format!("{watchers} watchers");
        if !options.wants(&case) {
            continue;
        }
        let mut accounts = accounts_or(options, || accounts(watchers))?;
        accounts.0.truncate(watchers + 1);
        let kinds = [Kind::Server, Kind::Direct];
        let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
            measure(target, people, options).await
        })
        .await?;
        let goal = Goal::AtLeast(0.9);
        let of = |measure| (case.as_str(), measure, "raw writer");
        rows.push(row(of("lines/s"), &samples, Kind::Direct, Sample::rate, goal));
        let p99 = |sample: &Sample| sample.percentile_micros(99);
        rows.push(row(of("p99, µs"), &samples, Kind::Direct, p99, Goal::AtMost(1.3)));
        let cpu = Sample::cpu_micros;
        rows.push(row(of("processor µs/line"), &samples, Kind::Direct, cpu, Goal::None));
    }
    Ok(rows)
}

/// Account 0 changes, all others watch.
pub(super) async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    options: &Options,
) -> anyhow::Result<Sample> {
    let mut wires = sign_in_all(target, people).await?;
    let mut changer = wires.remove(0);
    let Account { address, name, .. } = people.first().context("nobody is there")?.clone();
    let (board, expected) = (Arc::new(Board::new()), Arc::new(Mutex::new(Vec::new())));
    let watchers = wires.len();
    let initial = CLIENT_ID.to_string();
    let tasks = listen_all(&board, wires, |_| {
        let (board, expected, initial) = (board.clone(), expected.clone(), initial.clone());
        move |frame: Frame<'_>| {
            // What it had when it signed in counts for nothing.
            if frame.line.starts_with(b"NLN ") && !frame.line.ends_with(initial.as_bytes()) {
                ensure!(frame.line == *expected.lock(), "{:?} is not expected", frame.shown());
                board.delivered();
            }
            Ok(())
        }
    });
    let turn = async || {
        let turn = board.begin(watchers);
        let (status, client_id) = (STATUSES[turn as usize % STATUSES.len()], CLIENT_ID + turn);
        *expected.lock() = format!("NLN {status} {address} {name} {client_id}").into_bytes();
        let line = format!("CHG 7 {status} {client_id}\r\n");
        changer.send(line.as_bytes()).await?;
        board.finished().await?;
        changer.line(line.trim_end()).await?;
        Ok(watchers as u64)
    };
    let mut sample = repeat(target, options, turn).await?;
    sample.latencies = board.take_latencies();
    drop(tasks);
    Ok(sample)
}
