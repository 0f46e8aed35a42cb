//! `PNG`: not a command of a switchboard, and harmless.
//!
//! Syntax: `PNG`
//! Direction: client to SB
//! Replies: none
//! Errors: before `USR` or `ANS`: close
//! Source: reference `sb-commands.md` §4

use crate::{
    session::{Call, Outbox, Reject},
    switchboard::Joined,
};

pub(super) fn handle(
    _joined: &mut Joined,
    _call: &Call<'_>,
    _outbox: &mut Outbox,
) -> Result<(), Reject> {
    Ok(())
}
