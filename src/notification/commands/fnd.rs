//! `FND`: search the member directory.
//!
//! Syntax: `FND n fname=… lname=… city=… state=… country=…`
//! Direction: client to NS
//! Replies: none; disabled since 2003
//! Errors: 502 whatever the arguments
//! Source: reference `ns-commands.md` FND

use crate::{
    notification::SignedIn,
    protocol::ErrorCode,
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    _session: &mut SignedIn,
    _call: &Call<'_>,
    _outbox: &mut Outbox,
) -> Result<(), Reject> {
    Err(ErrorCode::CommandDisabled.into())
}
