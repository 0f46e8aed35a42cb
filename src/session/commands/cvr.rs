//! `CVR` and `CVQ`: the client tells what it is and asks for updates.
//!
//! Syntax: `CVR n locale ostype osver arch client version MSMSGS email`
//! Direction: client to DS and NS
//! Replies: `CVR n recommended recommended minimum download info`, all three the client's own
//! Errors: none; with too few arguments the version is `1.0.0000`
//! Source: reference `ns-commands.md` CVR
//! Quirks: a minimum above the client's version ends its sign-in, a recommended one above it
//! makes it ask for an upgrade.

use super::ver::Greeting;
use crate::{
    config::Notification,
    protocol::Event,
    session::{Call, Outbox, Reason, Reject},
};

/// Sent to clients that do not tell their version.
const UNKNOWN_VERSION: &str = "1.0.0000";
/// Longest version that is repeated.
const VERSION_BYTES_MAX: usize = 32;

/// The version that a client tells, if it is one that can be repeated.
#[must_use]
pub fn version<'a>(call: &Call<'a>) -> Option<&'a str> {
    let words: Vec<&[u8]> = call.line.words().skip(2).collect();
    let is_version = |word: &&str| {
        word.len() <= VERSION_BYTES_MAX
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
    };
    // With fewer words nobody knows which of them is the version.
    (words.len() >= 7)
        .then(|| words.get(5).and_then(|word| std::str::from_utf8(word).ok()))
        .flatten()
        .filter(is_version)
}

/// Answers `CVR`; after an update check that is the end.
///
/// # Errors
/// Before `VER`, and after an update check.
pub fn handle(
    greeting: Greeting,
    config: &Notification,
    call: &Call<'_>,
    outbox: &mut Outbox,
) -> Result<(), Reject> {
    if greeting == Greeting::Silent {
        return Err(Reason::OutOfState.into());
    }
    let version = version(call).unwrap_or(UNKNOWN_VERSION);
    let verb = if call.line.verb() == b"CVQ" { "CVQ" } else { "CVR" };
    let (download, info) = (&config.download_url, &config.info_url);
    outbox.send(&Event::Cvr { trid: call.trid, verb, version, download, info });
    match greeting {
        Greeting::UpdateCheck => Err(Reason::UpdateChecked.into()),
        Greeting::Silent | Greeting::Agreed(_) => Ok(()),
    }
}
