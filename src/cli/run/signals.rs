//! The signals that ask the server to end. Knows nothing of what is ended.

use super::Failure;
use anyhow::Context as _;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

/// SIGINT, SIGTERM and SIGHUP, which all mean the same. From the moment this is made none of them
/// ends the process by itself.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if whoever started us wants this one ignored.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Must be called within a runtime.
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hang_up = SignalKind::hangup();
        let hang_up = (!is_ignored(&status, hang_up)).then(|| listen(hang_up)).transpose()?;
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// Waits for the next one and names it. Cancellation safe.
    pub(super) async fn next(&mut self) -> &'static str {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hang_up => "SIGHUP",
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
