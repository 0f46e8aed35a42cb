//! One port for two roles: what a connection says first tells which of them it wants.

use super::{Parts, Role};
use crate::{config::Bind, net::listener::Accepted, session::Reason};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    select,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The bytes that decide.
const VERB_BYTES: usize = 3;
/// Bytes that are looked at: a verb, and before it what the decoder skips.
const OPENING_BYTES_MAX: usize = 64;

impl Parts {
    /// Whether the notification and the switchboard role have one port.
    pub(super) fn shares_port(&self) -> bool {
        self.config.switchboard.bind == Bind::Notification
    }

    /// Serves a connection to the shared port as soon as it has said what it wants. Until then it
    /// counts as one of the notification role, where most belong; silent ones end here.
    pub(super) fn open_door(
        &self,
        mut accepted: Accepted,
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        let (parts, later, draining) = (self.clone(), tasks.clone(), draining.clone());
        let accepted_at = Instant::now();
        let deadline = accepted_at + Duration::from_secs(self.config.timers.login_secs);
        let held = self.notification.metrics.connection(Role::Notification.name());
        tasks.spawn(async move {
            let opening = select! {
                () = draining.cancelled() => return,
                opening = Opening::read(&mut accepted.stream, deadline) => opening,
            };
            let Some(opening) = opening else {
                let reason = Reason::LoginDeadline;
                parts.notification.meters.end(reason.label());
                tracing::debug!(session.id = accepted.id, address = %accepted.peer, %reason,
                    "said nothing");
                return;
            };
            let role =
                if opening.is_switchboard() { Role::Switchboard } else { Role::Notification };
            drop(held);
            // A task of its own: what an idle connection costs is then no more than elsewhere.
            parts.speak(role, accepted, accepted_at, opening.bytes(), &later, &draining);
        });
    }
}

/// What a connection began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    bytes: [u8; OPENING_BYTES_MAX],
    len: usize,
}

impl Opening {
    /// Waits for the first verb; `None` if it has not come by `deadline`. Whoever leaves before is
    /// let through with what there is: the role then ends it as it would anybody.
    pub(super) async fn read(io: &mut (impl AsyncRead + Unpin), deadline: Instant) -> Option<Self> {
        let mut opening = Self { bytes: [0; OPENING_BYTES_MAX], len: 0 };
        let read = async {
            while opening.verb().len() < VERB_BYTES && opening.len < OPENING_BYTES_MAX {
                // No more than completes the verb: the rest is the role's to read.
                let end = opening.len + VERB_BYTES - opening.verb().len();
                let end = end.min(OPENING_BYTES_MAX);
                match io.read(&mut opening.bytes[opening.len..end]).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => opening.len += count,
                }
            }
        };
        timeout_at(deadline, read).await.ok()?;
        Some(opening)
    }

    /// Whether somebody comes with a cookie for a conversation. On the notification role nobody
    /// begins with `USR`, and there is no `ANS`.
    pub(super) fn is_switchboard(&self) -> bool {
        matches!(self.verb(), b"USR" | b"ANS")
    }

    /// What was read, which the role must still hear.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What follows the blank lines and spaces that the decoder would skip.
    fn verb(&self) -> &[u8] {
        let is_skipped = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
        let at = self.bytes().iter().position(|byte| !is_skipped(byte)).unwrap_or(self.len);
        &self.bytes[at..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn the_first_verb_decides() {
        for (said, is_switchboard) in [
            (&b"USR 1 alice@example.test 1.2\r\n"[..], true),
            (b"ANS 1 alice@example.test 1.2 3\r\n", true),
            (b"\r\n\n  \tUSR 1 alice@example.test 1.2\r\n", true),
            (b" \r\nVER 1 MSNP9\r\n", false),
            (b"VER 1 MSNP9\r\n", false),
            (b"USE 1\r\n", false),
            (b"usr", false),
            (b"US", false),
            (b"", false),
        ] {
            let mut io = said;
            let opening = Opening::read(&mut io, soon()).await.unwrap();
            assert_eq!(opening.is_switchboard(), is_switchboard, "{said:?}");
            assert_eq!([opening.bytes(), io].concat(), said);
        }
    }

    #[tokio::test]
    async fn only_so_much_is_skipped() {
        for (spaces, is_switchboard) in [(61, true), (62, false), (100, false)] {
            let said = [" ".repeat(spaces).as_bytes(), b"USR 1"].concat();
            let mut io = &said[..];
            let opening = Opening::read(&mut io, soon()).await.unwrap();
            assert_eq!(opening.is_switchboard(), is_switchboard, "{spaces}");
            assert_eq!([opening.bytes(), io].concat(), said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_may_come_in_pieces_and_not_for_ever() {
        let mut io = in_pieces();
        assert_eq!(Opening::read(&mut io, soon()).await.unwrap().bytes(), b"\nUSR");
        let (mut silent, _other_end) = tokio::io::duplex(8);
        assert_eq!(Opening::read(&mut silent, soon()).await, None);
    }

    fn in_pieces() -> impl AsyncRead + Unpin {
        (&b"\nU"[..]).chain(&b"S"[..]).chain(&b"R"[..])
    }
}
