//! `RMG`: remove a group.
//!
//! Syntax: `RMG n id`
//! Direction: client to NS
//! Replies: `RMG n ver id`. Contacts without any other group leave the forward list and get
//! `REM 0 RL ver email`
//! Errors: 224 no such group, 230 group 0, 603 database failure; a number that is none: close
//! Source: reference `ns-commands.md` RMG; `presence-rules.md` §3, §5

use crate::{
    model::Edit,
    notification::SignedIn,
    protocol::{ArgError, ErrorCode, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let group = call.args().optional_group()?.ok_or(ArgError::Missing)?;
    let group = group.ok_or(ErrorCode::NoSuchGroup)?;
    let version = session.edit(Edit::RemoveGroup { group }, outbox).await?.applied.version;
    outbox.send(&Event::Rmg { trid: call.trid, version, group });
    Ok(())
}
