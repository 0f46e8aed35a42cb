//! The one writer: takes all waiting jobs, commits them together, then publishes and answers each
//! in order. One wait for the disk thus serves many callers. Knows nothing of what a job does.

use super::{
    accounts,
    alerts::{self, Part},
    edit, mailboxes, replace, sql,
};
use crate::{
    metrics::StoreMeters,
    model::{
        AccountId, Address, AlertId, Applied, Edit, Mailbox, mail::MailChange, roster::RosterLimits,
    },
    store::{
        Audience, EditError, NewAccount, NewAlert, PasswordHash, Posted, Publish, PublishMail,
        StoreError,
    },
};
use anyhow::anyhow;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Jobs waiting for the writer; further callers wait for room.
const QUEUE_JOBS_MAX: usize = 1024;
/// Jobs in one commit.
const BATCH_JOBS_MAX: usize = 256;

/// The callers' side of the queue.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    closing: CancellationToken,
}

/// What the writer can be asked to do.
pub(super) enum Write {
    /// One change of one roster.
    Edit(AccountId, Edit),
    /// All or none.
    Create(Vec<NewAccount>),
    /// All or none.
    Replace(Vec<NewAccount>),
    /// With the credential epoch.
    SetPassword(Address, PasswordHash),
    /// With the credential epoch.
    SetEnabled(Address, bool),
    /// From everybody's lists too.
    Remove(Address),
    /// With its recipients; for all, those behind this account.
    AddAlert(Arc<NewAlert>, Arc<dyn Audience>, AccountId),
    /// Delivered or expired.
    SettleAlerts(Vec<(AccountId, AlertId)>),
    /// An empty one, or none.
    SetMailbox(Address, bool),
    /// What is unread.
    ChangeMail(Address, MailChange),
}

impl Writer {
    /// Starts the writer's task. It ends when every [`Writer`] is gone or closed and the queue is
    /// empty.
    pub(super) fn start(
        tasks: &TaskTracker,
        conn: SqliteConnection,
        connect: SqliteConnectOptions,
        limits: RosterLimits,
        meters: StoreMeters,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let closing = CancellationToken::new();
        let scribe = Scribe { conn: Some(conn), connect, limits, meters };
        tasks.spawn(scribe.work(queue, closing.clone()));
        Self { jobs, closing }
    }

    /// Queues an edit and waits for its commit.
    pub(super) async fn edit(
        &self,
        owner: AccountId,
        edit: Edit,
        publish: Publish,
    ) -> Result<Applied, EditError> {
        let (answer, answered) = oneshot::channel();
        let job = (Write::Edit(owner, edit), Reply::Edit(publish, answer));
        self.jobs.send(job).await.map_err(|_| super::closed())?;
        answered.await.map_err(|_| super::closed())?
    }

    /// Queues a change of which nobody else need hear, and waits for its commit.
    pub(super) async fn accounts(&self, write: Write) -> Result<(), StoreError> {
        self.ask(write, Reply::Accounts).await
    }

    /// Queues an alert, part by part if it is for all, and waits for the last commit. Each part has
    /// a number of its own, so that numbers rise in commit order whatever is stored in between.
    pub(super) async fn post(
        self,
        new: NewAlert,
        audience: Arc<dyn Audience>,
    ) -> Result<Posted, StoreError> {
        let new = Arc::new(new);
        let mut all: Option<Posted> = None;
        let mut next = Some(AccountId(0));
        while let Some(after) = next {
            let write = Write::AddAlert(new.clone(), audience.clone(), after);
            let audience = audience.clone();
            let Part { posted, next: further } =
                self.ask(write, |answer| Reply::Alert(audience, answer)).await?;
            next = further;
            match &mut all {
                _ if posted.recipients.is_empty() => {}
                Some(all) => all.recipients.extend(posted.recipients),
                None => all = Some(posted),
            }
        }
        all.ok_or_else(|| {
            let why = "there is no account that may sign in and for which one more alert may wait";
            StoreError::Conflict(why.to_owned())
        })
    }

    /// Queues a change of a mailbox and waits for its commit.
    pub(super) async fn mail(
        &self,
        address: Address,
        change: MailChange,
        publish: PublishMail,
    ) -> Result<Mailbox, StoreError> {
        self.ask(Write::ChangeMail(address, change), |answer| Reply::Mail(publish, answer)).await
    }

    async fn ask<T>(
        &self,
        write: Write,
        reply: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Reply,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send((write, reply(answer))).await.map_err(|_| super::closed())?;
        answered.await.map_err(|_| super::closed())?
    }

