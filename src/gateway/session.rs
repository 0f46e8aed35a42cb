//! One session behind the gateway: which request gets which part of what the session says, so that
//! nothing is lost, doubled or out of order, whatever becomes of the connections. Does not know how
//! requests look.

use super::tunnel::{Fed, Mouth};
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::{fmt, pin::pin, sync::Arc, time::Duration};
use tokio::{
    select,
    sync::{Mutex as TurnMutex, Notify, OwnedMutexGuard},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Bytes of one answer, cut at commands; one that is longer by itself travels alone.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// How long a request waits for the one before it.
const OVERLAP_WAIT: Duration = Duration::from_secs(2);
/// How long commands are given to bring about a reply that travels back with their own answer.
const REPLY_WAIT: Duration = Duration::from_millis(250);
/// How long a request over another connection waits to hear whether the answer before it arrived.
const VERDICT_WAIT: Duration = Duration::from_millis(250);
/// How long an answer is kept that may not have arrived, and commands count as repeated.
const REPEAT_WINDOW: Duration = Duration::from_secs(10);

/// What a request wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask<'a> {
    /// Carry these commands out, or this piece of one.
    Data(&'a [u8]),
    /// Say what there is to say, and wait so long for it.
    Poll(Duration),
}

/// Why a request is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The one before it was not done in time.
    Overlap,
    /// The client knows already that the session is over.
    Over,
}

/// One session. All requests share it.
#[derive(Debug)]
pub(super) struct Session {
    mouth: Mouth,
    /// One request at a time.
    turn: Arc<TurnMutex<()>>,
    state: Mutex<State>,
    /// Another request wants its turn.
    impatience: Notify,
    /// It is known what became of the last answer.
    verdict: Notify,
    /// The clock has something new to look at.
    rearm: Notify,
    /// The client knows that the session is over.
    told: CancellationToken,
    /// Without a request for so long, the client is gone.
    idle: Duration,
}

#[derive(Debug)]
struct State {
    heard_at: Instant,
    /// Requests that have come and are not answered.
    running: usize,
    /// Those of them that wait for their turn.
    queued: usize,
    /// The last answer, until it is known what became of it.
    sent: Option<Sent>,
    /// Answers written so far.
    written: u64,
    /// Commands that were carried out and whose answer did not arrive.
    lost: Option<(Commands, Instant)>,
}

/// By what a body is known again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Commands([u8; 32]);

/// An answer that was written.
struct Sent {
    number: u64,
    /// What it said.
    output: Bytes,
    /// Of the commands it answered.
    digest: Option<Commands>,
    at: Instant,
    /// Its connection is of no help any more.
    is_unknown: bool,
}

/// The answer to one request. Whoever drops it without [`Answer::written`] gives it back: the next
/// request gets what it said. Behind that, without [`Answer::settled`], nobody knows whether it
/// arrived: what it said is put back only for the very same commands.
pub(super) struct Answer {
    session: Arc<Session>,
    output: Bytes,
    digest: Option<Commands>,
    is_last: bool,
    /// Its number, once it is written.
    written: Option<u64>,
    /// Held until it is written.
    turn: Option<(OwnedMutexGuard<()>, Running)>,
}

impl Session {
    /// A session whose stream is the other end of `mouth`. After `idle` without a request it ends.
    pub(super) fn new(mouth: Mouth, idle: Duration) -> Arc<Self> {
        let state = State {
            heard_at: Instant::now(),
            running: 0,
            queued: 0,
            sent: None,
            written: 0,
            lost: None,
        };
        Arc::new(Self {
            mouth,
            turn: Arc::default(),
            state: Mutex::new(state),
            impatience: Notify::new(),
            verdict: Notify::new(),
            rearm: Notify::new(),
            told: CancellationToken::new(),
            idle,
        })
    }

    /// Serves a request, after those before it.
    ///
    /// Dropping the future is safe at any time, as when the client hangs up: commands that it had
    /// handed over are then answered when they are repeated, and not carried out again.
    ///
    /// # Errors
    /// [`Refused`]; nothing has been carried out then.
    pub(super) async fn serve(self: &Arc<Self>, ask: Ask<'_>) -> Result<Answer, Refused> {
        let running = Running::new(self);
        let turn = {
            let _queued = Queued::new(self);
            let turn = timeout(OVERLAP_WAIT, self.turn.clone().lock_owned()).await;
            turn.map_err(|_| Refused::Overlap)?
        };
        if self.told.is_cancelled() {
            return Err(Refused::Over);
        }
        // Hearing nothing means that the answer lies on a connection that is still open.
        let _ = timeout(VERDICT_WAIT, self.verdict()).await;
        let digest = match ask {
            Ask::Data(body) if !body.is_empty() => Some(Commands(Sha256::digest(body).into())),
            Ask::Data(_) | Ask::Poll(_) => None,
        };
        let is_repeated = self.settle(digest);
        // From here on commands count as carried out, so this stands however the request ends.
        let mut answer = Answer {
            session: self.clone(),
            output: Bytes::new(),
            digest,
            is_last: false,
            written: None,
            turn: Some((turn, running)),
        };
        match ask {
            Ask::Data(body) if digest.is_some() => {
                if !is_repeated && self.mouth.feed(body) == Fed::Full {
                    tracing::debug!("gateway session ended: it is sent more than it can read");
                    self.mouth.close();
                }
                // Running out of time only means that there is no reply yet.
                let _ = timeout(REPLY_WAIT, self.mouth.reply()).await;
            }
            Ask::Poll(wait) if !wait.is_zero() => select! {
                () = self.mouth.something() => {}
                () = self.until_wanted() => {}
                () = sleep(wait) => {}
            },
            Ask::Data(_) | Ask::Poll(_) => {}
        }
        answer.is_last = self.mouth.is_over();
        answer.output = self.mouth.take(ANSWER_BYTES_MAX);
        Ok(answer)
    }

