//! Messages one way through many conversations, each awaited in its turn and looked at whole.

use super::repeat;
use crate::{
    accounts::Account,
    client::{Frame, Wire},
    conversation::{Conversation, open_all},
    options::Options,
    report::Sample,
    target::Target,
};
use anyhow::{Context as _, bail, ensure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// In a payload, the place of the message's number.
pub(super) const NUMBER: &str = "########";
/// The number of the first message, so that all have as many digits as there is place for.
const FIRST_NUMBER: u32 = 10_000_000;
/// How long messages may be on their way when nobody writes any more.
const LAST_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked how many have arrived.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is said, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    /// The type of the message.
    pub(super) kind: char,
    /// How many may be on their way. One is until its reader has it and, if its type is one that is
    /// acknowledged, its writer knows.
    pub(super) window: u32,
    /// Makes the payload, with [`NUMBER`] in it, of the reader's address.
    pub(super) payload: fn(&str) -> Vec<u8>,
}

/// What the conversations of a measurement share.
#[derive(Debug, Default)]
struct Shared {
    /// Messages that have arrived.
    arrived: AtomicU64,
    is_over: AtomicBool,
}

/// How far one conversation is, for whoever asks why nothing comes any more.
#[derive(Debug, Default)]
struct Progress {
    writer: String,
    sent: AtomicU32,
    heard: AtomicU32,
    acknowledged: AtomicU32,
}

/// Opens a conversation for each two of these people and lets one of them write.
pub(super) async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    script: Script,
    options: &Options,
) -> anyhow::Result<Sample> {
    let opened = open_all(target, people).await?;
    let shared = Arc::new(Shared::default());
    let (mut talking, mut all) = (JoinSet::new(), Vec::new());
    for conversation in opened.conversations {
        let writer = conversation.writer.address.clone();
        let progress = Arc::new(Progress { writer, ..Progress::default() });
        all.push(progress.clone());
        talking.spawn(talk(conversation, script, shared.clone(), progress));
    }
    let turn = async || {
        let before = shared.arrived.load(Ordering::Relaxed);
        sleep(LOOK_EVERY).await;
        opened.board.check()?;
        if let Some(ended) = talking.try_join_next() {
            ended??;
        }
        Ok(shared.arrived.load(Ordering::Relaxed) - before)
    };
    let sample = repeat(target, options, turn).await?;
    shared.is_over.store(true, Ordering::Relaxed);
    let ended = timeout(LAST_WAIT, async {
        while let Some(ended) = talking.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    });
    match ended.await {
        Ok(ended) => ended?,
        Err(_) => bail!("after {LAST_WAIT:?}: {}", missing(&all)),
    }
    opened.board.check()?;
    ensure!(sample.count > 0, "no message arrived");
    Ok(sample)
}

/// Writes and reads until it is over and all has arrived, and then that nothing more has.
async fn talk(
    conversation: Conversation,
    script: Script,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
) -> anyhow::Result<()> {
    let Conversation { mut writer, mut reader } = conversation;
    let is_acknowledged = script.kind != 'N';
    let payload = (script.payload)(&reader.address);
    let mut message = Numbered::new(&[
        format!("MSG {NUMBER} {} {}\r\n", script.kind, payload.len()).as_bytes(),
        &payload,
    ])?;
    let mut awaited = Awaited {
        line: format!("MSG {} {} {}", writer.address, writer.name, payload.len()).into(),
        payload: Numbered::new(&[&payload])?,
        count: 0,
    };
    let mut receipt = Receipts { line: Numbered::new(&[b"ACK ", NUMBER.as_bytes()])?, count: 0 };
    let (mut sent, mut outgoing) = (0, Vec::new());
    loop {
        let settled =
            if is_acknowledged { awaited.count.min(receipt.count) } else { awaited.count };
        if !shared.is_over.load(Ordering::Relaxed) {
            while sent - settled < script.window {
                outgoing.extend_from_slice(message.numbered(sent));
                sent += 1;
            }
        } else if settled == sent {
            break;
        }
        progress.sent.store(sent, Ordering::Relaxed);
        writer.wire.send_some(&mut outgoing)?;
        let heard_before = awaited.count;
        let reading = reader.wire.frames(|frame| awaited.take(frame, sent));
        let happened = if !outgoing.is_empty() {
            tokio::select! {
                writable = writer.wire.writable() => writable,
                read = reading => read,
            }
        } else if is_acknowledged && receipt.count <= heard_before && receipt.count < sent {
            drop(reading);
            writer.wire.frames(|frame| receipt.take(frame, sent)).await
        } else {
            reading.await
        };
        happened.with_context(|| format!("{} to {}", writer.address, reader.address))?;
        let heard = u64::from(awaited.count - heard_before);
        shared.arrived.fetch_add(heard, Ordering::Relaxed);
        progress.heard.store(awaited.count, Ordering::Relaxed);
        progress.acknowledged.store(receipt.count, Ordering::Relaxed);
    }
    farewell(&mut writer.wire, &writer.address, &mut reader.wire).await
}

