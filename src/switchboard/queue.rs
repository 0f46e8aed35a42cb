//! What waits for one participant of a conversation: whole lines in order, bounded by the bytes
//! they take, alone and together with all other queues. Knows nothing of rooms and never drops a
//! single line: who cannot keep up is out.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Bytes that each entry counts beyond its own length, about what it takes in memory: so the one
/// limit in bytes also bounds how many entries wait.
pub const ENTRY_BYTES: usize = 64;
/// Bytes that may wait for anybody, however much waits for all together: about ten messages of the
/// longest kind.
pub const FAIR_SHARE_BYTES: usize = 16 * 1024;
/// How long a sender waits for somebody who takes nothing at all of what waits.
pub const TAKE_WAIT: Duration = Duration::from_secs(5);
/// Bytes taken from the system at once for what one participant says, if so much waits. No more
/// than [`FAIR_SHARE_BYTES`], since the last line of many may keep so many in memory.
const CHUNK_BYTES: usize = 16 * 1024;
/// Entries an empty queue may keep room for.
const IDLE_ENTRIES_MAX: usize = 8;

/// What a participant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Whole lines, each with its payload if it has one.
    Lines(Bytes),
    /// The conversation is over, and lines may wait for which there was no room: told once, to who
    /// takes no lines.
    LastLines,
    /// The conversation is over for this participant; nothing follows.
    End(Ending),
}

/// Why the conversation is over for a participant that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nobody said anything for too long; everything that was said is heard first.
    Idle,
    /// Too much waited, or nothing of it was taken: what did is thrown away.
    Overflow,
}

/// What may wait in all queues together.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
    fair_share: usize,
}

/// The receiving end.
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    /// Whether [`News::LastLines`] has been told.
    knows_end: bool,
}

/// The room's end. Dropping it releases who waits for this queue.
#[derive(Debug)]
pub(super) struct Sender(Arc<Shared>);

/// The queue has no room and is closed now. What waited in it is handed over, so that it can be
/// freed where nobody waits for that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflowed(pub(super) Debris);

/// Entries that nobody will hear.
pub(super) type Debris = VecDeque<Bytes>;

/// Somebody's wait until another one's queue has become short, or there is no reason to wait any
/// more.
#[derive(Debug)]
pub struct Hold {
    /// Keeps nothing of what waits in memory.
    shared: Weak<Shared>,
    released: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    bytes_max: usize,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Where the next line that is said to this one alone goes.
    chunk: BytesMut,
    /// What the entries count.
    bytes: usize,
    ending: Option<Ending>,
    /// The receiver, while it sleeps.
    sleeper: Option<Waker>,
    /// It would only hear of the end.
    declines_lines: bool,
    held: Option<Held>,
}

/// One line that waits.
#[derive(Debug)]
enum Entry {
    /// Others have it too.
    Shared(Bytes),
    /// Nobody else has it. Whether it begins where the entry before it ends.
    Own(BytesMut, bool),
}

/// Somebody waits for this queue.
#[derive(Debug)]
struct Held {
    /// When something was last taken, or the waiting began.
    taken_at: Instant,
    /// Dropped to release.
    _release: oneshot::Sender<()>,
}

/// A queue with room for `bytes_max` bytes, [`ENTRY_BYTES`] for each entry included, as long as all
/// queues keep within `budget`.
pub(super) fn queue(bytes_max: usize, budget: Arc<Budget>) -> (Sender, Queue) {
    let shared = Arc::new(Shared { waiting: Mutex::default(), bytes_max, budget });
    (Sender(shared.clone()), Queue { shared, knows_end: false })
}

