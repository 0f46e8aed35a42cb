//! `OUT`: sign out.
//!
//! Syntax: `OUT`
//! Direction: client to NS
//! Replies: `OUT`, close
//! Errors: none
//! Source: reference `ns-commands.md` OUT, transcript 02

use crate::{
    notification::Notification,
    protocol::Event,
    session::{Call, Outbox, Reason, Reject},
};

pub(super) async fn handle(
    _role: &mut Notification,
    _call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    outbox.send(&Event::Out);
    Err(Reason::Out.into())
}
