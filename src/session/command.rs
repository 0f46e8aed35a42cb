//! The command table: what a row says, and the gates a line passes before its handler runs.

use super::{Outbox, Reason, Reject, turn::Turns};
use crate::{
    metrics::RoleMeters,
    protocol::{Args, Dialect, Frame, FrameError, Line, TrId, frame::payload_bytes},
};
use std::{
    future::Future,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::Instant;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before sign-in.
    Handshake,
    /// After it.
    SignedIn,
}

/// In which stages a command is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// Only in this one.
    Only(Stage),
    /// In every stage.
    Any,
}

/// A command that passed the gates. Lies where it was received.
pub struct Call<'a> {
    /// The line.
    pub line: Line<'a>,
    /// Its transaction id; zero for commands that have none.
    pub trid: TrId,
    /// Its payload, if the row says that it has one.
    pub payload: Option<&'a [u8]>,
    /// Bytes that were received behind it.
    pub behind: usize,
    /// Where the arguments begin, behind the transaction id.
    args_at: u32,
}

impl<'a> Call<'a> {
    /// A cursor over the arguments.
    #[must_use]
    pub fn args(&self) -> Args<'a> {
        Args::from(self.line, self.args_at as usize)
    }
}

/// The future of a handler.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Reject>> + Send + 'a>>;

/// What a command does. Fills the outbox, never a socket.
pub enum Run<R> {
    /// It waits for nothing: no future is made for it.
    Now(for<'a> fn(&'a mut R, &'a Call<'a>, &'a mut Outbox) -> Result<(), Reject>),
    /// It may wait.
    Later(Later<R>),
}

/// A command that may wait.
pub type Later<R> = for<'a> fn(&'a mut R, &'a Call<'a>, &'a mut Outbox) -> Handling<'a>;

/// A verb as a number, to be compared at once. Zero, which no row has, for what cannot be one.
const fn key(verb: &[u8]) -> u32 {
    match verb {
        [a, b, c] => u32::from_be_bytes([0, *a, *b, *c]),
        _ => 0,
    }
}

/// One command of a role.
pub struct Row<R> {
    /// Three capital letters.
    pub verb: &'static str,
    /// When it is allowed.
    pub stages: Stages,
    /// The only dialect it exists in, if not all.
    pub dialect: Option<Dialect>,
    /// Whether a transaction id follows the verb.
    pub has_trid: bool,
    /// Fewest and most words behind verb and transaction id.
    pub arity: (usize, usize),
    /// The longest payload in bytes; the last word is its length.
    pub payload_bytes_max: Option<usize>,
    /// One line for people.
    pub purpose: &'static str,
    /// What it does.
    pub run: Run<R>,
    key: u32,
}

/// What the gates have found out about a line.
pub(super) struct Admitted<R: 'static> {
    pub(super) row: &'static Row<R>,
    /// Its place in the table.
    pub(super) index: usize,
    args_at: u32,
    trid: TrId,
    pub(super) payload_bytes: Option<usize>,
}

impl<R> Row<R> {
    /// A row without payload for all dialects.
    ///
    /// # Panics
    /// If `verb` is not three bytes long: nothing that is sent could match it. In a constant table
    /// this is an error of the compiler.
    #[must_use]
    pub const fn new(
        verb: &'static str,
        stages: Stages,
        arity: (usize, usize),
        run: Run<R>,
        purpose: &'static str,
    ) -> Self {
        assert!(verb.len() == 3, "a verb has three bytes");
        let (dialect, payload_bytes_max, key) = (None, None, key(verb.as_bytes()));
        Self { verb, stages, dialect, has_trid: true, arity, payload_bytes_max, purpose, run, key }
    }

    /// The command has no transaction id.
    #[must_use]
    pub const fn without_trid(mut self) -> Self {
        self.has_trid = false;
        self
    }

    /// The command exists in this dialect only.
    #[must_use]
    pub const fn only(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// The command carries a payload of at most `bytes_max` bytes.
    #[must_use]
    pub const fn payload(mut self, bytes_max: usize) -> Self {
        self.payload_bytes_max = Some(bytes_max);
        self
    }

    /// The gates a line passes as soon as it is complete, before any payload is waited for. `rows`
    /// is the table.
    #[inline(always)]
    pub(super) fn admit(
        rows: &'static [Self],
        line: Line<'_>,
        stage: Stage,
        dialect: Option<Dialect>,
        payload_bytes_max: usize,
    ) -> Result<Admitted<R>, Reason> {
        let text = |word| line.as_bytes().get::<Range<usize>>(word).unwrap_or_default();
        let verb = line.word(0).unwrap_or_default();
        let (key, mut at) = (key(text(verb.clone())), verb.end);
        let index = rows.iter().position(|row| row.key == key).ok_or(Reason::UnknownCommand)?;
        let row = rows.get(index).ok_or(Reason::UnknownCommand)?;
        if let Stages::Only(only) = row.stages
            && only != stage
        {
            return Err(Reason::OutOfState);
        }
        if row.dialect.is_some() && dialect.is_some() && row.dialect != dialect {
            return Err(Reason::WrongDialect);
        }
        let mut trid = TrId::ZERO;
        if row.has_trid {
            let word = line.word(at).unwrap_or_default();
            trid = TrId::parse(text(word.clone()))?;
            at = word.end;
        }
        // Lines are much shorter than that.
        let args_at = u32::try_from(at).map_err(|_| FrameError::LineTooLong)?;
        let (fewest, most) = row.arity;
        let (mut count, mut last) = (0, 0..0);
        while let Some(word) = line.word(at) {
            (count, at, last) = (count + 1, word.end, word);
        }
        if count < fewest || count > most {
            return Err(Reason::Arity);
        }
        let payload_bytes = match row.payload_bytes_max {
            None => None,
            Some(max) => Some(payload_bytes(text(last), max.min(payload_bytes_max))?),
        };
        Ok(Admitted { row, index, args_at, trid, payload_bytes })
    }
}

impl<R> Clone for Admitted<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Admitted<R> {}

impl<R> Admitted<R> {
    pub(super) const fn call<'a>(&self, frame: Frame<'a>) -> Call<'a> {
        let Frame { line, payload, behind } = frame;
        Call { line, trid: self.trid, payload, behind, args_at: self.args_at }
    }
}

