//! `XFR`: ask for a switchboard.
//!
//! Syntax: `XFR n SB`
//! Direction: client to NS
//! Replies: none yet but errors: this server has no switchboard role
//! Errors: other type 201; hidden, before the first `CHG` or while `IMS OFF` 913; no switchboard
//! 280
//! Source: reference `ns-commands.md` XFR

use crate::{
    model::Status,
    notification::SignedIn,
    protocol::ErrorCode,
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call,
    _outbox: &mut Outbox,
) -> Result<(), Reject> {
    if call.args().word()? != b"SB" {
        return Err(ErrorCode::InvalidParameter.into());
    }
    Err(match session.status {
        None | Some(Status::Hidden) => ErrorCode::NotWhileOffline.into(),
        Some(_) if !session.takes_calls => ErrorCode::NotWhileOffline.into(),
        Some(_) => ErrorCode::SwitchboardFailed.into(),
    })
}
