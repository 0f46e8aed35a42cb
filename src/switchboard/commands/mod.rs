//! The commands of the switchboard role: one file and one row each.

mod ans;
mod cal;
mod msg;
mod out;
mod png;
mod usr;

use super::{State, Switchboard, message::MESSAGE_BYTES_MAX};
use crate::session::{Reason, Row, Stage, Stages, command::Run};

/// A row whose handler gets the conversation and can therefore not run without one.
macro_rules! joined {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Only(Stage::SignedIn),
            $arity,
            Run::Later(|role: &mut Switchboard, call, outbox| {
                Box::pin(async move {
                    match &mut role.state {
                        State::Joined(joined) => $handler(joined, call, outbox).await,
                        State::New(_) => Err(Reason::OutOfState.into()),
                    }
                })
            }),
            $purpose,
        )
    };
}

/// The same for a handler that waits for nothing.
macro_rules! joined_now {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Only(Stage::SignedIn),
            $arity,
            Run::Now(|role: &mut Switchboard, call, outbox| match &mut role.state {
                State::Joined(joined) => $handler(joined, call, outbox),
                State::New(_) => Err(Reason::OutOfState.into()),
            }),
            $purpose,
        )
    };
}

/// A row whose handler gets a connection that is in no conversation yet.
macro_rules! new {
    ($verb:literal, $arity:expr, $handler:path, $purpose:literal) => {
        Row::new(
            $verb,
            Stages::Only(Stage::Handshake),
            $arity,
            Run::Later(|role: &mut Switchboard, call, outbox| {
                Box::pin(async move { $handler(role, call, outbox).await })
            }),
            $purpose,
        )
    };
}

pub(super) const ROWS: &[Row<Switchboard>] = &[
    new!("USR", (2, 2), usr::handle, "open a conversation with a cookie"),
    new!("ANS", (3, 3), ans::handle, "answer a call with its cookie"),
    joined!("CAL", (1, 1), cal::handle, "call somebody into the conversation"),
    joined_now!("MSG", (2, 2), msg::handle, "say something").payload(MESSAGE_BYTES_MAX),
    joined_now!("PNG", (0, 8), png::handle, "ignored").without_trid(),
    Row::new("OUT", Stages::Any, (0, 8), Run::Now(|_, _, _| out::handle()), "leave").without_trid(),
];
