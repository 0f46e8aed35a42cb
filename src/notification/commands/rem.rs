//! `REM`: take somebody off a list, or out of a group.
//!
//! Syntax: `REM n FL email [group]`, `REM n AL|BL email`
//! Direction: client to NS
//! Replies: `REM n list ver email [group]`. Somebody who leaves the forward list gets
//! `REM 0 RL ver email`
//! Errors: 224, 216, 225 in this priority; database failure 603; `RL`, unknown list: close
//! Source: reference `ns-commands.md` REM; `presence-rules.md` §3
//! Quirks: leaving the last group is leaving the list; Kopete always names a group.

use crate::{
    model::{Edit, List},
    notification::SignedIn,
    protocol::{ArgError, ErrorCode, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let list = List::from_code(args.word()?).ok_or(ArgError::Value)?;
    let contact = args.address()?;
    let group = if list == List::Forward { args.optional_group()? } else { None };
    args.finish()?;
    if group == Some(None) {
        return Err(ErrorCode::NoSuchGroup.into());
    }
    let group = group.flatten();
    let contact = contact.ok_or(ErrorCode::NotOnList)?;
    let edit = Edit::Remove { list, contact: contact.clone(), group };
    let version = session.edit(edit, outbox).await?.applied.version;
    outbox.send(&Event::Rem { trid: call.trid, list, version, address: &contact, group });
    Ok(())
}
