//! `REG`: rename a group.
//!
//! Syntax: `REG n id name [0]`
//! Direction: client to NS
//! Replies: `REG n ver id name 0`
//! Errors: 229 name too long, 201 name undecodable, 224 no such group, 603 database failure; a huge
//! name, a number that is none: close
//! Source: reference `ns-commands.md` REG
//! Quirks: group 0 may be renamed; the official client does so at its first sign-in.

use super::adg::group_name;
use crate::{
    model::Edit,
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
    let group = args.optional_group()?.ok_or(ArgError::Missing)?;
    let token = args.word()?;
    let name = group_name(token)?;
    let group = group.ok_or(ErrorCode::NoSuchGroup)?;
    let version = session.edit(Edit::RenameGroup { group, name }, outbox).await?.applied.version;
    outbox.send(&Event::Reg { trid: call.trid, version, group, name: token });
    Ok(())
}
