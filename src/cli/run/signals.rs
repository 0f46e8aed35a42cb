//! The signals that ask the server to end, or to read its certificates again. Knows nothing of
//! what is ended or read.

use super::Failure;
use anyhow::Context as _;
use std::io::{IsTerminal as _, stdin};
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The end; with the signal's name.
    End(&'static str),
    /// Certificates are to be read again.
    Reload,
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// The end.
    Ends,
    /// Read the certificates again; but the end if we were started in a terminal that is gone now.
    Reloads,
}

/// SIGINT, SIGTERM and SIGHUP. From the moment this is made none of them ends the process by
/// itself.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if whoever started us wants this one ignored.
    hang_up: Option<Signal>,
    meaning: HangUp,
    in_terminal: bool,
}

impl Signals {
    /// Must be called within a runtime.
    pub(super) fn new(meaning: HangUp) -> Result<Self, Failure> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hang_up = SignalKind::hangup();
        let hang_up = (!is_ignored(&status, hang_up)).then(|| listen(hang_up)).transpose()?;
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up,
            meaning,
            in_terminal: stdin().is_terminal(),
        })
    }

    /// Waits for the next one. Cancellation safe.
    pub(super) async fn next(&mut self) -> Asked {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        select! {
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            // A terminal that hung up is no terminal any more.
            _ = hang_up => match self.meaning {
                HangUp::Reloads if !self.in_terminal || stdin().is_terminal() => Asked::Reload,
                HangUp::Reloads | HangUp::Ends => Asked::End("SIGHUP"),
            },
        }
    }

    /// Waits for the next one that asks for the end, and names it; those that ask for something
    /// else are forgotten. Cancellation safe.
    pub(super) async fn end(&mut self) -> &'static str {
        loop {
            if let Asked::End(signal) = self.next().await {
                return signal;
            }
        }
    }
}

/// Whether a process of this `/proc` status was started with the signal ignored, as `nohup` does:
/// it shall outlive its terminal. Where there is no such file, nobody is taken to have asked.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (mask >> (kind.as_raw_value() - 1)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_heeded() {
        let status = |mask| format!("Name:\tmsnd\nSigBlk:\t0000000000000000\nSigIgn:\t{mask}\n");
        assert!(is_ignored(&status("0000000000001001"), SignalKind::hangup()));
        assert!(!is_ignored(&status("0000000000001000"), SignalKind::hangup()));
        assert!(!is_ignored(&status("0000000000000001"), SignalKind::terminate()));
        assert!(!is_ignored("", SignalKind::hangup()));
    }
}
