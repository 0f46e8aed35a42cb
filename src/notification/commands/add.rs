//! `ADD`: put somebody on a list, or into a further group.
//!
//! Syntax: `ADD n FL email name [group]`, `ADD n AL|BL email name`
//! Direction: client to NS
//! Replies: `ADD n list ver email name [group]`; for a new forward contact four `BPR`s and, if it
//! is visible, an `ILN n`. The added person gets `ADD 0 RL ver email name`
//! Errors: 201, 205, 224, 215, 219, 210 in this priority; database failure 603; `RL`, unknown list,
//! over-long name: close
//! Source: reference `ns-commands.md` ADD; README §4.3; `presence-rules.md` §3, §5
//! Quirks: aMSN files by the group of the reply, so forward adds always carry one; Twisted rejects
//! one on the other lists. bitlbee blocks without taking off the allow list first: 219.

use super::name;
use crate::{
    model::{Change, Edit, GroupId, List, PropertyKey},
    notification::{SignedIn, edit::Edited, events},
    protocol::{ArgError, ErrorCode, Event},
    session::{Call, Outbox, Reject},
    store::StoreError,
};

/// The properties told of a new contact, set or not.
const TOLD: [PropertyKey; 4] = [
    PropertyKey::HomePhone,
    PropertyKey::WorkPhone,
    PropertyKey::MobilePhone,
    PropertyKey::MobileAllowed,
];

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let list = List::from_code(args.word()?).ok_or(ArgError::Value)?;
    let contact = args.address()?;
    let token = args.word()?;
    let group = if list == List::Forward { args.optional_group()? } else { None };
    args.finish()?;
    let name = name(token, ErrorCode::InvalidParameter)?;
    let contact = contact.ok_or(ErrorCode::InvalidParameter)?;
    if group == Some(None) {
        // No such group can exist, but an unknown account is the error of higher priority.
        return Err(match session.context.store.account(&contact).await {
            Ok(_) => ErrorCode::NoSuchGroup.into(),
            Err(StoreError::NotFound) => ErrorCode::NoSuchUser.into(),
            Err(error) => Reject::Internal(ErrorCode::DatabaseUnavailable, error.into()),
        });
    }
    let group = group.flatten();
    let edit = Edit::Add { list, contact: contact.clone(), name, group };
    let Edited { applied, now_visible } = session.edit(edit, outbox).await?;
    let (trid, version, address) = (call.trid, applied.version, &contact);
    let group = (list == List::Forward).then_some(group.unwrap_or(GroupId::ZERO));
    outbox.send(&Event::Add { trid, list, version, address, name: token, group });
    if let Change::Watched { properties, .. } = &applied.change {
        for key in TOLD {
            let value = properties.as_ref().and_then(|set| set.get(&key)).map(String::as_str);
            let unset = (key == PropertyKey::MobileAllowed).then_some("N");
            outbox.send(&Event::Bpr { version, address, key, value: value.or(unset) });
        }
    }
    if let Some(card) = now_visible {
        outbox.send(&Event::Iln { trid, nln: &events::nln(&card, session.dialect) });
    }
    Ok(())
}
