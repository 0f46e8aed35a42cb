//! `IMS`: conversations on or off (WebTV).
//!
//! Syntax: `IMS n ON|OFF`
//! Direction: client to NS
//! Replies: `IMS n 0 ON|OFF`. While off the session is not rung and gets no switchboard
//! Errors: other value 715
//! Source: reference `ns-commands.md` IMS, transcript 15

use crate::{
    notification::SignedIn,
    protocol::{ErrorCode, Event},
    session::{Call, Outbox, Reject},
};

pub(super) async fn handle(
    session: &mut SignedIn,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let on = match call.args().word()? {
        b"ON" => true,
        b"OFF" => false,
        _ => return Err(ErrorCode::NotExpected.into()),
    };
    session.takes_calls = on;
    session.member.set_takes_calls(on);
    outbox.send(&Event::Ims { trid: call.trid, on });
    Ok(())
}
