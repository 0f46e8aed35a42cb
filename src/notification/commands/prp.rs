//! `PRP`: set or clear a property.
//!
//! Syntax: `PRP n key [value]`
//! Direction: client to NS
//! Replies: `PRP n ver key [value]`; `BPR ver email key [value]` to those who watch and may see us
//! Errors: 715 unknown or short key; 201 undecodable or illegal value; database failure 603; key
//! over 3 or value over 95 bytes: close
//! Source: reference `ns-commands.md` PRP; README §3.4
//! Quirks: `MOB` stays `N` while `MBE` is not `Y`: the reply carries the value in force.

use crate::{
    model::{Change, Edit, PropertyKey, property::PROPERTY_BYTES_MAX},
    notification::SignedIn,
    protocol::{ArgError, ErrorCode, Event, escape},
    session::{Call, Outbox, Reject},
};

/// Bytes of every key.
const KEY_BYTES: usize = 3;

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let mut args = call.args();
    let code = args.word()?;
    let token = args.optional();
    if code.len() > KEY_BYTES || token.is_some_and(|token| token.len() > PROPERTY_BYTES_MAX) {
        return Err(ArgError::Value.into());
    }
    let key = PropertyKey::from_code(code).ok_or(ErrorCode::NotExpected)?;
    let value = token.map(escape::decode).transpose();
    let value = value.map_err(|_| ErrorCode::InvalidParameter)?;
    if value.as_ref().is_some_and(|value| !key.accepts(value)) {
        return Err(ErrorCode::InvalidParameter.into());
    }
    let wanted = value.clone();
    let applied = session.edit(Edit::SetProperty { key, value }, outbox).await?.applied;
    let in_force = match &applied.change {
        Change::Property { value, .. } if *value != wanted => {
            value.as_ref().map(|value| escape::encode(value, PROPERTY_BYTES_MAX))
        }
        _ => None,
    };
    let value = in_force.as_ref().map(|value| value.as_bytes()).or(token);
    outbox.send(&Event::Prp { trid: call.trid, version: applied.version, key, value });
    Ok(())
}
