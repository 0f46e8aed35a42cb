//! The switchboard role: conversations (reference `sb-commands.md`). One connection for each
//! participant of each conversation. Never logs or keeps what people say.

mod attempts;
mod budget;
mod commands;
mod context;
pub mod counts;
pub mod message;
pub mod queue;
pub mod room;
pub mod rooms;
mod speech;

use crate::{
    hub::{Admitted, SessionId},
    metrics::{Held, RoleMeters},
    model::subnet::network,
    net::wire::Wire,
    protocol::{Dialect, ErrorCode},
    session::{
        Outbox, Reason, Reject, Role, Row, SessionLimits, Stage, command::RowInfo, trace::Trace,
        turn::Turns,
    },
};
pub use context::Context;
use context::NAME;
use counts::Refusal;
use message::MESSAGE_BYTES_MAX;
use queue::{Ending, Hold, News, Queue};
use rooms::Seat;
use speech::Speech;
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long the last lines of a conversation that has ended may take.
const LAST_LINES_WAIT: Duration = Duration::from_secs(10);

/// One switchboard connection. What each wake-up touches comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Switchboard {
    state: State,
    context: Arc<Context>,
    session: SessionId,
    peer: SocketAddr,
}

/// How far the connection has come, with what belongs to that stage and nothing else.
#[derive(Debug)]
enum State {
    New(Box<New>),
    Joined(Box<Joined>),
}

/// A connection that is in no conversation yet.
#[derive(Debug)]
struct New {
    deadline: Instant,
    /// See [`Switchboard::reached_by`].
    wire: Option<Wire>,
}

/// A connection that is in a conversation. What each line for it touches comes first, then what
/// each of its messages does: with many conversations none of it is in any cache.
#[derive(Debug)]
#[repr(C, align(64))]
struct Joined {
    queue: Queue,
    /// Until the only other one has taken what we sent, commands stay unread.
    hold: Option<Hold>,
    /// When the conversation has ended and its last lines still wait: until when they may.
    flush_by: Option<Instant>,
    /// Dropping it leaves.
    seat: Seat,
    dialect: Dialect,
    context: Arc<Context>,
    /// When the last bytes arrived.
    heard_at: Instant,
    /// What has been said since, and is not delivered yet.
    speech: Speech,
    /// All conversations of the account hang on this.
    over: Arc<CancellationToken>,
    /// Waits for the account to sign in elsewhere or to be no longer welcome, and tells the queue.
    _until_over: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Counted as long as this lives.
    _counted: Held,
}

/// What a connection is told.
#[derive(Debug)]
pub enum Told {
    /// By its room.
    News(News),
    /// Commands are read again.
    Released,
}

impl Switchboard {
    /// A fresh connection from `peer`.
    #[must_use]
    pub fn new(context: Arc<Context>, session: SessionId, peer: SocketAddr) -> Self {
        let deadline = Instant::now() + Duration::from_secs(context.config.timers.login_secs);
        Self { context, session, peer, state: State::New(Box::new(New { deadline, wire: None })) }
    }

    /// The connection has been there, waiting for its first word, since this moment.
    #[must_use]
    pub fn since(mut self, accepted_at: Instant) -> Self {
        let login = Duration::from_secs(self.context.config.timers.login_secs);
        if let State::New(new) = &mut self.state {
            new.deadline = accepted_at + login;
        }
        self
    }

    /// Others may write to it while the connection has nothing to write.
    #[must_use]
    pub fn reached_by(mut self, wire: Wire) -> Self {
        if let State::New(new) = &mut self.state {
            new.wire = Some(wire);
        }
        self
    }

    /// The limits of a connection on this role: payloads have a length of their own.
    #[must_use]
    pub const fn limits(of_all: SessionLimits) -> SessionLimits {
        SessionLimits { payload_bytes_max: MESSAGE_BYTES_MAX, ..of_all }
    }

    /// The command table as shown to people.
    #[must_use]
    pub fn table() -> Vec<RowInfo> {
        Self::rows().iter().map(RowInfo::from).collect()
    }