    /// Runs `stream`, the session's own loop, and minds the clock. Returns when the stream has
    /// ended and the client knows it, or is gone, or `draining` says that nobody is waited for.
    pub(super) async fn keep(
        &self,
        stream: impl Future<Output = ()>,
        draining: &CancellationToken,
    ) {
        let mut stream = pin!(stream);
        let mut timer = pin!(sleep_until(Instant::now() + self.idle));
        let mut has_ended = false;
        while let Some(at) = self.tick(Instant::now(), has_ended) {
            timer.as_mut().reset(at);
            select! {
                () = &mut stream, if !has_ended => has_ended = true,
                () = self.told.cancelled(), if has_ended => return,
                () = draining.cancelled(), if has_ended => return,
                () = self.rearm.notified() => {}
                () = &mut timer => {}
            }
        }
    }

    /// Finds out what became of the answer before this request, and whether the request repeats
    /// commands that were carried out.
    fn settle(&self, digest: Option<Commands>) -> bool {
        let mut state = self.state.lock();
        let now = Instant::now();
        let mut is_repeated = false;
        if let Some(sent) = state.sent.take()
            && digest.is_some()
            && sent.digest == digest
            && now < sent.at + REPEAT_WINDOW
        {
            // Nobody has told that it arrived, and the very same commands tell that it did not.
            self.mouth.put_back(&sent.output);
            is_repeated = true;
        }
        if let Some(digest) = digest
            && let Some((lost, at)) = state.lost.take()
        {
            is_repeated |= lost == digest && now < at + REPEAT_WINDOW;
        }
        is_repeated
    }

    /// Does what the time has come for; returns when to look again, `None` if there is nobody to
    /// keep the rest for.
    fn tick(&self, now: Instant, has_ended: bool) -> Option<Instant> {
        let mut state = self.state.lock();
        state.sent.take_if(|sent| now >= sent.at + REPEAT_WINDOW);
        // A request that is under way counts as heard of just now.
        let heard_at = if state.running > 0 { now } else { state.heard_at };
        let idle_at = heard_at + self.idle;
        if now >= idle_at {
            self.mouth.close();
            return (!has_ended).then(|| now + self.idle);
        }
        Some(state.sent.as_ref().map_or(idle_at, |sent| idle_at.min(sent.at + REPEAT_WINDOW)))
    }

    /// Waits until it is known what became of the last answer, or that nobody will say.
    async fn verdict(&self) {
        loop {
            let verdict = self.verdict.notified();
            if self.state.lock().sent.as_ref().is_none_or(|sent| sent.is_unknown) {
                return;
            }
            verdict.await;
        }
    }

    /// Waits until another request wants its turn.
    async fn until_wanted(&self) {
        loop {
            let wanted = self.impatience.notified();
            if self.state.lock().queued > 0 {
                return;
            }
            wanted.await;
        }
    }
}

impl Answer {
    /// Whole commands, or nothing.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Whether the session is over and this the last that is said of it.
    pub(super) const fn is_last(&self) -> bool {
        self.is_last
    }
}

impl Answer {
    /// It is written, all of it.
    pub(super) fn written(&mut self) {
        let mut state = self.session.state.lock();
        state.written += 1;
        self.written = Some(state.written);
        if self.is_last {
            self.session.told.cancel();
        } else if !self.output.is_empty() || self.digest.is_some() {
            let (number, digest, at) = (state.written, self.digest, Instant::now());
            let output = std::mem::take(&mut self.output);
            state.sent = Some(Sent { number, output, digest, at, is_unknown: false });
            self.session.rearm.notify_one();
        }
        drop(state);
        self.turn = None;
    }

    /// Whether it reached the client is known now.
    pub(super) fn settled(self, has_arrived: bool) {
        let mut state = self.session.state.lock();
        let this = state.sent.take_if(|sent| Some(sent.number) == self.written);
        self.session.verdict.notify_waiters();
        // Without it another request has asked on meanwhile.
        if let Some(sent) = this.filter(|_| !has_arrived) {
            self.session.mouth.put_back(&sent.output);
            state.lost = sent.digest.map(|digest| (digest, Instant::now()));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = self.session.state.lock();
        if self.written.is_some() {
            // Kept for its time, for commands that are repeated.
            if let Some(sent) = state.sent.as_mut().filter(|sent| Some(sent.number) == self.written)
            {
                sent.is_unknown = true;
                self.session.verdict.notify_waiters();
            }
            return;
        }
        self.session.mouth.put_back(&self.output);
        if let Some(digest) = self.digest {
            state.lost = Some((digest, Instant::now()));
        }
    }
}

// No `Debug` here shows what is sent: tickets are among it, and what people write.
impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commands(..)")
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent")
            .field("number", &self.number)
            .field("output_bytes", &self.output.len())
            .field("is_unknown", &self.is_unknown)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("output_bytes", &self.output.len())
            .field("is_last", &self.is_last)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// Counts a request as long as it is not answered.
#[derive(Debug)]
struct Running(Arc<Session>);

impl Running {
    fn new(session: &Arc<Session>) -> Self {
        session.state.lock().running += 1;
        Self(session.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.running -= 1;
        state.heard_at = Instant::now();
    }
}

/// Counts a request as long as it waits for its turn.
struct Queued<'a>(&'a Session);

impl<'a> Queued<'a> {
    fn new(session: &'a Session) -> Self {
        session.state.lock().queued += 1;
        session.impatience.notify_waiters();
        Self(session)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.state.lock().queued -= 1;
    }
}

#[cfg(test)]
mod tests;
