//! `USR`: open a conversation.
//!
//! Syntax: `USR n email cookie`
//! Direction: client to SB
//! Replies: `USR n OK email name`
//! Errors: cookie unknown, used, expired or of another account 911 and close; too many
//! conversations, or the server going down 280 and close
//! Source: reference `sb-commands.md` USR, transcripts 08 and 16
//! Quirks: dialect and name are those of the notification session that asked for the cookie.

use crate::{
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
    switchboard::{Switchboard, counts::Refusal},
};

pub(super) async fn handle(
    role: &mut Switchboard,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let (address, cookie) = (args.address()?, args.word()?);
    let opening = role.context.hub.redeem_opening(cookie, address.as_ref());
    let opening = opening.ok_or_else(|| role.refuse_cookie())?;
    if role.context.closing.is_cancelled() {
        return Err(Reject::Final(ErrorCode::SwitchboardFailed, Reason::Shutdown));
    }
    role.still_welcome(&opening.admitted)?;
    let person = &opening.admitted.person;
    let (seat, queue) = role.context.rooms.open(person, opening.server).map_err(|_| {
        role.context.counts.refused(Refusal::NoRoom);
        Reject::Final(ErrorCode::SwitchboardFailed, Reason::NoRoom)
    })?;
    role.context.counts.opened();
    let (trid, person) = (call.trid, person.clone());
    role.enter(opening.admitted, seat, queue, outbox);
    outbox.send(&Event::UsrConversation { trid, address: &person.address, name: &person.name });
    Ok(())
}