/// What a role brings to the common loop. Handlers and events are the only places where it acts.
pub trait Role: Send + Sized + 'static {
    /// What it is told beside what its client sends.
    type Event: Send;

    /// The commands, each once.
    fn rows() -> &'static [Row<Self>];

    /// Where its connections count, made by [`super::meters()`].
    fn meters(&self) -> &RoleMeters;

    /// How far the connection has come.
    fn stage(&self) -> Stage;

    /// The dialect in force, once there is one.
    fn dialect(&self) -> Option<Dialect>;

    /// When [`Self::on_deadline`] wants to be called. May be early, must not be late.
    fn deadline(&self) -> Option<Instant>;

    /// Ends the connection, sends something, or does nothing if it was called early.
    ///
    /// # Errors
    /// The end of the connection.
    fn on_deadline(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Reject>;

    /// Notes that bytes arrived.
    fn on_bytes(&mut self, now: Instant);

    /// Completes what it has done: commands of one row that came together are carried out, and what
    /// follows is another one, a wait for more, or the end of the connection. No reply is sent yet.
    fn on_carried_out(&mut self, _outbox: &mut Outbox) {}

    /// Notes that bytes arrived after the line that was sent with this receipt.
    fn on_confirmed(&mut self, _number: u64) {}

    /// Whether commands are read and carried out. While they are not, what waits is still sent and
    /// news still come; [`Self::poll_event`] must return something when they are again.
    fn takes_commands(&self) -> bool {
        true
    }

    /// The turns of those who send much, if much may come from its client at once, so that longer
    /// reads pay.
    fn turns(&self) -> Option<&Turns> {
        None
    }

    /// The next event; pending for ever if this role has none, `None` if the session fell behind
    /// and was dropped. Without `takes_news` only what ends the session. `is_quiet` tells what
    /// [`Self::on_quiet`] does, if it is pending.
    fn poll_event(
        &mut self,
        takes_news: bool,
        is_quiet: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Self::Event>>;

    /// All is carried out, nothing waits to be sent, and nothing is sent before
    /// [`Self::ready_event`], [`Self::on_deadline`], or an event.
    fn on_quiet(&mut self) {}

    /// An event that is already there. Asked for before commands are carried out.
    fn ready_event(&mut self) -> Option<Self::Event>;

    /// Turns an event into lines.
    ///
    /// # Errors
    /// The end of the connection.
    fn on_event(&mut self, event: Self::Event, outbox: &mut Outbox) -> Result<(), Reject>;

    /// Says goodbye because the server goes down.
    fn on_shutdown(&mut self, outbox: &mut Outbox);

    /// The end: signs out and logs. What is in the outbox is still sent afterwards.
    fn on_end(self, reason: &Reason);
}

/// A frame error ends the connection with that reason.
impl From<FrameError> for Reject {
    fn from(error: FrameError) -> Self {
        Self::Close(error.into())
    }
}

/// What `msnd protocol` and the tests show of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowInfo {
    /// Three capital letters.
    pub verb: &'static str,
    /// `handshake`, `signed in` or `any`.
    pub states: &'static str,
    /// The only dialect, if not all.
    pub dialect: Option<Dialect>,
    /// Whether a transaction id follows the verb.
    pub has_trid: bool,
    /// Fewest and most words behind verb and transaction id.
    pub arity: (usize, usize),
    /// The longest payload in bytes.
    pub payload_bytes_max: Option<usize>,
    /// One line for people.
    pub purpose: &'static str,
}

impl<R> From<&Row<R>> for RowInfo {
    fn from(row: &Row<R>) -> Self {
        Self {
            verb: row.verb,
            states: match row.stages {
                Stages::Only(Stage::Handshake) => "handshake",
                Stages::Only(Stage::SignedIn) => "signed in",
                Stages::Any => "any",
            },
            dialect: row.dialect,
            has_trid: row.has_trid,
            arity: row.arity,
            payload_bytes_max: row.payload_bytes_max,
            purpose: row.purpose,
        }
    }
}
