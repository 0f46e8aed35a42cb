//! The loop of one connection: frames in, events in, lines out, one timer. Generic over the
//! transport; knows no role.

mod commands;

use super::{
    Outbox, Reason, Role,
    meters::Tally,
    rare::{Bell, Bells, Due, Rare},
    read,
    turn::Place,
};
use crate::{
    config,
    protocol::{Decoder, TrId},
};
use std::{
    future::poll_fn,
    io,
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Events turned into lines before the next write.
const EVENTS_PER_TURN: usize = 1024;
/// How long a closed connection may take for its last lines, and again for its own end.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a closed connection that are read and thrown away, so that the close does not destroy
/// what was sent last.
const CLOSE_DISCARD_BYTES_MAX: usize = 64 * 1024;

/// The limits of one connection.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Bytes of one line with its end.
    pub line_bytes_max: usize,
    /// Bytes of one payload; a row may allow less.
    pub payload_bytes_max: usize,
    /// Bytes waiting to be sent above which nothing is added.
    pub output_queue_bytes_max: usize,
    /// How long sending may stand still.
    pub write_stall: Duration,
}

impl From<&config::Config> for SessionLimits {
    fn from(config: &config::Config) -> Self {
        Self {
            line_bytes_max: config.limits.line_bytes_max,
            payload_bytes_max: config.limits.payload_bytes_max,
            output_queue_bytes_max: config.limits.output_queue_bytes_max,
            write_stall: Duration::from_secs(config.timers.write_stall_secs),
        }
    }
}

/// Serves one connection until it ends. `received` has been read from it already; `drain` ends it
/// with the role's goodbye; `held` is dropped when all is over.
///
/// Not an `async fn`, and nothing is moved inside: either would make the future, which is what an
/// idle connection costs, several times as large.
pub fn run<R: Role, T: AsyncRead + AsyncWrite + Unpin, H: Send>(
    role: R,
    io: T,
    received: &[u8],
    limits: SessionLimits,
    drain: CancellationToken,
    held: H,
) -> impl Future<Output = ()> + use<R, T, H> {
    let mut decoder = Decoder::new(limits.line_bytes_max);
    decoder.feed(received);
    let mut connection = Connection {
        role,
        io,
        bells: Bells::default(),
        waiting_since: None,
        deadline: None,
        outbox: Outbox::new(limits.output_queue_bytes_max),
        decoder,
        has_sent_much: false,
        place: Place::default(),
        commands: Tally::default(),
        awaited_bytes: 0,
        limits,
    };
    async move {
        // Here, and not where it is used, so that what each wake-up touches there lies together.
        let reason = {
            let drained = pin!(drain.cancelled());
            let timer = pin!(sleep_until(Instant::now()));
            connection.serve(Rare::new(drained, timer)).await
        };
        read::reclaim(&mut connection.decoder);
        connection.place.leave();
        connection.role.meters().end(reason.label());
        // Signs out at once; the peer may have its last lines afterwards.
        connection.role.on_end(&reason);
        finish(&mut connection.io, &mut connection.outbox, &reason).await;
        drop(connection.io);
        drop(held);
    }
}

/// What an event touches comes first.
#[repr(C)]
struct Connection<R: 'static, T> {
    role: R,
    io: T,
    bells: Bells,
    /// Since when nothing of what waits could be sent; `None` if nothing waits.
    waiting_since: Option<Instant>,
    /// What [`Rare`] waits for.
    deadline: Option<Instant>,
    outbox: Outbox,
    decoder: Decoder,
    /// The last read was a long one.
    has_sent_much: bool,
    place: Place,
    commands: Tally,
    /// Bytes of a command whose payload is on its way; zero if there is none.
    awaited_bytes: usize,
    limits: SessionLimits,
}

/// What ended the wait.
enum Wake {
    Due(Due),
    /// An event ends the connection.
    Told(Reason),
    Received,
    /// More events wait, or there is room in the outbox again.
    Again,
    Closed,
    Failed(io::ErrorKind),
}

