//! `ADG`: make a group.
//!
//! Syntax: `ADG n name [0]`
//! Direction: client to NS
//! Replies: `ADG n ver name id 0`
//! Errors: 229 name too long, 201 name undecodable, 223 too many groups, 603 database failure; a
//! huge name: close
//! Source: reference `ns-commands.md` ADG; README §3.4

use crate::{
    model::{Change, Edit, Name, name::GROUP_NAME_BYTES_MAX},
    notification::SignedIn,
    protocol::{ArgError, ErrorCode, Event},
    session::{Call, Outbox, Reason, Reject},
};

/// Above this many bytes a group name ends the connection.
const HUGE_GROUP_NAME_BYTES: usize = 127;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let token = args.word()?;
    let name = group_name(token)?;
    let applied = session.edit(Edit::AddGroup { name }, outbox).await?.applied;
    let Change::GroupAdded { group } = applied.change else {
        return Err(Reason::Internal.into());
    };
    outbox.send(&Event::Adg { trid: call.trid, version: applied.version, name: token, group });
    Ok(())
}

/// A group name as clients send it.
pub(super) fn group_name(token: &[u8]) -> Result<Name, Reject> {
    if token.len() > HUGE_GROUP_NAME_BYTES {
        Err(ArgError::NameTooLong.into())
    } else if token.len() > GROUP_NAME_BYTES_MAX {
        Err(ErrorCode::GroupNameTooLong.into())
    } else {
        super::name(token, ErrorCode::InvalidParameter)
    }
}
