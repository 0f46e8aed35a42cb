//! Turns of one changer before watchers on TCP, without and with many sessions beside them that poll
//! the HTTP gateway: whether these slow the others down. Both on one and the same server, in turn.

use super::{accounts_or, presence_turn::Audience};
use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{self, CLIENT_ID, Frame, Sender, Wire, gateway::Gated, passport},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// On TCP: one who changes and so many who watch.
const WATCHERS: usize = 1000;
/// Behind the gateway: so many, who watch somebody else.
const POLLERS: usize = 500;
/// How many of them sign in at once.
const SIGN_INS_AT_ONCE: usize = 16;
/// How long clients wait from one poll to the next.
const POLL_EVERY: Duration = Duration::from_millis(2500);
/// How long the one they watch keeps a status.
const CHANGE_EVERY: Duration = Duration::from_millis(1700);
const STATUSES: [&str; 2] = ["BSY", "AWY"];

pub(super) fn accounts() -> Accounts {
    let mut accounts = Accounts::audience(1, WATCHERS);
    let seen = accounts.0.len();
    accounts.0.extend(Accounts::strangers(seen + 1 + POLLERS).0.into_iter().skip(seen));
    accounts.0.iter_mut().skip(seen + 1).for_each(|account| account.forward = vec![seen]);
    accounts
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    ensure!(
        options.server.is_none() || options.gateway.is_some(),
        "where is the HTTP gateway of that server? (--gateway)"
    );
    let accounts = accounts_or(options, accounts)?;
    ensure!(
        accounts.0.len() == accounts_wanted(),
        "the fixture must be the one that `fixture gateway` prints"
    );
    let target = Arc::new(Target::start(Kind::Server, &accounts, options).await?);
    ensure!(target.has_endless_tickets(), "sessions sign in again here: use --passport");
    let mut everybody = accounts.0;
    let pollers = Arc::new(everybody.split_off(WATCHERS + 2));
    let seen = everybody.pop().context("nobody is there")?;
    let mut audience = Audience::gather(&target, &Arc::new(everybody)).await?;
    let mut samples: Vec<(Sample, Sample)> = Vec::new();
    let mut before = audience.measure(&target, options).await?;
    for round in 1..=options.rounds {
        let crowd = Crowd::gather(&target, &seen, &pollers).await?;
        let with = audience.measure(&target, options).await?;
        let polls = crowd.disperse().await?;
        // Compared with before and behind, since a machine has slower and faster minutes.
        let behind = audience.measure(&target, options).await?;
        let without = together(&before, &behind);
        before = behind;
        eprintln!(
            "round {round}: {:.0}/s without, {:.0}/s with {POLLERS} sessions, {polls} polls",
            without.rate(),
            with.rate()
        );
        samples.push((with, without));
    }
    let is_ours = target.pid().is_some();
    drop(audience);
    if let Ok(target) = Arc::try_unwrap(target) {
        target.end().await?;
    }
    let case = format!("{WATCHERS} TCP, {POLLERS} HTTP");
    let row = |measure, figure: fn(&Sample) -> f64, goal| {
        let values: Vec<_> =
            samples.iter().map(|(with, without)| (figure(with), figure(without))).collect();
        Row::compare(&case, measure, "no HTTP sessions", &values, goal)
    };
    let mut rows = vec![
        row("lines/s", Sample::rate, Goal::AtLeast(0.9)),
        row("p99, µs", |sample| sample.percentile_micros(99), Goal::AtMost(1.1)),
    ];
    if is_ours {
        rows.push(row("processor µs/line", Sample::cpu_micros, Goal::None));
    }
    Ok(rows)
}

fn together(one: &Sample, other: &Sample) -> Sample {
    Sample {
        count: one.count + other.count,
        elapsed: one.elapsed + other.elapsed,
        cpu: one.cpu + other.cpu,
        latencies: [&*one.latencies, &*other.latencies].concat(),
    }
}

const fn accounts_wanted() -> usize {
    1 + WATCHERS + 1 + POLLERS
}

/// Those behind the gateway, who poll in tasks of their own, and the one they watch, who changes now
/// and then.
struct Crowd {
    shared: Arc<Shared>,
    tasks: JoinSet<anyhow::Result<()>>,
    /// Keeps the one they watch online until they are gone.
    _online: Sender,
}

struct Shared {
    board: Board,
    /// How often the one they watch has changed. Its client id is as much above [`CLIENT_ID`].
    changes: AtomicU32,
    changes_are_over: AtomicBool,
    is_over: AtomicBool,
    polls: AtomicU64,
    /// The one they watch.
    seen: Account,
}