    /// Takes no more jobs; those in the queue are still done.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }
}

/// A write and whoever waits for it.
type Job = (Write, Reply);

/// Where the answer goes. The caller may be gone by then.
enum Reply {
    Edit(Publish, oneshot::Sender<Result<Applied, EditError>>),
    Accounts(oneshot::Sender<Result<(), StoreError>>),
    Alert(Arc<dyn Audience>, oneshot::Sender<Result<Part, StoreError>>),
    Mail(PublishMail, oneshot::Sender<Result<Mailbox, StoreError>>),
}

/// What a write came to.
enum Done {
    /// It went well.
    Well,
    Edited(Applied),
    Posted(Part),
    Counted(AccountId, Mailbox),
}

/// What a write came to, or why to nothing.
type Outcome = Result<Done, EditError>;

/// Why a whole batch was rolled back.
enum Failure {
    /// The database failed within one of the jobs.
    Job(anyhow::Error),
    /// It could not begin or commit.
    Batch(anyhow::Error),
}

/// The writer's side.
struct Scribe {
    /// `None` after a failure: SQLite may have ended the transaction by itself, and then the
    /// connection's idea of it is wrong. A new connection starts clean.
    conn: Option<SqliteConnection>,
    connect: SqliteConnectOptions,
    limits: RosterLimits,
    meters: StoreMeters,
}

impl Scribe {
    async fn work(mut self, mut queue: mpsc::Receiver<Job>, closing: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let taken = tokio::select! {
                biased;
                () = closing.cancelled(), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
                taken = queue.recv_many(&mut batch, BATCH_JOBS_MAX) => taken,
            };
            if taken == 0 {
                break;
            }
            self.run(std::mem::take(&mut batch)).await;
        }
        if let Err(error) = self.finish().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// Commits the jobs together. If the database fails within one of them, each is tried on its
    /// own, so that one bad job does not take its neighbours with it.
    async fn run(&mut self, batch: Vec<Job>) {
        let (writes, replies): (Vec<Write>, Vec<Reply>) = batch.into_iter().unzip();
        match self.attempt(&writes).await {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    reply.finish(outcome);
                }
            }
            Err(Failure::Job(error)) if writes.len() > 1 => {
                tracing::warn!("a shared commit failed, each write is tried alone: {error:#}");
                for (write, reply) in writes.into_iter().zip(replies) {
                    reply.finish(match self.attempt(&[write]).await {
                        Ok(outcomes) => outcomes.into_iter().next().unwrap_or(Ok(Done::Well)),
                        Err(failure) => Err(failure.into_inner().into()),
                    });
                }
            }
            Err(failure) => {
                let text = format!("{:#}", failure.into_inner());
                for reply in replies {
                    reply.finish(Err(anyhow!("{text}").into()));
                }
            }
        }
    }

    /// One transaction; nothing of it stays if it fails.
    async fn attempt(&mut self, writes: &[Write]) -> Result<Vec<Outcome>, Failure> {
        let since = Instant::now();
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect.connect().await.map_err(|error| Failure::Batch(error.into()))?,
        };
        match commit(&mut conn, writes, self.limits).await {
            Ok(outcomes) => {
                self.conn = Some(conn);
                self.count(writes, &outcomes, since);
                Ok(outcomes)
            }
            Err(failure) => {
                if let Err(error) = conn.close().await {
                    tracing::warn!(%error, "the failed database writer did not close cleanly");
                }
                Err(failure)
            }
        }
    }

    fn count(&self, writes: &[Write], outcomes: &[Outcome], since: Instant) {
        self.meters.committed(writes.len(), since);
        for (write, outcome) in writes.iter().zip(outcomes) {
            if let (Write::Edit(_, edit), Ok(_)) = (write, outcome) {
                self.meters.edited(edit.kind());
            }
        }
    }

    async fn finish(&mut self) -> Result<(), sqlx::Error> {
        if let Some(mut conn) = self.conn.take() {
            sqlx::query(sql::CHECKPOINT).execute(&mut conn).await?;
            conn.close().await?;
        }
        Ok(())
    }
}

