//! `CHL` from the client: it asks for a challenge.
//!
//! Syntax: `CHL n`
//! Direction: client to NS, optional
//! Replies: `CHL n challenge`
//! Errors: none
//! Source: reference `ns-commands.md` CHL

use crate::{
    notification::SignedIn,
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    session.ask_challenge(call.trid, outbox)
}
