//! `SND`: invite a person by mail, the older form.
//!
//! Syntax: `SND n email lcid library client`
//! Direction: client to NS
//! Replies: `SND n OK`; no mail is sent
//! Errors: bad parameters 503 and close
//! Source: reference `ns-commands.md` SND

use crate::{
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
};

pub(super) async fn handle(
    _session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    args.address()?.ok_or_else(bad_parameters)?;
    outbox.send(&Event::InvitationTaken { trid: call.trid, verb: "SND" });
    Ok(())
}

/// What both forms of an invitation answer to parameters they cannot use.
pub(super) fn bad_parameters() -> Reject {
    Reject::Final(ErrorCode::BadInvitation, Reason::BadInvitation)
}
