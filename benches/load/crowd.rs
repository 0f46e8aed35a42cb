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
    listening: Vec<JoinSet<()>>,
}

impl Crowd {
    /// Signs people in and waits until they have seen each other, which is so many sights.
    pub(crate) async fn gather(
        target: &Arc<Target>,
        people: &[Account],
        sights: usize,
    ) -> anyhow::Result<Self> {
        let (board, expected) = (Arc::new(Board::new()), Arc::default());
        board.begin(sights);
        let mut crowd = Self { board, expected, cpu: Duration::ZERO, listening: Vec::new() };
        for portion in people.chunks(PORTION) {
            let portion = Arc::new(portion.to_vec());
            let tickets = Arc::new(passport::tickets(target, &portion).await?);
            let before = target.cpu_time();
            crowd.admit(target, &portion, &tickets).await?;
            crowd.cpu += target.cpu_time() - before;
            crowd.board.check()?;
        }
        let before = target.cpu_time();
        if let Ok(seen) = timeout(QUIET_WAIT, crowd.board.finished()).await {
            seen?;
        } else {
            bail!("{} sights of contacts were lost", crowd.board.awaited());
        }
        quiet(target).await?;
        crowd.cpu += target.cpu_time() - before;
        crowd.board.take_latencies();
        crowd.board.check()?;
        Ok(crowd)
    }

    async fn admit(
        &mut self,
        target: &Arc<Target>,
        people: &Arc<Vec<Account>>,
        tickets: &Arc<Vec<String>>,
    ) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (target, people, tickets) = (target.clone(), people.clone(), tickets.clone());
            let (next, board, expected) = (next.clone(), self.board.clone(), self.expected.clone());
            workers.spawn(async move {
                let mut listening = JoinSet::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(account) = people.get(number) else { return anyhow::Ok(listening) };
                    let wire = client::sign_in(&target, account, &tickets[number]).await?;
                    listening.spawn(listen(board.clone(), expected.clone(), wire));
                }
            });
        }
        while let Some(listening) = workers.join_next().await {
            self.listening.push(listening??);
        }
        Ok(())
    }
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
