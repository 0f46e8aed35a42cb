//! Where the clients of one measurement note what they get, and the driver waits for it.

use crate::client::{Frame, Wire};
use anyhow::bail;
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Shared by all clients of a measurement.
#[derive(Debug)]
pub(crate) struct Board {
    /// Deliveries that are still to come in this turn.
    awaited: AtomicUsize,
    /// The number of the turn.
    turn: AtomicU32,
    begun_at: Mutex<Instant>,
    latencies: Mutex<Vec<Duration>>,
    /// What went wrong first.
    wrong: Mutex<Option<String>>,
    done: Notify,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            awaited: AtomicUsize::new(0),
            turn: AtomicU32::new(0),
            begun_at: Mutex::new(Instant::now()),
            latencies: Mutex::default(),
            wrong: Mutex::default(),
            done: Notify::new(),
        }
    }

    /// A turn begins, in which so many deliveries are awaited. Returns its number.
    pub(crate) fn begin(&self, awaited: usize) -> u32 {
        self.awaited.store(awaited, Ordering::Relaxed);
        *self.begun_at.lock() = Instant::now();
        self.turn.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the current turn.
    pub(crate) fn turn(&self) -> u32 {
        self.turn.load(Ordering::Relaxed)
    }

    /// Something awaited has come.
    pub(crate) fn delivered(&self) {
        let latency = self.begun_at.lock().elapsed();
        self.latencies.lock().push(latency);
        match self.awaited.fetch_sub(1, Ordering::Relaxed) {
            0 => self.wrong("more was delivered than there was to deliver".to_owned()),
            1 => self.done.notify_one(),
            _ => {}
        }
    }

    /// Something came that should not, or a client is gone.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().get_or_insert(what);
        self.done.notify_one();
    }

    /// Waits until all that was awaited has come.
    pub(crate) async fn finished(&self) -> anyhow::Result<()> {
        while self.awaited.load(Ordering::Relaxed) > 0 {
            self.done.notified().await;
            self.check()?;
        }
        self.check()
    }

    /// Whether all is well so far.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match &*self.wrong.lock() {
            Some(wrong) => bail!("{wrong}"),
            None => Ok(()),
        }
    }

    /// How long deliveries took; forgotten here.
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut self.latencies.lock())
    }

    /// Reads a connection for ever: challenges are answered, all other frames handed over. What
    /// goes wrong is noted.
    pub(crate) async fn listen(
        &self,
        wire: &mut Wire,
        mut each: impl FnMut(Frame<'_>) -> anyhow::Result<()>,
    ) {
        let ended = async {
            loop {
                let mut challenge = None;
                wire.frames(|frame| match frame.line.strip_prefix(b"CHL 0 ") {
                    Some(digits) => {
                        challenge = Some(String::from_utf8_lossy(digits).into_owned());
                        Ok(())
                    }
                    None if frame.is_trouble() => bail!("the server says {:?}", frame.shown()),
                    None => each(frame),
                })
                .await?;
                if let Some(challenge) = challenge {
                    wire.answer(&challenge).await?;
                }
            }
        };
        let ended: anyhow::Result<()> = ended.await;
        if let Err(error) = ended {
            self.wrong(format!("{error:#}"));
        }
    }
}
