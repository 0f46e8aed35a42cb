//! `PNG`: the client is alive.
//!
//! Syntax: `PNG`
//! Direction: client to NS
//! Replies: `QNG`, in MSNP9 `QNG seconds`
//! Errors: before sign-in: close
//! Source: reference `ns-commands.md` PNG; README §5
//! Quirks: only clients that ping are ended when they fall silent; Twisted never does.

use crate::{
    notification::SignedIn,
    protocol::Event,
    session::{Call, Outbox, Reject},
};

pub(super) fn handle(
    session: &mut SignedIn,
    _call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    session.expect_pings();
    outbox.send(&Event::Qng { secs: session.context.config.timers.ping_secs });
    Ok(())
}
