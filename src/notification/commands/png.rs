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
    protocol::{Dialect, Event},
    session::{Call, Outbox, Reject},
};

/// The answer, which is the same for everybody who speaks a dialect; encoded once.
#[derive(Debug)]
pub struct Pong([Box<[u8]>; Dialect::ALL.len()]);

impl Pong {
    /// Tells clients to ping again after `secs` seconds.
    #[must_use]
    pub fn new(secs: u64) -> Self {
        let mut lines = [const { Vec::new() }; Dialect::ALL.len()];
        for dialect in Dialect::ALL {
            if let Some(line) = lines.get_mut(dialect.index()) {
                Event::Qng { secs }.encode(dialect, line);
            }
        }
        Self(lines.map(Vec::into_boxed_slice))
    }

    #[inline]
    fn line(&self, dialect: Dialect) -> &[u8] {
        let Self(lines) = self;
        lines.get(dialect.index()).map_or(&[], |line| line)
    }
}

pub(super) fn handle(
    session: &mut SignedIn,
    _call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    session.expect_pings();
    outbox.send_encoded(session.context.pong.line(session.dialect));
    Ok(())
}
