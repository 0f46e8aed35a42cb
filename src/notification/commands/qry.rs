//! `QRY`: the answer to a challenge.
//!
//! Syntax: `QRY n clientid 32`, payload: 32 lower-case hex digits
//! Direction: client to NS
//! Replies: `QRY n`
//! Errors: wrong or unexpected answer, unknown id, wrong length: 540 and close; with the policy
//! `log` a line in the log
//! Source: reference `ns-commands.md` CHL/QRY
//! Quirks: which id belongs to which build is uncertain, so any known id is good for anybody.

use crate::{
    notification::{SignedIn, challenge::is_enforced},
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
};
use tokio::time::Instant;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let client_id = call.args().word()?;
    let given = call.payload.unwrap_or_default();
    let config = &session.context.config.challenge;
    if !session.challenged.take_answer(config, client_id, given, Instant::now()) {
        if is_enforced(config) {
            return Err(Reject::Final(ErrorCode::ChallengeFailed, Reason::ChallengeWrong));
        }
        let client_id = String::from_utf8_lossy(client_id);
        tracing::info!(session.id = %session.member.session(), user = %session.address,
            "wrong challenge answer as client {client_id:?}; the policy is to log only");
    }
    outbox.send(&Event::Qry { trid: call.trid });
    Ok(())
}