impl Crowd {
    async fn gather(
        target: &Arc<Target>,
        seen: &Account,
        pollers: &Arc<Vec<Account>>,
    ) -> anyhow::Result<Self> {
        let ticket = passport::ticket(target, seen).await?;
        let changer = client::sign_in(target, seen, &ticket).await?;
        let shared = Arc::new(Shared {
            board: Board::new(),
            changes: AtomicU32::new(0),
            changes_are_over: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            seen: seen.clone(),
        });
        let tickets = Arc::new(passport::tickets(target, pollers).await?);
        let mut workers = JoinSet::new();
        for worker in 0..SIGN_INS_AT_ONCE {
            let (target, pollers, tickets) = (target.clone(), pollers.clone(), tickets.clone());
            workers.spawn(async move {
                let mut sessions = Vec::new();
                for number in (worker..pollers.len()).step_by(SIGN_INS_AT_ONCE) {
                    let ticket = &tickets[number];
                    sessions.push(Gated::sign_in(&target, number, &pollers[number], ticket).await?);
                }
                anyhow::Ok(sessions)
            });
        }
        let mut sessions = Vec::new();
        while let Some(signed_in) = workers.join_next().await {
            sessions.extend(signed_in??);
        }
        let (mut tasks, begun_at, online) = (JoinSet::new(), Instant::now(), changer.sender());
        for (number, session) in sessions.into_iter().enumerate() {
            // Spread over the interval, as clients are.
            let first = begun_at + POLL_EVERY * number as u32 / pollers.len() as u32;
            let shared = shared.clone();
            tasks.spawn(async move { shared.watched(shared.poll_for_ever(session, first)).await });
        }
        let changing = shared.clone();
        tasks.spawn(async move { changing.watched(changing.change_for_ever(changer)).await });
        Ok(Self { shared, tasks, _online: online })
    }

    /// Has everybody ask once more, when nothing changes any more, and sign out. How many polls
    /// there were.
    async fn disperse(mut self) -> anyhow::Result<u64> {
        self.shared.board.check()?;
        self.shared.changes_are_over.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task??;
        }
        Ok(self.shared.polls.load(Ordering::Relaxed))
    }
}

impl Shared {
    /// Notes what goes wrong at once, not only in the end.
    async fn watched(&self, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let outcome = work.await;
        if let Err(error) = &outcome {
            self.board.wrong(format!("{error:#}"));
            self.is_over.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn poll_for_ever(&self, mut session: Gated, first: Instant) -> anyhow::Result<()> {
        let Account { address, name, .. } = &self.seen;
        // What the next line must say; the first is what was there at sign-in.
        let mut heard = None;
        let mut at = first;
        loop {
            sleep_until(at).await;
            at += POLL_EVERY;
            let is_last = self.is_over.load(Ordering::Relaxed);
            session
                .poll(|frame: Frame<'_>| {
                    let is_initial = frame.line.starts_with(b"ILN ");
                    if !is_initial && !frame.line.starts_with(b"NLN ") {
                        ensure!(!frame.line.starts_with(b"FLN "), "{:?}", frame.shown());
                        return Ok(());
                    }
                    ensure!(is_initial == heard.is_none(), "{:?} is odd", frame.shown());
                    let change = heard.map_or(0, |heard| heard + 1);
                    let status = if change == 0 { "NLN" } else { status(change) };
                    let rest = format!(" {status} {address} {name} {}", CLIENT_ID + change);
                    ensure!(
                        frame.line.ends_with(rest.as_bytes()),
                        "{:?} instead of{rest:?}",
                        frame.shown()
                    );
                    heard = Some(change);
                    Ok(())
                })
                .await?;
            self.polls.fetch_add(1, Ordering::Relaxed);
            if is_last {
                let changes = self.changes.load(Ordering::Relaxed);
                ensure!(heard == Some(changes), "heard up to {heard:?} of {changes} changes");
                return session.sign_out().await;
            }
        }
    }

    async fn change_for_ever(&self, mut changer: Wire) -> anyhow::Result<()> {
        let mut change = 0;
        while !self.changes_are_over.load(Ordering::Relaxed) {
            change += 1;
            let line = format!("CHG 7 {} {}", status(change), CLIENT_ID + change);
            changer.ask(&line, &line).await?;
            self.changes.store(change, Ordering::Relaxed);
            sleep(CHANGE_EVERY).await;
        }
        // The last change was a while ago, so all there is to hear is there.
        self.is_over.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The status behind a change.
fn status(change: u32) -> &'static str {
    STATUSES[change as usize % STATUSES.len()]
}
