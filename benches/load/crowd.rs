//! Many who sign in, a few at a time, and stay: all listen, and have seen all their contacts when
//! the crowd is there.

use crate::{
    accounts::Account,
    board::Board,
    client::{self, Frame, Wire, passport},
    target::Target,
};
use anyhow::{bail, ensure};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How many sign in at once: few, so that what the server needs for sign-ins that go on is small
/// beside what it keeps of those that are over.
const AT_ONCE: usize = 8;
/// How many tickets are fetched ahead: few lie in the server's memory.
const PORTION: usize = 250;
/// A server is quiet when it has used no processor time for so long.
const QUIET: Duration = Duration::from_millis(500);
/// How long it may take to become so.
const QUIET_WAIT: Duration = Duration::from_secs(60);

/// People who are signed in and listen, until this is dropped.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) board: Arc<Board>,
    /// The line about somebody's presence that may come; any, while this is empty.
    pub(crate) expected: Arc<Mutex<Vec<u8>>>,
    /// Processor time of the server for their sign-ins and what these cause, without tickets.
    pub(crate) cpu: Duration,
    _listening: Vec<JoinSet<()>>,
}

impl Crowd {
    /// Signs people in and waits until they have seen each other, which is so many sights.
    pub(crate) async fn gather(
        target: &Arc<Target>,
        people: &[Account],
        sights: usize,
    ) -> anyhow::Result<Self> {
        let (board, expected) = (Arc::new(Board::new()), Arc::<Mutex<Vec<u8>>>::default());
        board.begin(sights);
        let (mut cpu, mut listening) = (Duration::ZERO, Vec::new());
        for portion in people.chunks(PORTION) {
            let tickets = passport::tickets(target, &Arc::new(portion.to_vec())).await?;
            let before = target.cpu_time();
            let (board_of, expected_of) = (board.clone(), expected.clone());
            let stay = move |wire, listening: &mut JoinSet<()>| {
                listening.spawn(listen(board_of.clone(), expected_of.clone(), wire));
            };
            listening.extend(admit(target, portion, tickets, stay).await?);
            cpu += target.cpu_time() - before;
            board.check()?;
        }
        let before = target.cpu_time();
        if let Ok(seen) = timeout(QUIET_WAIT, board.finished()).await {
            seen?;
        } else {
            bail!("{} sights of contacts were lost", board.awaited());
        }
        quiet(target).await?;
        cpu += target.cpu_time() - before;
        board.take_latencies();
        board.check()?;
        Ok(Self { board, expected, cpu, _listening: listening })
    }
}

/// Signs people in who leave at once, as many at a time as those who come to stay.
pub(crate) async fn pass_through(target: &Arc<Target>, people: &[Account]) -> anyhow::Result<()> {
    for portion in people.chunks(PORTION) {
        let tickets = passport::tickets(target, &Arc::new(portion.to_vec())).await?;
        admit(target, portion, tickets, |wire, _| drop(wire)).await?;
    }
    quiet(target).await
}

/// Signs people in; `stay` gets each connection, and may listen in a task of the set.
async fn admit(
    target: &Arc<Target>,
    people: &[Account],
    tickets: Vec<String>,
    stay: impl Fn(Wire, &mut JoinSet<()>) + Clone + Send + 'static,
) -> anyhow::Result<Vec<JoinSet<()>>> {
    let (people, tickets) = (Arc::new(people.to_vec()), Arc::new(tickets));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (target, people, tickets) = (target.clone(), people.clone(), tickets.clone());
        let (next, stay) = (next.clone(), stay.clone());
        workers.spawn(async move {
            let mut listening = JoinSet::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(account) = people.get(number) else { return anyhow::Ok(listening) };
                let wire = client::sign_in(&target, account, &tickets[number]).await?;
                stay(wire, &mut listening);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(listening) = workers.join_next().await {
        all.push(listening??);
    }
    Ok(all)
}

/// Waits until the server has nothing left to do.
pub(crate) async fn quiet(target: &Target) -> anyhow::Result<()> {
    let begun_at = Instant::now();
    loop {
        let before = target.cpu_time();
        sleep(QUIET).await;
        if target.cpu_time() == before {
            return Ok(());
        }
        ensure!(begun_at.elapsed() < QUIET_WAIT, "the server does not come to rest");
    }
}

async fn listen(board: Arc<Board>, expected: Arc<Mutex<Vec<u8>>>, mut wire: Wire) {
    let look = |frame: Frame<'_>| {
        ensure!(!frame.line.starts_with(b"FLN"), "{:?}", frame.shown());
        if frame.line.starts_with(b"NLN") || frame.line.starts_with(b"ILN") {
            let expected = expected.lock();
            let may_come = expected.is_empty() || *expected == frame.line;
            ensure!(may_come, "{:?} is not expected", frame.shown());
            board.delivered();
        }
        Ok(())
    };
    board.listen(&mut wire, look).await;
}
