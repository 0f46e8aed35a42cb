//! `REA`: rename oneself or a contact.
//!
//! Syntax: `REA n email name`
//! Direction: client to NS
//! Replies: `REA n ver email name`; for the own handle an `NLN` with the new name to everybody
//! who sees us
//! Errors: 209 name undecodable, 216 on none of my lists, 800 own name changed too often, 603
//! database failure; over-long name: close
//! Source: reference `ns-commands.md` REA; `presence-rules.md` §3
//! Quirks: clients that have themselves on their list answer the `NLN` with the same `REA`; an
//! unchanged name is therefore told to nobody and counts for nothing.

use super::name;
use crate::{
    model::{Change, Edit},
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reject},
};
pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let address = args.address()?;
    let token = args.word()?;
    let name = name(token, ErrorCode::NameNotAllowed)?;
    let address = address.ok_or(ErrorCode::NotOnList)?;
    let is_own = address == session.address;
    let edit = if is_own {
        if session.member.name().as_ref() != Some(&name) && has_renamed_too_often(session) {
            return Err(ErrorCode::TooFast.into());
        }
        Edit::Rename { name }
    } else {
        Edit::RenameContact { contact: address.clone(), name }
    };
    let applied = session.edit(edit, outbox).await?.applied;
    if is_own && applied.change != Change::None {
        session.renamed.note();
    }
    let version = applied.version;
    outbox.send(&Event::Rea { trid: call.trid, version, address: &address, name: token });
    Ok(())
}

fn has_renamed_too_often(session: &mut SignedIn) -> bool {
    let max = session.context.config.limits.renames_per_minute_max;
    session.renamed.is_too_often(max)
}
