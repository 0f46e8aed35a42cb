//! `XFR`: ask for a switchboard.
//!
//! Syntax: `XFR n SB`
//! Direction: client to NS
//! Replies: `XFR n SB host:port CKI cookie`; the cookie opens one conversation
//! Errors: other type 201; hidden, before the first `CHG` or while `IMS OFF` 913; asked too often
//! 800; no switchboard, or none whose address could be named 280
//! Source: reference `ns-commands.md` XFR, transcript 08

use crate::{
    model::Status,
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reject},
};
pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    if call.args().word()? != b"SB" {
        return Err(ErrorCode::InvalidParameter.into());
    }
    if matches!(session.status, None | Some(Status::Hidden)) || !session.takes_calls {
        return Err(ErrorCode::NotWhileOffline.into());
    }
    let context = session.context.clone();
    let switchboards = context.switchboards.as_ref().ok_or(ErrorCode::SwitchboardFailed)?;
    if has_asked_too_often(session) {
        return Err(ErrorCode::TooFast.into());
    }
    let server = switchboards.choose(session.address.as_str());
    let to = switchboards
        .address(server.as_deref(), session.local)
        .ok_or(ErrorCode::SwitchboardFailed)?;
    // Without a cookie the session has just been replaced; what it is told of that comes next.
    let cookie = session.member.open_conversation(server).ok_or(ErrorCode::SwitchboardFailed)?;
    session.asked_for_switchboard.note();
    outbox.send(&Event::XfrSb { trid: call.trid, to: &to, cookie: &cookie });
    Ok(())
}

fn has_asked_too_often(session: &mut SignedIn) -> bool {
    let max = session.context.config.switchboard.requests_per_minute_max;
    session.asked_for_switchboard.is_too_often(max)
}