impl<R: Role, T: AsyncRead + AsyncWrite + Unpin> Connection<R, T> {
    async fn serve(&mut self, mut rare: Rare<'_, '_>) -> Reason {
        loop {
            let carried_out = self.handle_commands().await;
            self.commands.settle(self.role.meters());
            self.role.on_carried_out(&mut self.outbox);
            let has_more_frames = match carried_out {
                Ok(has_more) => has_more,
                Err(reason) => return reason,
            };
            let wake = poll_fn(|cx| self.poll_wake(&mut rare, has_more_frames, cx)).await;
            let outcome = match wake {
                Wake::Due(Due::Drain) => return self.shut_down(),
                Wake::Due(Due::Deadline) => self.handle_deadline(),
                Wake::Told(reason) => Err(reason),
                Wake::Received => {
                    self.role.on_bytes(Instant::now());
                    while let Some(number) = self.outbox.next_confirmed() {
                        self.role.on_confirmed(number);
                    }
                    // What happened before a command came is told before its reply.
                    self.handle_ready_events()
                }
                Wake::Again => Ok(()),
                Wake::Closed => Err(Reason::PeerClosed),
                Wake::Failed(kind) => Err(Reason::PeerLost(kind)),
            };
            if let Err(reason) = outcome {
                return reason;
            }
        }
    }

    /// Writes what waits, then waits for anything to happen. Events become lines and are written
    /// without an end of the wait, and bytes are looked for even if there are more events, so that
    /// neither keeps the other waiting.
    fn poll_wake(
        &mut self,
        rare: &mut Rare<'_, '_>,
        has_more_frames: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Wake> {
        if let Some(failed) = self.write(cx) {
            return Poll::Ready(failed);
        }
        let told = self.poll_events(has_more_frames, cx);
        if let Poll::Ready(Err(reason)) = told {
            return Poll::Ready(Wake::Told(reason));
        }
        let was_behind = self.outbox.is_behind();
        let was_quiet = self.is_quiet(has_more_frames);
        if let Some(failed) = self.write(cx) {
            return Poll::Ready(failed);
        }
        let deadline = self.next_deadline();
        // Before bytes: so no flood hides it.
        if let Poll::Ready(due) = rare.poll(&mut self.deadline, deadline, &mut self.bells, cx) {
            return Poll::Ready(Wake::Due(due));
        }
        // Who takes nothing is given nothing more: its commands stay unread, its news in the
        // inbox. Commands that were left aside come before new ones, and need no new bytes.
        let is_behind = self.outbox.is_behind();
        let takes_commands = self.role.takes_commands() && !is_behind;
        if !takes_commands || has_more_frames {
            // Others need not wait for a turn that is not used.
            self.place.leave();
        } else if let Poll::Ready(wake) = self.receive(cx) {
            return Poll::Ready(wake);
        }
        // Who was behind has not been asked for news that it can take now.
        let asks_again = told.is_ready() || was_behind && !is_behind;
        if asks_again || takes_commands && has_more_frames {
            return Poll::Ready(Wake::Again);
        }
        if !was_quiet && self.is_quiet(has_more_frames) {
            self.role.on_quiet();
        }
        Poll::Pending
    }

    /// Writes what the transport takes, and notes since when it has taken nothing of what waits.
    fn write(&mut self, cx: &mut Context<'_>) -> Option<Wake> {
        let Self { io, bells, outbox, waiting_since, .. } = self;
        let mut has_taken = false;
        let result = if outbox.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            let mut cx = Context::from_waker(bells.waker(Bell::Transport, cx));
            outbox.poll_write(io, &mut cx, || has_taken = true)
        };
        // The clock is asked only if something waits.
        if result.is_ready() {
            *waiting_since = None;
        } else if has_taken || waiting_since.is_none() {
            *waiting_since = Some(Instant::now());
        }
        match result {
            Poll::Ready(Err(error)) => Some(Wake::Failed(error.kind())),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        }
    }

