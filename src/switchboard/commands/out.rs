//! `OUT`: leave the conversation.
//!
//! Syntax: `OUT`
//! Direction: client to SB
//! Replies: none, close; all others get `BYE email`
//! Errors: none
//! Source: reference `sb-commands.md` §3, transcript 08

use crate::session::{Reason, Reject};

pub(super) fn handle() -> Result<(), Reject> {
    Err(Reason::Out.into())
}
