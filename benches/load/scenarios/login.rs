//! Everybody signs in at once, as after a restart: `VER CVR USR USR SYN CHG`, the answer to the
//! challenge, and what those hear who are on each other's lists. All stay.

use super::{SIGN_INS_AT_ONCE, accounts_or, compare, row};
use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{self, Frame, passport},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{task::JoinSet, time::Instant};

const ACCOUNTS: usize = 10_000;
const CONTACTS: usize = 10;

pub(super) fn accounts() -> Accounts {
    Accounts::circle(ACCOUNTS, CONTACTS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let case = format!("{ACCOUNTS} accounts");
    let accounts = accounts_or(options, accounts)?;
    let kinds = [Kind::Server, Kind::Coalescing];
    let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
        let tickets = Arc::new(passport::tickets(target, people).await?);
        measure(target, people, tickets).await
    })
    .await?;
    let of = |measure| (case.as_str(), measure, "raw exchange");
    let goal = Goal::AtLeast(0.5);
    let cpu = Sample::cpu_micros;
    Ok(vec![
        row(of("sign-ins/s"), &samples, Kind::Coalescing, Sample::rate, goal),
        row(of("processor µs each"), &samples, Kind::Coalescing, cpu, Goal::None),
    ])
}

/// Over when everybody is in and has seen all their contacts.
async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    tickets: Arc<Vec<String>>,
) -> anyhow::Result<Sample> {
    let board = Arc::new(Board::new());
    let sights = people.iter().map(|account| account.forward.len()).sum();
    let numbers: Arc<HashMap<_, _>> = Arc::new(
        people
            .iter()
            .enumerate()
            .map(|(number, account)| (account.address.clone(), number))
            .collect(),
    );
    let (cpu_before, begun_at) = (target.cpu_time(), Instant::now());
    board.begin(sights);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..SIGN_INS_AT_ONCE {
        let (target, people, tickets) = (target.clone(), people.clone(), tickets.clone());
        let (next, board, numbers) = (next.clone(), board.clone(), numbers.clone());
        workers.spawn(async move {
            let mut staying = JoinSet::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(account) = people.get(number) else { return anyhow::Ok(staying) };
                let mut wire = client::sign_in(&target, account, &tickets[number]).await?;
                let (board, numbers) = (board.clone(), numbers.clone());
                let mut unseen = account.forward.clone();
                staying.spawn(async move {
                    let look = |frame: Frame<'_>| {
                        if let Some(address) = shown(frame) {
                            let number = numbers.get(std::str::from_utf8(address)?);
                            let at = unseen.iter().position(|unseen| Some(unseen) == number);
                            let at = at.with_context(|| format!("{:?} again", frame.shown()))?;
                            unseen.swap_remove(at);
                            board.delivered();
                        }
                        ensure!(!frame.line.starts_with(b"FLN"), "{:?}", frame.shown());
                        Ok(())
                    };
                    board.listen(&mut wire, look).await;
                });
            }
        });
    }
    let mut staying = Vec::new();
    while let Some(worker) = workers.join_next().await {
        staying.push(worker??);
    }
    board.finished().await?;
    let (elapsed, cpu) = (begun_at.elapsed(), target.cpu_time() - cpu_before);
    Ok(Sample { count: people.len() as u64, elapsed, cpu, latencies: Vec::new() })
}

/// The address of somebody who has come into sight.
fn shown(frame: Frame<'_>) -> Option<&[u8]> {
    let mut words = frame.words();
    match words.next()? {
        b"NLN" => words.nth(1),
        b"ILN" => words.nth(2),
        _ => None,
    }
}
