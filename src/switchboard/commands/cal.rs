//! `CAL`: call somebody into the conversation.
//!
//! Syntax: `CAL n email`
//! Direction: client to SB
//! Replies: `CAL n RINGING session`; the callee's notification session gets `RNG`
//! Errors: no address 208; oneself, a participant or somebody who is being called 215; too many
//! calls refused lately, or the conversation full 713; not online, hidden, unknown, or wanting no
//! conversations 217; not allowing the caller 217, or 216 by `switchboard.blocked_reply`; our side
//! failed, or the server going down 280
//! Source: reference `sb-commands.md` CAL, transcripts 08 and 16
//! Quirks: `RINGING` is all there is; a callee who does not come says nothing.

use crate::{
    hub::NotRung,
    model::{AccountId, Address},
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reject},
    store::StoreError,
    switchboard::{Context, Joined, counts::Refusal, room::Uninvited},
};
use tokio::time::Instant;

pub(super) async fn handle(
    joined: &mut Joined,
    call: &Call,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let Joined { context, seat, .. } = joined;
    let refused = |refusal, code: ErrorCode| {
        context.counts.refused(refusal);
        Reject::from(code)
    };
    let Some(callee) = call.args().address()? else {
        return Err(refused(Refusal::Malformed, ErrorCode::MalformedHandle));
    };
    let caller = seat.person();
    // Its place is held from here on, so that nobody else rings at the same time.
    let invitation = seat.invite(&callee).map_err(|uninvited| match uninvited {
        Uninvited::AlreadyThere => refused(Refusal::AlreadyThere, ErrorCode::AlreadyThere),
        Uninvited::Full => refused(Refusal::NoRoom, ErrorCode::TooActive),
    })?;
    if context.refused_calls.lock().full(&caller.id, Instant::now()) {
        return Err(refused(Refusal::TooActive, ErrorCode::TooActive));
    }
    if context.closing.is_cancelled() {
        return Err(refused(Refusal::Failed, ErrorCode::SwitchboardFailed));
    }
    let rung = match allows(context, &callee, caller.id).await? {
        Ok(()) => context.hub.ring(&callee, caller, seat.room(), seat.server()),
        Err(not_rung) => Err(not_rung),
    };
    if let Err(not_rung) = rung {
        context.refused_calls.lock().charge(&caller.id, Instant::now());
        return Err(match not_rung {
            NotRung::Unreachable => refused(Refusal::Unreachable, ErrorCode::NotReachable),
            NotRung::Refused => refused(Refusal::NotAllowed, blocked_reply(context)),
        });
    }
    invitation.rung();
    context.counts.rung();
    outbox.send(&Event::Cal { trid: call.trid, room: seat.room().0 });
    Ok(())
}

/// Whether the callee's lists, as stored, allow the caller: another process may have changed them.
async fn allows(
    context: &Context,
    callee: &Address,
    caller: AccountId,
) -> Result<Result<(), NotRung>, Reject> {
    match context.store.callee(callee, caller).await {
        Ok(callee) if !callee.enabled => Ok(Err(NotRung::Unreachable)),
        Ok(callee) if !callee.allows => Ok(Err(NotRung::Refused)),
        Ok(_) => Ok(Ok(())),
        Err(StoreError::NotFound) => Ok(Err(NotRung::Unreachable)),
        Err(error) => {
            context.counts.refused(Refusal::Failed);
            Err(Reject::Internal(ErrorCode::SwitchboardFailed, error.into()))
        }
    }
}

fn blocked_reply(context: &Context) -> ErrorCode {
    if context.config.switchboard.blocked_reply == ErrorCode::NotOnList.number() {
        ErrorCode::NotOnList
    } else {
        ErrorCode::NotReachable
    }
}
