//! Gets a new password from the person at the terminal, or from standard input. Never from the
//! command line, which everybody on the machine can read.

use super::Failure;
use crate::store::password::Password;
use anyhow::{Context as _, anyhow};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Longest line we read, bytes; longer than any password we accept.
const LINE_BYTES_MAX: u64 = 1024;

/// Asks twice, without showing what is typed, if standard input is a terminal; else takes its
/// first line.
pub(super) fn read(whose: &str) -> Result<Password, Failure> {
    let stdin = io::stdin();
    let text = if stdin.is_terminal() {
        ask(&format!("New password for {whose}: "), "The same again: ")?
    } else {
        first_line(stdin.lock())?
    };
    Ok(Password::new(&text).map_err(|error| anyhow!("this password cannot be used: {error}"))?)
}

/// Gets a password that somebody has already: the first line of `file`, or else asked for once, or
/// else the first line of standard input.
pub(super) fn read_known(whose: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = file {
        let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        return first_line(BufReader::new(opened));
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let asked = rpassword::prompt_password(format!("Password of {whose}: "));
        return Ok(asked
            .map(Zeroizing::new)
            .context("cannot read a password from the terminal")?);
    }
    first_line(stdin.lock())
}

fn ask(prompt: &str, again: &str) -> Result<Zeroizing<String>, Failure> {
    let read = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .context("cannot read a password from the terminal")
    };
    let first = read(prompt)?;
    if *first != *read(again)? {
        return Err(anyhow!("the two passwords differ; nothing has changed").into());
    }
    Ok(first)
}

fn first_line(input: impl BufRead) -> Result<Zeroizing<String>, Failure> {
    // Room for all of it at once: growing would leave copies of its beginning behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX as usize + 1));
    input
        .take(LINE_BYTES_MAX + 1)
        .read_until(b'\n', &mut line)
        .context("cannot read a password from standard input")?;
    if line.is_empty() {
        let text = "no password on standard input; write it there as one line, or run this in a \
                    terminal to be asked";
        return Err(anyhow!(text).into());
    }
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(anyhow!("the line on standard input is too long for a password").into());
    }
    let end =
        line.strip_suffix(b"\n").map_or(&**line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let text = str::from_utf8(end).map_err(|_| anyhow!("the password is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts_without_its_end() {
        for input in ["secret", "secret\n", "secret\r\n", "secret\nmore\n"] {
            assert_eq!(*first_line(input.as_bytes()).unwrap(), "secret");
        }
        assert_eq!(*first_line(&b" se cret \n"[..]).unwrap(), " se cret ");
    }

    #[test]
    fn nothing_too_much_and_no_text_are_refused_without_being_shown() {
        let long = "x".repeat(2000);
        for input in [&b""[..], long.as_bytes(), b"secret\xff\n"] {
            let text = first_line(input).unwrap_err().to_string();
            assert!(!text.contains("xxx") && !text.contains("secret"), "{text}");
        }
    }
}
