//! The command table: what a row says, and the gates a line passes before its handler runs.

use super::{Outbox, Reason, Reject};
use crate::{
    metrics::RoleMeters,
    protocol::{Args, Dialect, FrameError, Line, TrId, frame::payload_bytes},
};
use bytes::Bytes;
use std::{future::Future, pin::Pin};
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

/// A command that passed the gates.
pub struct Call {
    /// The line.
    pub line: Line,
    /// Its transaction id; zero for commands that have none.
    pub trid: TrId,
    /// Its payload, if the row says that it has one.
    pub payload: Option<Bytes>,
    has_trid: bool,
}

impl Call {
    /// A cursor over the arguments.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::of(&self.line, self.has_trid)
    }
}

/// The future of a handler.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Reject>> + Send + 'a>>;

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
    /// What it does. Fills the outbox, never a socket.
    pub run: for<'a> fn(&'a mut R, &'a Call, &'a mut Outbox) -> Handling<'a>,
}

impl<R> Row<R> {
    /// A row without payload for all dialects.
    #[must_use]
    pub const fn new(
        verb: &'static str,
        stages: Stages,
        arity: (usize, usize),
        run: for<'a> fn(&'a mut R, &'a Call, &'a mut Outbox) -> Handling<'a>,
        purpose: &'static str,
    ) -> Self {
        let (dialect, payload_bytes_max) = (None, None);
        Self { verb, stages, dialect, has_trid: true, arity, payload_bytes_max, purpose, run }
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

    /// The gates a line passes as soon as it is complete, before any payload is waited for.
    /// Returns the payload length.
    pub(super) fn admit(
        &self,
        line: &Line,
        stage: Stage,
        dialect: Option<Dialect>,
        payload_bytes_max: usize,
    ) -> Result<Option<usize>, Reason> {
        if let Stages::Only(only) = self.stages
            && only != stage
        {
            return Err(Reason::OutOfState);
        }
        if self.dialect.is_some() && dialect.is_some() && self.dialect != dialect {
            return Err(Reason::WrongDialect);
        }
        let mut words = line.words().skip(1);
        if self.has_trid {
            TrId::parse(words.next().unwrap_or_default())?;
        }
        let (fewest, most) = self.arity;
        let count = words.clone().count();
        if count < fewest || count > most {
            return Err(Reason::Arity);
        }
        match self.payload_bytes_max {
            None => Ok(None),
            Some(max) => {
                let word = words.last().unwrap_or_default();
                Ok(Some(payload_bytes(word, max.min(payload_bytes_max))?))
            }
        }
    }

    pub(super) fn call(&self, line: Line, payload: Option<Bytes>) -> Result<Call, Reason> {
        let trid = if self.has_trid {
            TrId::parse(line.words().nth(1).unwrap_or_default())?
        } else {
            TrId::ZERO
        };
        Ok(Call { line, trid, payload, has_trid: self.has_trid })
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

    /// Notes that bytes arrived after the line that was sent with this receipt.
    fn on_confirmed(&mut self, _number: u64) {}

    /// Whether commands are read and carried out. While they are not, what waits is still sent and
    /// news still come; [`Self::next_event`] must return something when they are again.
    fn takes_commands(&self) -> bool {
        true
    }

    /// The next event; pending for ever if this role has none, `None` if the session fell behind
    /// and was dropped. Without `takes_news` only what ends the session. Cancellation safe.
    fn next_event(&mut self, takes_news: bool) -> impl Future<Output = Option<Self::Event>> + Send;

    /// An event that is already there.
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