/// The writer leaves: its reader hears that next, and it hears nothing more.
async fn farewell(writer: &mut Wire, address: &str, reader: &mut Wire) -> anyhow::Result<()> {
    writer.send(b"OUT\r\n").await?;
    let (line, _) = reader.next().await?;
    ensure!(line == format!("BYE {address}"), "{line:?} when {address} leaves");
    match writer.next().await {
        Ok((line, _)) if !line.starts_with("OUT") => bail!("{address} hears {line:?} at last"),
        _ => Ok(()),
    }
}

/// What one of those conversations waits for in which something does not come.
fn missing(all: &[Arc<Progress>]) -> String {
    let lacks = |progress: &&Arc<Progress>| {
        let heard = progress.heard.load(Ordering::Relaxed);
        heard < progress.sent.load(Ordering::Relaxed)
    };
    let slow: Vec<_> = all.iter().filter(lacks).collect();
    let Some(first) = slow.first() else { return "receipts or BYE do not come".to_owned() };
    format!(
        "messages do not come in {} conversations: in the first, {} sent {}, {} were delivered and {} \
         acknowledged",
        slow.len(),
        first.writer,
        first.sent.load(Ordering::Relaxed),
        first.heard.load(Ordering::Relaxed),
        first.acknowledged.load(Ordering::Relaxed),
    )
}

/// What the reader hears.
struct Awaited {
    line: Vec<u8>,
    payload: Numbered,
    /// What has come.
    count: u32,
}

impl Awaited {
    fn take(&mut self, frame: Frame<'_>, sent: u32) -> anyhow::Result<()> {
        ensure!(frame.line == self.line, "the reader hears {:?}", frame.shown());
        ensure!(self.count < sent, "a message was delivered that was not sent");
        if frame.payload != self.payload.numbered(self.count) {
            let (came, awaited) = (self.payload.read(frame.payload), FIRST_NUMBER + self.count);
            let came = came.context("a message without a number was delivered")?;
            ensure!(came == awaited, "message {came} was delivered where {awaited} was next");
            bail!("message {awaited} was changed");
        }
        self.count += 1;
        Ok(())
    }
}

/// What the writer hears.
struct Receipts {
    line: Numbered,
    /// What has come.
    count: u32,
}

impl Receipts {
    fn take(&mut self, frame: Frame<'_>, sent: u32) -> anyhow::Result<()> {
        let awaited = self.line.numbered(self.count);
        if frame.line != awaited || self.count == sent {
            bail!("the writer hears {:?} and not \"{}\"", frame.shown(), awaited.escape_ascii());
        }
        self.count += 1;
        Ok(())
    }
}

/// Bytes with a number in them.
struct Numbered {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Numbered {
    fn new(parts: &[&[u8]]) -> anyhow::Result<Self> {
        let bytes = parts.concat();
        let windows = bytes.windows(NUMBER.len()).enumerate();
        let places: Vec<_> =
            windows.filter(|(_, window)| *window == NUMBER.as_bytes()).map(|(at, _)| at).collect();
        ensure!(!places.is_empty(), "no place for a number");
        Ok(Self { bytes, places })
    }

    /// With the number of this message, the first of which is 0.
    fn numbered(&mut self, count: u32) -> &[u8] {
        let mut digits = [0; NUMBER.len()];
        let mut number = FIRST_NUMBER + count;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        for at in &self.places {
            self.bytes[*at..at + digits.len()].copy_from_slice(&digits);
        }
        &self.bytes
    }
    /// The number in bytes that should be like these.
    fn read(&self, bytes: &[u8]) -> Option<u32> {
        let at = *self.places.first()?;
        std::str::from_utf8(bytes.get(at..at + NUMBER.len())?).ok()?.parse().ok()
    }
}
