//! One port for two roles: what a connection says first tells which of them it wants.

use super::{Parts, Role};
use crate::{config::Bind, net::listener::Accepted};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    select,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The bytes that decide.
const VERB_BYTES: usize = 3;

impl Parts {
    /// Whether the notification and the switchboard role have one port.
    pub(super) fn shares_port(&self) -> bool {
        self.config.switchboard.bind == Bind::Notification
    }

    /// Serves a connection to the shared port as soon as it has said what it wants.
    pub(super) fn open_door(
        &self,
        mut accepted: Accepted,
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        let (parts, later, draining) = (self.clone(), tasks.clone(), draining.clone());
        let wait = Duration::from_secs(self.config.timers.login_secs);
        tasks.spawn(async move {
            let opening = select! {
                () = draining.cancelled() => return,
                opening = Opening::read(&mut accepted.stream, wait) => opening,
            };
            let role =
                if opening.is_switchboard() { Role::Switchboard } else { Role::Notification };
            // A task of its own: what an idle connection costs is then no more than elsewhere.
            parts.speak(role, accepted, opening.bytes(), &later, &draining);
        });
    }
}

/// What a connection began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    bytes: [u8; VERB_BYTES],
    len: usize,
}

impl Opening {
    /// Waits for the first verb, at most so long. Whoever says less within that time, or leaves, is
    /// let through with what there is: the role then ends it as it would anybody.
    pub(super) async fn read(io: &mut (impl AsyncRead + Unpin), wait: Duration) -> Self {
        let mut opening = Self { bytes: [0; VERB_BYTES], len: 0 };
        let read = async {
            while opening.len < VERB_BYTES {
                match io.read(&mut opening.bytes[opening.len..]).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => opening.len += count,
                }
            }
        };
        // Late is the same as never.
        let _ = timeout(wait, read).await;
        opening
    }

    /// Whether somebody comes with a cookie for a conversation. On the notification role nobody
    /// begins with `USR`, and there is no `ANS`.
    pub(super) fn is_switchboard(&self) -> bool {
        matches!(self.bytes(), b"USR" | b"ANS")
    }

    /// What was read, which the role must still hear.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_first_verb_decides() {
        for (said, is_switchboard) in [
            (&b"USR 1 alice@example.test 1.2\r\n"[..], true),
            (b"ANS 1 alice@example.test 1.2 3\r\n", true),
            (b"VER 1 MSNP9\r\n", false),
            (b"usr", false),
            (b"US", false),
            (b"", false),
        ] {
            let mut io = said;
            let opening = Opening::read(&mut io, WAIT).await;
            assert_eq!(opening.is_switchboard(), is_switchboard, "{said:?}");
            assert_eq!([opening.bytes(), io].concat(), said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_may_come_in_pieces_and_not_for_ever() {
        let mut io = in_pieces();
        assert_eq!(Opening::read(&mut io, WAIT).await.bytes(), b"USR");
        let (mut silent, _other_end) = tokio::io::duplex(8);
        assert_eq!(Opening::read(&mut silent, WAIT).await.bytes(), b"");
    }

    fn in_pieces() -> impl AsyncRead + Unpin {
        (&b"U"[..]).chain(&b"S"[..]).chain(&b"R"[..])
    }
}
