//! `SDC`: invite a person by mail.
//!
//! Syntax: `SDC n email lcid library client X X name length`, payload: the sender's words
//! Direction: client to NS
//! Replies: `SDC n OK`; no mail is sent
//! Errors: bad parameters 503 and close
//! Source: reference `ns-commands.md` SDC
//! Quirks: the two `X` are constant.

use super::{name, snd::bad_parameters};
use crate::{
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    _session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    args.address()?.ok_or_else(bad_parameters)?;
    let (_lcid, _library, _client) = (args.word()?, args.word()?, args.word()?);
    if (args.word()?, args.word()?) != (&b"X"[..], &b"X"[..]) {
        return Err(bad_parameters());
    }
    name(args.word()?, ErrorCode::BadInvitation).map_err(|_| bad_parameters())?;
    outbox.send(&Event::InvitationTaken { trid: call.trid, verb: "SDC" });
    Ok(())
}
