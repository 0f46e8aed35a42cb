//! `PAG`: page a mobile device.
//!
//! Syntax: `PAG n email device length`, payload: text
//! Direction: client to NS, MSNP8; withdrawn in MSNP9
//! Replies: none
//! Errors: MSNP9 715; MSNP8 800, since there is no mobile gateway
//! Source: reference `ns-commands.md` PAG, transcript 12
//! Quirks: the payload is consumed whatever the answer, or it would be read as commands.

use crate::{
    notification::SignedIn,
    protocol::{Dialect, ErrorCode},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    _call: &Call<'_>,
    _outbox: &mut Outbox,
) -> Result<(), Reject> {
    Err(match session.dialect {
        Dialect::Msnp8 => ErrorCode::TooFast.into(),
        Dialect::Msnp9 => ErrorCode::NotExpected.into(),
    })
}
