//! `ANS`: answer a call.
//!
//! Syntax: `ANS n email cookie session`
//! Direction: client to SB
//! Replies: `IRO n index total email name` for everybody who is there, `ANS n OK`; all of them get
//! `JOI email name`
//! Errors: cookie unknown, used, expired or of another account, or the caller no longer allowed 911
//! and close; in the conversation already 215 and close; no room, or the server going down 280 and
//! close; another session: close
//! Source: reference `sb-commands.md` ANS, transcripts 08, 09 and 16
//! Quirks: if everybody has left meanwhile there is no `IRO`, and the conversation goes on.

use crate::{
    hub::{Answer, Unanswered},
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
    store::StoreError,
    switchboard::{Switchboard, counts::Refusal, rooms::Unseated},
};

pub(super) async fn handle(
    role: &mut Switchboard,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let (address, cookie) = (args.address()?, args.word()?);
    let answer = role.context.hub.redeem_answer(cookie, address.as_ref());
    let answer = answer.map_err(|unanswered| match unanswered {
        Unanswered::BadCookie => role.refuse_cookie(),
        Unanswered::NotAllowed => role.refuse_caller(),
    })?;
    if args.u32()? != answer.room.0 {
        return Err(Reason::OtherRoom.into());
    }
    if role.context.closing.is_cancelled() {
        return Err(Reject::Final(ErrorCode::SwitchboardFailed, Reason::Shutdown));
    }
    if !still_allows(role, &answer).await? {
        return Err(role.refuse_caller());
    }
    role.still_welcome(&answer.admitted)?;
    let person = &answer.admitted.person;
    let joined = role.context.rooms.join(answer.room, person, answer.server.as_ref());
    let (seat, queue, present) = joined.map_err(|unseated| refused(role, unseated))?;
    role.context.counts.joined();
    role.enter(answer.admitted, seat, queue, outbox);
    let (trid, total) = (call.trid, present.len());
    for (index, person) in (1..).zip(&present) {
        let (address, name) = (&person.address, &person.name);
        outbox.send(&Event::Iro { trid, index, total, address, name });
    }
    outbox.send(&Event::AnsOk { trid });
    Ok(())
}

/// The hub has judged by the lists it knows; another process may have changed them since the call.
async fn still_allows(role: &Switchboard, answer: &Answer) -> Result<bool, Reject> {
    let own = &answer.admitted.person;
    match role.context.store.callee(&own.address, answer.caller).await {
        // Another account may have the address by now.
        Ok(callee) => Ok(callee.id == own.id && callee.enabled && callee.allows),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => {
            tracing::error!("a call could not be answered: {error:#}");
            role.context.counts.refused(Refusal::Failed);
            Err(Reject::Final(ErrorCode::SwitchboardFailed, Reason::Internal))
        }
    }
}

fn refused(role: &Switchboard, unseated: Unseated) -> Reject {
    let (refusal, code, reason) = match unseated {
        Unseated::AlreadyThere => {
            (Refusal::AlreadyThere, ErrorCode::AlreadyThere, Reason::AlreadyInRoom)
        }
        Unseated::RoomFull | Unseated::TooManyRooms | Unseated::TooManyOfUser => {
            (Refusal::NoRoom, ErrorCode::SwitchboardFailed, Reason::NoRoom)
        }
    };
    role.context.counts.refused(refusal);
    Reject::Final(code, reason)
}