async fn commit(
    conn: &mut SqliteConnection,
    writes: &[Write],
    limits: RosterLimits,
) -> Result<Vec<Outcome>, Failure> {
    let whole = |error: sqlx::Error| Failure::Batch(error.into());
    let in_job = |error: sqlx::Error| Failure::Job(error.into());
    let mut tx = conn.begin_with(sql::BEGIN_IMMEDIATE).await.map_err(whole)?;
    let mut outcomes = Vec::with_capacity(writes.len());
    let mut rest = writes;
    while let [write, others @ ..] = rest {
        let edits: Vec<_> = rest.iter().map_while(Write::edit).collect();
        if !edits.is_empty() {
            let done = edit::apply(&mut tx, limits, &edits).await;
            let done = done.map_err(|error| Failure::Job(error.into()))?;
            outcomes.extend(done.into_iter().map(|outcome| outcome.map(Done::Edited)));
            rest = &rest[edits.len()..];
            continue;
        }
        rest = others;
        let mut step = tx.begin().await.map_err(in_job)?;
        let outcome = write.apply(&mut step).await;
        match &outcome {
            Ok(_) => step.commit().await.map_err(in_job)?,
            Err(EditError::Store(StoreError::Unavailable(_))) => drop(step),
            Err(_) => step.rollback().await.map_err(in_job)?,
        }
        match outcome {
            Err(EditError::Store(StoreError::Unavailable(error))) => {
                return Err(Failure::Job(error));
            }
            outcome => outcomes.push(outcome),
        }
    }
    tx.commit().await.map_err(whole)?;
    Ok(outcomes)
}

impl Failure {
    fn into_inner(self) -> anyhow::Error {
        match self {
            Self::Job(error) | Self::Batch(error) => error,
        }
    }
}

impl Write {
    fn edit(&self) -> Option<(AccountId, &Edit)> {
        match self {
            Self::Edit(owner, edit) => Some((*owner, edit)),
            _ => None,
        }
    }

    /// Anything but an edit.
    async fn apply(&self, conn: &mut SqliteConnection) -> Outcome {
        match self {
            Self::Edit(..) => return Err(nothing().into()),
            Self::AddAlert(new, audience, after) => {
                return Ok(Done::Posted(alerts::add(conn, new, &**audience, *after).await?));
            }
            Self::ChangeMail(address, change) => {
                let (account, mailbox) = mailboxes::change(conn, address, change).await?;
                return Ok(Done::Counted(account, mailbox));
            }
            Self::Create(accounts) => accounts::create(conn, accounts).await,
            Self::Replace(accounts) => replace::replace(conn, accounts).await,
            Self::SetPassword(address, hash) => accounts::set_password(conn, address, hash).await,
            Self::SetEnabled(address, enabled) => {
                accounts::set_enabled(conn, address, *enabled).await
            }
            Self::Remove(address) => accounts::remove(conn, address).await,
            Self::SettleAlerts(settled) => alerts::settle(conn, settled).await,
            Self::SetMailbox(address, has_one) => mailboxes::set(conn, address, *has_one).await,
        }?;
        Ok(Done::Well)
    }
}

impl Reply {
    /// Publishes what was committed and answers. Nobody listening is fine: it is done all the
    /// same.
    fn finish(self, outcome: Outcome) {
        match self {
            Self::Edit(publish, answer) => {
                let outcome = outcome.and_then(|done| match done {
                    Done::Edited(applied) => Ok(applied),
                    _ => Err(nothing().into()),
                });
                if let Ok(applied) = &outcome {
                    published(|| publish(applied));
                }
                let _ = answer.send(outcome);
            }
            Self::Accounts(answer) => {
                let _ = answer.send(outcome.map(drop).map_err(store_error));
            }
            Self::Alert(audience, answer) => {
                let outcome = outcome.map_err(store_error).and_then(|done| match done {
                    Done::Posted(part) => Ok(part),
                    _ => Err(nothing()),
                });
                if let Ok(Part { posted, .. }) = &outcome
                    && !posted.recipients.is_empty()
                {
                    published(|| audience.publish(posted));
                }
                let _ = answer.send(outcome);
            }
            Self::Mail(publish, answer) => {
                let outcome = outcome.map_err(store_error).and_then(|done| match done {
                    Done::Counted(account, mailbox) => Ok((account, mailbox)),
                    _ => Err(nothing()),
                });
                if let Ok((account, mailbox)) = &outcome {
                    published(|| publish(*account, *mailbox));
                }
                let _ = answer.send(outcome.map(|(_, mailbox)| mailbox));
            }
        }
    }
}

/// A publisher that panics must not end all writing.
fn published(publish: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(publish)).is_err() {
        tracing::error!("publishing what was committed panicked");
    }
}

fn nothing() -> StoreError {
    anyhow!("the write came to something else").into()
}

fn store_error(error: EditError) -> StoreError {
    match error {
        EditError::Store(error) => error,
        EditError::Refused(refusal) => StoreError::Conflict(refusal.to_string()),
    }
}

#[cfg(test)]
mod tests;
