//! `CAL`: call somebody into the conversation.
//!
//! Syntax: `CAL n email`
//! Direction: client to SB
//! Replies: `CAL n RINGING session`; the callee's notification session gets `RNG`
//! Errors: no address 208; oneself, a participant or somebody who is being called 215; too many
//! calls refused lately, too many waiting for the callee's answer, or the conversation full 713;
//! not online, hidden, unknown, or wanting no conversations 217; not allowing the caller 217, or
//! 216 by `switchboard.blocked_reply`; the conversation over, our side failed, or the server going
//! down 280; the caller's account gone or disabled: close
//! Source: reference `sb-commands.md` CAL, transcripts 08 and 16
//! Quirks: `RINGING` is all there is; a callee who does not come says nothing.

use crate::{
    hub::NotRung,
    model::{AccountId, Address},
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
    store::StoreError,
    switchboard::{Context, Joined, counts::Refusal, room::Uninvited},
};

pub(super) async fn handle(
    joined: &mut Joined,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let Joined { context, seat, over, .. } = joined;
    let refused = |refusal, code: ErrorCode| {
        context.counts.refused(refusal);
        Reject::from(code)
    };
    let Some(callee) = call.args().address()? else {
        return Err(refused(Refusal::Malformed, ErrorCode::MalformedHandle));
    };
    let caller = seat.person();
    seat.drop_spent_calls(|callees| context.hub.still_rung(seat.room(), callees));
    // Its place is held from here on, so that nobody else rings at the same time.
    let invitation = seat.invite(&callee).map_err(|uninvited| match uninvited {
        Uninvited::AlreadyThere => refused(Refusal::AlreadyThere, ErrorCode::AlreadyThere),
        Uninvited::Full => refused(Refusal::NoRoom, ErrorCode::TooActive),
        Uninvited::Out => refused(Refusal::Failed, ErrorCode::SwitchboardFailed),
    })?;
    let Some(attempt) = context.refused_calls.begin(caller.id) else {
        return Err(refused(Refusal::TooActive, ErrorCode::TooActive));
    };
    if context.closing.is_cancelled() {
        return Err(refused(Refusal::Failed, ErrorCode::SwitchboardFailed));
    }
    let rung = match allows(context, &callee, caller.id).await? {
        Ok(()) if over.is_cancelled() => return Err(Reason::SessionOver.into()),
        Ok(()) => context.hub.ring(&callee, caller, seat.room(), seat.server()),
        Err(not_rung) => Err(not_rung),
    };
    if let Err(not_rung) = rung {
        return Err(match not_rung {
            NotRung::Unreachable => refused(Refusal::Unreachable, ErrorCode::NotReachable),
            NotRung::Refused => refused(Refusal::NotAllowed, blocked_reply(context)),
            NotRung::TooMany => refused(Refusal::TooActive, ErrorCode::TooActive),
        });
    }
    attempt.was_not_refused();
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
        // It may have signed out long ago, and be gone since.
        Ok(callee) if !callee.caller_enabled => Err(Reason::SessionOver.into()),
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
