//! `GTC`: what the client does when somebody new appears on the reverse list. Stored only.
//!
//! Syntax: `GTC n A|N`
//! Direction: client to NS
//! Replies: `GTC n ver A|N`
//! Errors: 218 same value, 603 database failure; other value: close
//! Source: reference `ns-commands.md` GTC

use crate::{
    model::{Edit, Prompt},
    notification::SignedIn,
    protocol::{ArgError, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let prompt = Prompt::from_code(call.args().word()?).ok_or(ArgError::Value)?;
    let version = session.edit(Edit::SetPrompt(prompt), outbox).await?.applied.version;
    outbox.send(&Event::Gtc { trid: call.trid, version, prompt });
    Ok(())
}
