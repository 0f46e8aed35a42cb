//! `VER`: which dialect to speak.
//!
//! Syntax: `VER n dialect [dialect …]`
//! Direction: client to DS and NS, first command
//! Replies: `VER n dialect …`, `VER n CVR0` for an update check, `VER n 0` and close
//! Errors: second `VER`: 715 and close
//! Source: reference `ns-commands.md` VER; README §2.2
//! Quirks: aMSN wants the word `CVR0` in the reply, bitlbee its own dialect first.

use crate::{
    config::VerReply,
    protocol::{Dialect, ErrorCode, Event, dialect::Offer},
    session::{Call, Outbox, Reason, Reject},
};

/// How far the version talk of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Greeting {
    /// Nothing said yet.
    #[default]
    Silent,
    /// The client only asks for updates.
    UpdateCheck,
    /// Both sides speak this dialect.
    Agreed(Dialect),
}

impl Greeting {
    /// The dialect, once agreed.
    #[must_use]
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Agreed(dialect) => Some(dialect),
            Self::Silent | Self::UpdateCheck => None,
        }
    }

    /// Refuses every command that needs a dialect while there is none.
    ///
    /// # Errors
    /// [`Reason::OutOfState`].
    pub fn agreed(self) -> Result<Dialect, Reason> {
        self.dialect().ok_or(Reason::OutOfState)
    }
}

/// Answers `VER` and notes the result in `greeting`.
///
/// # Errors
/// A second `VER`, or no common dialect: both end the connection.
pub fn handle(
    greeting: &mut Greeting,
    form: VerReply,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    if *greeting != Greeting::Silent {
        return Err(Reject::Final(ErrorCode::NotExpected, Reason::SecondVer));
    }
    let mut args = call.args();
    let offer = Offer::read(std::iter::from_fn(|| args.optional()));
    let trid = call.trid;
    let common: Vec<Dialect> = offer.common().collect();
    match (common.first(), form) {
        (Some(dialect), form) => {
            outbox.set_dialect(*dialect);
            *greeting = Greeting::Agreed(*dialect);
            let single = std::slice::from_ref(dialect);
            let (dialects, update_check) = match form {
                VerReply::List => (&*common, offer.update_check),
                VerReply::Single => (single, false),
            };
            outbox.send(&Event::Ver { trid, dialects, update_check });
            Ok(())
        }
        (None, _) if offer.update_check => {
            *greeting = Greeting::UpdateCheck;
            outbox.send(&Event::Ver { trid, dialects: &[], update_check: true });
            Ok(())
        }
        (None, _) => {
            outbox.send(&Event::VerNone { trid });
            Err(Reason::NoDialect.into())
        }
    }
}
