//! `CHG`: change own status.
//!
//! Syntax: `CHG n status [clientid [object]]`
//! Direction: client to NS
//! Replies: `CHG` as sent (MSNP8: always with client id); after the first one an `ILN n` for
//! everybody visible, a challenge, and what waited: unread mail (`MSG`) and alerts (`NOT`)
//! Errors: `FLN` 201; unknown status, bad client id: close; in MSNP9 an object over 4096 bytes or a
//! word behind it: close
//! Source: reference `ns-commands.md` CHG; `presence-rules.md` §3, §9
//! Quirks: Kopete ends the line with a space. A missing client id counts as 0 and drops the
//! object. MSNP8 clients have no object; further words of theirs are ignored.

use crate::{
    model::{Presence, Status, presence::MSN_OBJECT_BYTES_MAX},
    notification::{SignedIn, events},
    protocol::{ArgError, Dialect, ErrorCode, Event, TrId},
    session::{Call, Outbox, Reject},
};
use bytes::Bytes;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let code = args.word()?;
    if code == b"FLN" {
        return Err(ErrorCode::InvalidParameter.into());
    }
    let status = Status::from_code(code).ok_or(ArgError::Value)?;
    let mut words = args.clone();
    let client_id_token = words.optional();
    let client_id = if client_id_token.is_some() { args.u32()? } else { 0 };
    let mut object_token = None;
    if session.dialect == Dialect::Msnp9 {
        object_token = args.optional();
        args.finish()?;
        if object_token.is_some_and(|object| object.len() > MSN_OBJECT_BYTES_MAX) {
            return Err(ArgError::Value.into());
        }
    }
    // A copy of its own: a slice would keep the whole receive buffer in memory.
    let object = object_token.map(Bytes::copy_from_slice);
    let entered = session.member.set_presence(Presence { status, client_id, object });
    session.status = Some(status);
    let trid = call.trid;
    outbox.send(&Event::Chg {
        trid,
        status: code,
        client_id: client_id_token,
        object: object_token,
    });
    if let Some(visible) = entered.visible {
        for card in visible {
            outbox.send(&Event::Iln { trid, nln: &events::nln(&card, session.dialect) });
        }
        if !session.challenged.is_outstanding() {
            session.ask_challenge(TrId::ZERO, outbox)?;
        }
        session.tell_waiting(outbox).await?;
    }
    Ok(())
}
