//! `BLP`: how people on neither allow nor block list are treated.
//!
//! Syntax: `BLP n AL|BL`
//! Direction: client to NS
//! Replies: `BLP n ver AL|BL`; `FLN` to those who lose sight, `NLN` to those who gain it
//! Errors: 218 same value, 603 database failure; other value: close
//! Source: reference `ns-commands.md` BLP; `presence-rules.md` §2, §3

use crate::{
    model::{Edit, Privacy},
    notification::SignedIn,
    protocol::{ArgError, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let privacy = Privacy::from_code(call.args().word()?).ok_or(ArgError::Value)?;
    let version = session.edit(Edit::SetPrivacy(privacy), outbox).await?.applied.version;
    outbox.send(&Event::Blp { trid: call.trid, version, privacy });
    Ok(())
}