    /// A cookie that was none: error 911 and the end, or after too many just the end.
    fn refuse_cookie(&self) -> Reject {
        self.context.counts.refused(Refusal::BadCookie);
        let (peer, now) = (network(self.peer.ip()), Instant::now());
        let mut wrong = self.context.wrong_cookies.lock();
        if wrong.full(&peer, now) {
            return Reason::TooManyCookies.into();
        }
        wrong.charge(&peer, now);
        Reject::Final(ErrorCode::AuthenticationFailed, Reason::BadCookie)
    }

    /// A cookie that was good, of a callee who no longer allows the caller: to the peer the same,
    /// but nobody has guessed anything.
    fn refuse_caller(&self) -> Reject {
        self.context.counts.refused(Refusal::NotAllowed);
        Reject::Final(ErrorCode::AuthenticationFailed, Reason::CallerRefused)
    }

    /// Nobody comes in whose account has been ended since its cookie was taken.
    fn still_welcome(&self, admitted: &Admitted) -> Result<(), Reject> {
        if admitted.over.is_cancelled() {
            self.context.counts.refused(Refusal::BadCookie);
            return Err(Reject::Final(ErrorCode::AuthenticationFailed, Reason::SessionOver));
        }
        Ok(())
    }

    fn enter(&mut self, admitted: Admitted, seat: Seat, mut queue: Queue, outbox: &mut Outbox) {
        let user = &seat.person().address;
        let is_traced = self.context.traced.contains(user);
        if let State::New(new) = &mut self.state
            && let Some(wire) = new.wire.take().filter(|_| !is_traced)
        {
            queue.set_wire(wire);
        }
        if is_traced {
            let mut trace = Trace::new(self.session, user.clone());
            trace.confirm();
            outbox.set_trace(Some(trace));
        }
        tracing::debug!(session.id = %self.session, %user, address = %self.peer,
            room = %seat.room(), signed_in.id = %admitted.session, "in a conversation");
        let Admitted { dialect, over, .. } = admitted;
        let context = self.context.clone();
        let _counted = context.metrics.session(NAME, dialect.name());
        // Asked once: afterwards the queue, which is looked at anyway, knows.
        let mut until_over = Box::pin(CancellationToken::clone(&over).cancelled_owned());
        let eviction = queue.eviction();
        if until_over.as_mut().poll(&mut Poller::from_waker(&eviction)).is_ready() {
            eviction.wake();
        }
        let joined = Joined {
            context,
            dialect,
            seat,
            heard_at: Instant::now(),
            speech: Speech::default(),
            queue,
            _until_over: until_over,
            over,
            hold: None,
            flush_by: None,
            _counted,
        };
        self.state = State::Joined(Box::new(joined));
    }
}

impl Joined {
    /// Delivers what has been said. If `more` follows it is not worth a write of its own.
    fn deliver(&mut self, more: bool, outbox: &mut Outbox) {
        let Self { speech, seat, heard_at, context, .. } = self;
        if speech.deliver(seat, more, *heard_at, &context.counts, outbox) {
            self.hold = self.seat.hold();
        }
    }
}

impl Role for Switchboard {
    type Event = Told;