    /// Reads what came, if anything may have come since the last look found nothing.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let Self { io, decoder, role, bells, has_sent_much, place, .. } = self;
        let Some(waker) = bells.take_ring(Bell::Transport, cx) else { return Poll::Pending };
        let (mut cx, turns) = (Context::from_waker(waker), role.turns());
        if *has_sent_much
            && let Some(turns) = turns
            && place.poll_turn(turns, &mut cx).is_pending()
        {
            // Nobody has looked.
            bells.note(Bell::Transport);
            return Poll::Pending;
        }
        let Poll::Ready(received) = read::receive(io, decoder, turns.is_some(), &mut cx) else {
            *has_sent_much = false;
            place.leave();
            return Poll::Pending;
        };
        bells.note(Bell::Transport);
        *has_sent_much = received.as_ref().is_ok_and(|bytes| *bytes >= read::LONG_BYTES_MIN);
        Poll::Ready(match received {
            Ok(0) => Wake::Closed,
            Ok(_) => Wake::Received,
            Err(error) => Wake::Failed(error.kind()),
        })
    }

    /// Turns events into lines until there are none (`Pending`), but only so many, or a flood of
    /// them would keep commands waiting for ever. Who is behind hears only why it ends.
    fn poll_events(
        &mut self,
        has_more_frames: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Reason>> {
        for _ in 0..EVENTS_PER_TURN {
            let is_behind = self.outbox.is_behind();
            let is_quiet = self.is_quiet(has_more_frames);
            match ready!(self.role.poll_event(!is_behind, is_quiet, cx)) {
                Some(event) => self.handle_event(event)?,
                None => return Poll::Ready(Err(Reason::InboxOverflow)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nothing is left to be carried out or sent.
    const fn is_quiet(&self, has_more_frames: bool) -> bool {
        !has_more_frames && self.outbox.is_empty()
    }

    /// Only so many, or a flood of events would keep commands waiting for ever.
    fn handle_ready_events(&mut self) -> Result<(), Reason> {
        for _ in 0..EVENTS_PER_TURN {
            if self.outbox.is_behind() {
                break;
            }
            let Some(event) = self.role.ready_event() else { break };
            self.handle_event(event)?;
        }
        Ok(())
    }

    fn handle_event(&mut self, event: R::Event) -> Result<(), Reason> {
        let outcome = self.role.on_event(event, &mut self.outbox);
        outcome.or_else(|reject| self.reject(reject, TrId::ZERO))
    }

    fn handle_deadline(&mut self) -> Result<(), Reason> {
        let now = Instant::now();
        if self.waiting_since.is_some_and(|since| now >= since + self.limits.write_stall) {
            self.role.meters().write_stalled();
            return Err(Reason::WriteStalled);
        }
        let outcome = self.role.on_deadline(now, &mut self.outbox);
        outcome.or_else(|reject| self.reject(reject, TrId::ZERO))
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stall = self.waiting_since.map(|since| since + self.limits.write_stall);
        self.role.deadline().into_iter().chain(stall).min()
    }

    fn shut_down(&mut self) -> Reason {
        while let Some(event) = self.role.ready_event() {
            if self.role.on_event(event, &mut self.outbox).is_err() {
                return Reason::Shutdown;
            }
        }
        self.role.on_shutdown(&mut self.outbox);
        Reason::Shutdown
    }
}

/// Lets the peer have its last lines.
async fn finish<T: AsyncRead + AsyncWrite + Unpin>(
    io: &mut T,
    outbox: &mut Outbox,
    reason: &Reason,
) {
    if matches!(reason, Reason::PeerLost(_) | Reason::WriteStalled) {
        return;
    }
    let last_lines = async {
        poll_fn(|cx| outbox.poll_write(io, cx, || ())).await?;
        io.shutdown().await
    };
    if !matches!(timeout(CLOSE_WAIT, last_lines).await, Ok(Ok(()))) {
        return;
    }
    if *reason != Reason::PeerClosed {
        let mut left = CLOSE_DISCARD_BYTES_MAX;
        // Running out of time only means that the peer keeps its end open.
        let _ = timeout(CLOSE_WAIT, poll_fn(|cx| read::discard(io, &mut left, cx))).await;
    }
}
