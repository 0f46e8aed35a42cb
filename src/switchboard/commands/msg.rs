//! `MSG`: say something to all others.
//!
//! Syntax: `MSG n U|N|A|D|S length`, payload: headers, an empty line, the body
//! Direction: client to SB
//! Replies: `ACK n`, `NAK n` or nothing, as the type says; all others get
//! `MSG email name length` with the payload byte for byte
//! Errors: `D` that is no message, or text 282; unknown type, `D` in MSNP8, data between clients
//! under another type in MSNP9, more than 1664 bytes: close
//! Source: reference `sb-commands.md` §2, transcripts 08, 09 and 10
//! Quirks: an empty message is acknowledged and goes nowhere. While much waits for the only other
//! one, further commands of the sender stay unread.

use crate::{
    protocol::{Dialect, ErrorCode},
    session::{Call, Outbox, Reason, Reject},
    switchboard::{
        Joined,
        message::{Fault, Kind},
    },
};

pub(super) fn handle(
    joined: &mut Joined,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    let has_data = joined.dialect >= Dialect::Msnp9;
    let kind = Kind::from_code(call.args().word()?).filter(|kind| has_data || *kind != Kind::Data);
    let kind = kind.ok_or(Reason::MessageType)?;
    let payload = call.payload.unwrap_or_default();
    if let Err(fault) = kind.check(payload, has_data) {
        // Replies come in the order of the commands.
        joined.deliver(false, outbox);
        return Err(match fault {
            Fault::Malformed => Reject::Code(ErrorCode::MalformedMessage),
            Fault::Disguised => Reason::DisguisedData.into(),
        });
    }
    if !joined.speech.takes(kind) {
        joined.deliver(true, outbox);
    }
    joined.speech.add(kind, call.trid, &joined.seat, payload, call.behind);
    Ok(())
}
