//! The wire trace of chosen accounts: every line in both directions, secrets masked, payloads only
//! by their length.

use crate::{hub::SessionId, model::Address, protocol::frame::command_bytes};
use std::iter;

/// A traced connection.
#[derive(Debug, Clone)]
pub struct Trace {
    session: SessionId,
    user: Address,
    /// Until sign-in anybody can claim to be the user.
    is_signed_in: bool,
}

impl Trace {
    /// A trace of a connection that claims to be `user`'s.
    #[must_use]
    pub const fn new(session: SessionId, user: Address) -> Self {
        Self { session, user, is_signed_in: false }
    }

    /// The connection has proved to be the user's.
    pub const fn confirm(&mut self) {
        self.is_signed_in = true;
    }

    /// Logs a received command line and the length of its payload.
    pub fn received(&self, line: &[u8], payload_bytes: Option<usize>) {
        let line = masked(line);
        match payload_bytes {
            Some(bytes) => self.log(&format!("C: {line} [{bytes} bytes]")),
            None => self.log(&format!("C: {line}")),
        }
    }

    /// Logs sent lines. Whatever follows a line that has a payload is left out.
    pub fn sent(&self, lines: &[u8]) {
        for line in command_lines(lines) {
            self.log(&format!("S: {}", masked(line)));
        }
    }

    fn log(&self, line: &str) {
        let (session, user) = (self.session, &self.user);
        if self.is_signed_in {
            tracing::info!(session.id = %session, %user, "{line}");
        } else {
            tracing::info!(session.id = %session, claimed_user = %user, "{line}");
        }
    }
}

/// The lines without their ends and without what follows those that have a payload.
fn command_lines(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let (command, rest) = lines.split_at(command_bytes(lines)?);
        lines = rest;
        let line = command.split(|byte| *byte == b'\n').next()?;
        Some(line.trim_ascii_end())
    })
}

/// The line with tickets and cookies replaced by `***`.
fn masked(line: &[u8]) -> String {
    let mut words: Vec<_> =
        String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect();
    let secret_at = match words.first().map(String::as_str) {
        // USR n OK …; USR n TWN I email. Everything else may hold a ticket or a cookie.
        Some("USR") if words.get(2).is_some_and(|word| word == "OK") => None,
        Some("USR") if words.get(3).is_some_and(|word| word == "I") && words.len() == 5 => None,
        Some("USR") => {
            let is_step = words.get(2).is_some_and(|word| word == "TWN");
            let known = match words.get(3) {
                Some(word) if is_step && word == "S" => 4,
                _ if is_step => 3,
                _ => 2,
            };
            words.truncate(known);
            words.push("***".into());
            None
        }
        Some("ANS") => Some(3),
        // XFR n SB address CKI cookie; RNG session address CKI cookie email name.
        Some("XFR" | "RNG") => words.iter().position(|word| word == "CKI").map(|at| at + 1),
        _ => None,
    };
    if let Some(word) = secret_at.and_then(|at| words.get_mut(at)) {
        "***".clone_into(word);
    }
    words.join(" ").escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::{command_lines, masked};

    #[test]
    fn payloads_are_left_out() {
        let sent = b"MSG a@b.c A 11\r\nOUT\r\nsecretMSG a@b.c A 6\r\n\r\nUSR\nBYE a@b.c\r\n";
        let lines: Vec<&[u8]> = command_lines(sent).collect();
        assert_eq!(lines, [&b"MSG a@b.c A 11"[..], b"MSG a@b.c A 6", b"BYE a@b.c"]);
        // A line whose payload is not there as a whole is none.
        assert_eq!(command_lines(b"MSG a@b.c A 11\r\nsecret").count(), 0);
    }

    #[test]
    fn secrets_are_masked() {
        for (line, expected) in [
            ("USR 7 TWN S t=4tQ9&p=5X", "USR 7 TWN S ***"),
            ("USR 6 TWN I maya@example.org", "USR 6 TWN I maya@example.org"),
            ("USR 7 TWN s t=4tQ9&p=5X", "USR 7 TWN ***"),
            ("USR 7 TWN I a@b.c t=4tQ9&p=5X", "USR 7 TWN ***"),
            ("USR 7 t=4tQ9&p=5X", "USR 7 ***"),
            ("USR 4 OK maya@example.org Maya 1 0", "USR 4 OK maya@example.org Maya 1 0"),
            ("USR 1 maya@example.org 107.20", "USR 1 ***"),
            ("ANS 1 maya@example.org 107.20 18", "ANS 1 maya@example.org *** 18"),
            ("XFR 12 SB 192.0.2.10:1865 CKI 1.2", "XFR 12 SB 192.0.2.10:1865 CKI ***"),
            ("CHG 9 NLN", "CHG 9 NLN"),
        ] {
            assert_eq!(masked(line.as_bytes()), expected);
        }
        assert_eq!(masked(b"A \x1b[31m"), "A \\u{1b}[31m");
    }
}