    fn rows() -> &'static [Row<Self>] {
        commands::ROWS
    }

    fn meters(&self) -> &RoleMeters {
        &self.context.meters
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::New(_) => Stage::Handshake,
            State::Joined(_) => Stage::SignedIn,
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        match &self.state {
            State::New(_) => None,
            State::Joined(joined) => Some(joined.dialect),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::New(new) => Some(new.deadline),
            State::Joined(joined) => {
                let stalls_at = joined.hold.as_ref().and_then(Hold::stalls_at);
                let others = [stalls_at, joined.flush_by].into_iter().flatten();
                others.chain([joined.seat.idle_check_at()]).min()
            }
        }
    }

    fn on_deadline(&mut self, now: Instant, _outbox: &mut Outbox) -> Result<(), Reject> {
        match &mut self.state {
            State::New(new) if now < new.deadline => Ok(()),
            State::New(_) => Err(Reason::LoginDeadline.into()),
            State::Joined(joined) => {
                joined.queue.take_back_wire();
                if joined.flush_by.is_some_and(|flush_by| now >= flush_by) {
                    return Err(Reason::RoomIdle.into());
                }
                let stalls_at = joined.hold.as_ref().and_then(Hold::stalls_at);
                if stalls_at.is_some_and(|stalls_at| now >= stalls_at) {
                    joined.context.counts.overflowed(joined.seat.end_stalled(now));
                }
                if now >= joined.seat.idle_check_at() {
                    joined.seat.end_if_idle(now);
                }
                Ok(())
            }
        }
    }

    /// In a conversation of two the sender waits for the receiver: pictures and files are as long
    /// as they like. Only the commands wait, never what is to be sent; so two that wait for each
    /// other both get on.
    fn takes_commands(&self) -> bool {
        !matches!(&self.state, State::Joined(joined) if joined.hold.is_some())
    }

    /// Pictures and files.
    fn turns(&self) -> Option<&Turns> {
        match &self.state {
            State::New(_) => None,
            State::Joined(joined) => Some(&joined.context.turns),
        }
    }

    fn on_bytes(&mut self, now: Instant) {
        if let State::Joined(joined) = &mut self.state {
            joined.heard_at = now;
        }
    }

    fn on_quiet(&mut self) {
        if let State::Joined(joined) = &mut self.state {
            joined.queue.lend_wire();
        }
    }

    fn on_carried_out(&mut self, outbox: &mut Outbox) {
        if let State::Joined(joined) = &mut self.state {
            joined.deliver(false, outbox);
        }
    }

    fn poll_event(
        &mut self,
        takes_news: bool,
        is_quiet: bool,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Told>> {
        let State::Joined(joined) = &mut self.state else { return Poll::Pending };
        if joined.hold.as_mut().is_some_and(|hold| hold.poll_released(cx).is_ready()) {
            joined.hold = None;
            return Poll::Ready(Some(Told::Released));
        }
        joined.queue.poll_recv(takes_news, is_quiet, cx).map(|news| match news {
            News::End(Ending::Overflow) => None,
            news => Some(Told::News(news)),
        })
    }

    fn ready_event(&mut self) -> Option<Told> {
        match &mut self.state {
            State::New(_) => None,
            State::Joined(joined) => joined.queue.try_recv().map(Told::News),
        }
    }

    fn on_event(&mut self, event: Told, outbox: &mut Outbox) -> Result<(), Reject> {
        match event {
            // What is carried out now was received long ago, but is said only now.
            Told::Released => {
                if let State::Joined(joined) = &mut self.state {
                    joined.heard_at = Instant::now();
                }
            }
            Told::News(News::Lines(lines)) => outbox.share(lines),
            Told::News(News::LastLines) => {
                if let State::Joined(joined) = &mut self.state {
                    joined.flush_by = Some(Instant::now() + LAST_LINES_WAIT);
                }
            }
            Told::News(News::End(Ending::Idle)) => return Err(Reason::RoomIdle.into()),
            Told::News(News::End(Ending::Overflow)) => return Err(Reason::InboxOverflow.into()),
            Told::News(News::Evicted) => {
                while let Some(Told::News(News::Lines(lines))) = self.ready_event() {
                    outbox.share(lines);
                }
                return Err(Reason::SessionOver.into());
            }
        }
        Ok(())
    }

    /// There is no goodbye on a switchboard, but a line that was begun is ended.
    fn on_shutdown(&mut self, outbox: &mut Outbox) {
        if let State::Joined(joined) = &mut self.state {
            while let Some(News::Lines(lines)) = joined.queue.try_recv() {
                outbox.share(lines);
            }
        }
    }

    fn on_end(self, reason: &Reason) {
        let (session, address) = (self.session, self.peer);
        match &self.state {
            State::Joined(joined) => {
                let (user, room) = (&joined.seat.person().address, joined.seat.room());
                tracing::debug!(session.id = %session, %user, %address, %room, %reason,
                    "out of the conversation");
            }
            State::New(_) => {
                tracing::debug!(session.id = %session, %address, %reason, "switchboard ended");
            }
        }
    }
}