impl Budget {
    /// For so many bytes in all. Beyond them nobody gets more than `fair_share`.
    pub(super) const fn new(bytes_max: usize, fair_share: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max, fair_share }
    }

    /// What waits in all queues.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes for a queue that will then hold `queue_bytes`, if that may be.
    fn take(&self, bytes: usize, queue_bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let may_be = before + bytes <= self.bytes_max || queue_bytes <= self.fair_share;
        if !may_be {
            self.give_back(bytes);
        }
        may_be
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Sender {
    /// Puts a line in; or closes the queue if there is no room.
    pub(super) fn send(&self, line: Bytes) -> Result<(), Overflowed> {
        self.put(line.len(), |_| Entry::Shared(line))
    }

    /// The same with a line of so many bytes that nobody else gets; `write` writes it.
    pub(super) fn send_alone(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<(), Overflowed> {
        self.put(bytes, |waiting| waiting.own(bytes, write))
    }

    fn put<E>(&self, bytes: usize, entry: E) -> Result<(), Overflowed>
    where
        E: FnOnce(&mut Waiting) -> Entry,
    {
        let (result, sleeper) = {
            let mut waiting = self.0.waiting.lock();
            let result = self.push(&mut waiting, bytes, entry);
            let wakes = result.is_err() || !waiting.declines_lines;
            (result, if wakes { waiting.sleeper.take() } else { None })
        };
        wake(sleeper);
        result
    }

    /// Nothing follows what waits.
    pub(super) fn end(&self, ending: Ending) {
        let sleeper = {
            let mut waiting = self.0.waiting.lock();
            waiting.ending.get_or_insert(ending);
            waiting.sleeper.take()
        };
        wake(sleeper);
    }

    /// Closes the queue if somebody waits for it and nothing has been taken for [`TAKE_WAIT`].
    pub(super) fn end_stalled(&self, now: Instant) -> Option<Debris> {
        let (debris, sleeper) = {
            let mut waiting = self.0.waiting.lock();
            if now < waiting.held.as_ref()?.stalls_at() {
                return None;
            }
            (self.0.overflow(&mut waiting), waiting.sleeper.take())
        };
        wake(sleeper);
        Some(debris)
    }

    /// Whether more than half of what may wait does.
    pub(super) fn is_behind(&self) -> bool {
        self.0.waiting.lock().bytes > self.0.bytes_max / 2
    }

    /// A wait until less than a quarter of what may wait does, the queue is closed, or
    /// [`Self::release`]; `None` if the queue is not [behind](Self::is_behind).
    pub(super) fn hold(&self, now: Instant) -> Option<Hold> {
        let mut waiting = self.0.waiting.lock();
        if waiting.bytes <= self.0.bytes_max / 2 {
            return None;
        }
        let (release, released) = oneshot::channel();
        waiting.held = Some(Held { taken_at: now, _release: release });
        Some(Hold { shared: Arc::downgrade(&self.0), released })
    }

    /// There is no reason any more to wait for this queue.
    pub(super) fn release(&self) {
        self.0.waiting.lock().held = None;
    }

    fn push<E>(&self, waiting: &mut Waiting, bytes: usize, entry: E) -> Result<(), Overflowed>
    where
        E: FnOnce(&mut Waiting) -> Entry,
    {
        if waiting.ending.is_some() {
            return Err(Overflowed(Debris::new()));
        }
        let bytes = bytes + ENTRY_BYTES;
        let queue_bytes = waiting.bytes + bytes;
        if queue_bytes > self.0.bytes_max || !self.0.budget.take(bytes, queue_bytes) {
            return Err(Overflowed(self.0.overflow(waiting)));
        }
        waiting.bytes = queue_bytes;
        let entry = entry(waiting);
        waiting.entries.push_back(entry);
        Ok(())
    }
}

impl Waiting {
    /// A line of its own. Behind others, which go out with it, it is written where they end. A
    /// chunk is no larger than what waits when it is taken: any line in it keeps all of it, and
    /// what lines take, wherever they go, must not be many times what they count.
    fn own(&mut self, bytes: usize, write: impl FnOnce(&mut BytesMut)) -> Entry {
        if self.entries.is_empty() {
            let mut line = BytesMut::with_capacity(bytes);
            write(&mut line);
            return Entry::Own(line, false);
        }
        let has_room = self.chunk.capacity() >= bytes;
        if !has_room {
            self.chunk = BytesMut::with_capacity(bytes.max(self.bytes.min(CHUNK_BYTES)));
        }
        let is_adjacent = has_room && matches!(self.entries.back(), Some(Entry::Own(..)));
        write(&mut self.chunk);
        Entry::Own(self.chunk.split(), is_adjacent)
    }
}

impl Entry {
    fn len(&self) -> usize {
        match self {
            Self::Shared(line) => line.len(),
            Self::Own(line, _) => line.len(),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(line) => line,
            Self::Own(line, _) => line.freeze(),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.release();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.budget.give_back(self.waiting.get_mut().bytes);
    }
}

impl Queue {
    /// The next news. Who has no room for lines (`takes_lines` is false) only hears that too much
    /// waits, and once that the conversation is over. Cancellation safe; repeats the ending for
    /// ever.
    pub async fn recv(&mut self, takes_lines: bool) -> News {
        poll_fn(|cx| self.poll(takes_lines, Shared::pop, cx)).await
    }

    /// The same, several lines at once, for who waits for other things too.
    pub fn poll_recv(&mut self, takes_lines: bool, cx: &mut Context<'_>) -> Poll<News> {
        self.poll(takes_lines, Shared::pop_adjacent, cx)
    }

    fn poll(
        &mut self,
        takes_lines: bool,
        pop: impl FnOnce(&Shared, &mut Waiting) -> Option<News>,
        cx: &mut Context<'_>,
    ) -> Poll<News> {
        let Self { shared, knows_end } = self;
        let mut waiting = shared.waiting.lock();
        let news = match waiting.ending {
            Some(Ending::Overflow) => Some(News::End(Ending::Overflow)),
            _ if takes_lines => pop(shared, &mut waiting),
            Some(Ending::Idle) if !std::mem::replace(knows_end, true) => Some(News::LastLines),
            Some(Ending::Idle) | None => None,
        };
        if let Some(news) = news {
            return Poll::Ready(news);
        }
        waiting.declines_lines = !takes_lines;
        if !waiting.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker())) {
            waiting.sleeper = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// News that is already there.
    pub fn try_recv(&mut self) -> Option<News> {
        self.shared.pop(&mut self.shared.waiting.lock())
    }

    /// The same, several lines at once.
    pub fn try_recv_several(&mut self) -> Option<News> {
        self.shared.pop_adjacent(&mut self.shared.waiting.lock())
    }
}

/// The sleeper's waker may hold the connection that holds this.
impl Drop for Queue {
    fn drop(&mut self) {
        let sleeper = self.shared.waiting.lock().sleeper.take();
        drop(sleeper);
    }
}

/// To be called without a lock.
fn wake(sleeper: Option<Waker>) {
    sleeper.into_iter().for_each(Waker::wake);
}

impl Shared {
    /// Closes the queue and gives back what waited.
    fn overflow(&self, waiting: &mut Waiting) -> Debris {
        self.budget.give_back(waiting.bytes);
        let sleeper = waiting.sleeper.take();
        let full = Waiting { ending: Some(Ending::Overflow), sleeper, ..Waiting::default() };
        let entries = std::mem::replace(waiting, full).entries;
        entries.into_iter().map(Entry::into_bytes).collect()
    }

    /// One line.
    fn pop(&self, waiting: &mut Waiting) -> Option<News> {
        let Some(entry) = waiting.entries.pop_front() else { return waiting.ending.map(News::End) };
        self.taken(waiting, entry.len() + ENTRY_BYTES);
        Some(News::Lines(entry.into_bytes()))
    }

    /// One line and those behind it in memory.
    fn pop_adjacent(&self, waiting: &mut Waiting) -> Option<News> {
        let Some(first) = waiting.entries.pop_front() else { return waiting.ending.map(News::End) };
        let mut counted = first.len() + ENTRY_BYTES;
        let lines = match first {
            Entry::Shared(line) => line,
            Entry::Own(mut lines, _) => {
                while let Some(Entry::Own(_, true)) = waiting.entries.front()
                    && let Some(Entry::Own(line, _)) = waiting.entries.pop_front()
                {
                    counted += line.len() + ENTRY_BYTES;
                    lines.unsplit(line);
                }
                lines.freeze()
            }
        };
        self.taken(waiting, counted);
        Some(News::Lines(lines))
    }

    /// Entries that counted so much are out.
    fn taken(&self, waiting: &mut Waiting, bytes: usize) {
        self.budget.give_back(bytes);
        waiting.bytes -= bytes;
        if waiting.bytes < self.bytes_max / 4 {
            waiting.held = None;
        } else if let Some(held) = &mut waiting.held {
            held.taken_at = Instant::now();
        }
        if waiting.entries.is_empty() {
            waiting.chunk = BytesMut::new();
            if waiting.entries.capacity() > IDLE_ENTRIES_MAX {
                waiting.entries = VecDeque::new();
            }
        }
    }
}

impl Hold {
    /// Waits. Cancellation safe; afterwards the hold is of no use.
    pub async fn released(&mut self) {
        poll_fn(|cx| self.poll_released(cx)).await;
    }

    /// The same, for who waits for other things too.
    pub fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // It is never sent: the other end is dropped.
        Pin::new(&mut self.released).poll(cx).map(drop)
    }

    /// When the other one has taken nothing for [`TAKE_WAIT`], unless it takes something before;
    /// `None` if there is nothing to wait for any more.
    #[must_use]
    pub fn stalls_at(&self) -> Option<Instant> {
        self.shared.upgrade()?.waiting.lock().held.as_ref().map(Held::stalls_at)
    }
}

impl Held {
    fn stalls_at(&self) -> Instant {
        self.taken_at + TAKE_WAIT
    }
}

#[cfg(test)]
mod tests;
