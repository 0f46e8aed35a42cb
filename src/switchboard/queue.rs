//! What waits for one participant of a conversation: whole lines in order, bounded by the bytes
//! they take, alone and together with all other queues. Knows nothing of rooms and never drops a
//! single line: who cannot keep up is out.

use super::budget::Budget;
use crate::net::wire::Wire;
use bytes::{Buf as _, Bytes};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Bytes that each line counts beyond its own length, about what it takes in memory if it waits
/// alone: so the one limit in bytes also bounds how many entries wait.
pub const ENTRY_BYTES: usize = 64;
/// Bytes that may wait for anybody, however much waits for all together: about ten messages of the
/// longest kind.
pub const FAIR_SHARE_BYTES: usize = 16 * 1024;
/// How long a sender waits for somebody who takes nothing at all of what waits.
pub const TAKE_WAIT: Duration = Duration::from_secs(5);
/// Entries an empty queue may keep room for.
const IDLE_ENTRIES_MAX: usize = 8;

/// What a participant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One or more whole lines, each with its payload if it has one.
    Lines(Bytes),
    /// The conversation is over, and lines may wait for which there was no room: told once, to who
    /// takes no lines.
    LastLines,
    /// The conversation is over for this participant; nothing follows.
    End(Ending),
    /// It is to go at once: see [`Queue::eviction`].
    Evicted,
}

/// Why the conversation is over for a participant that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nobody said anything for too long; everything that was said is heard first.
    Idle,
    /// Too much waited, or nothing of it was taken: what did is thrown away.
    Overflow,
}

/// Whole lines that are told together.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) lines: Bytes,
    /// How many.
    pub(super) count: usize,
    /// They go past the queue if the receiver's wire is lent and takes them.
    pub(super) is_straight: bool,
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
/// freed where nobody waits for that. In a box, for each line has a result and hardly any is this.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflowed(pub(super) Box<Debris>);

/// Lines that nobody will hear.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Debris(VecDeque<Entry>);

/// Somebody's wait until another one's queue has become short, or there is no reason to wait any
/// more.
#[derive(Debug)]
pub struct Hold {
    /// Keeps nothing of what waits in memory.
    shared: Weak<Shared>,
    released: oneshot::Receiver<()>,
}

/// What a look at an empty queue touches comes first and lies together: with many conversations
/// none of it is in any cache.
#[derive(Debug)]
#[repr(C, align(64))]
struct Shared {
    waiting: Mutex<Waiting>,
    bytes_max: usize,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
#[repr(C)]
struct Waiting {
    ending: Option<Ending>,
    is_evicted: bool,
    /// It would only hear of the end.
    declines_lines: bool,
    /// Who sends may write to the wire: nothing waits, here or with the receiver.
    is_lent: bool,
    /// What the entries count.
    bytes: usize,
    /// The receiver, while it sleeps.
    sleeper: Option<Waker>,
    wire: Option<Wire>,
    entries: VecDeque<Entry>,
    held: Option<Box<Held>>,
}

/// Whole lines that are handed over as one, and how many.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    lines: Bytes,
    count: usize,
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

impl Sender {
    /// Puts a line in; or closes the queue if there is no room. Tells whether it is
    /// [behind](Self::is_behind) now.
    pub(super) fn send(&self, line: Bytes) -> Result<bool, Overflowed> {
        self.send_together(Piece { lines: line, count: 1, is_straight: false })
    }

    /// The same with so many lines at once.
    pub(super) fn send_together(&self, piece: Piece) -> Result<bool, Overflowed> {
        let Piece { mut lines, count, is_straight } = piece;
        let (result, sleeper) = {
            let mut waiting = self.0.waiting.lock();
            if is_straight
                && waiting.is_lent
                && let Some(wire) = &waiting.wire
            {
                let written = wire.write(&lines);
                if written == lines.len() {
                    return Ok(false);
                }
                // The receiver goes on with the rest before anything else.
                lines.advance(written);
            }
            let result = self.push(&mut waiting, Entry { lines, count });
            let wakes = result.is_err() || !waiting.declines_lines;
            let sleeper = if wakes { waiting.sleeper.take() } else { None };
            (result, sleeper)
        };
        wake(sleeper);
        result
    }

    /// Nothing follows what waits.
    pub(super) fn end(&self, ending: Ending) {
        let sleeper = {
            let mut waiting = self.0.waiting.lock();
            waiting.ending.get_or_insert(ending);
            waiting.is_lent = false;
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
        self.0.is_behind(&self.0.waiting.lock())
    }

    /// A wait until less than a quarter of what may wait does, the queue is closed, or
    /// [`Self::release`]; `None` if the queue is not [behind](Self::is_behind).
    pub(super) fn hold(&self, now: Instant) -> Option<Hold> {
        let mut waiting = self.0.waiting.lock();
        if !self.0.is_behind(&waiting) {
            return None;
        }
        let (release, released) = oneshot::channel();
        waiting.held = Some(Box::new(Held { taken_at: now, _release: release }));
        Some(Hold { shared: Arc::downgrade(&self.0), released })
    }

    /// There is no reason any more to wait for this queue.
    pub(super) fn release(&self) {
        self.0.waiting.lock().held = None;
    }

    fn push(&self, waiting: &mut Waiting, entry: Entry) -> Result<bool, Overflowed> {
        if waiting.ending.is_some() {
            return Err(Overflowed(Box::default()));
        }
        let bytes = entry.counted();
        let queue_bytes = waiting.bytes + bytes;
        if queue_bytes > self.0.bytes_max || !self.0.budget.take(bytes, queue_bytes) {
            return Err(Overflowed(Box::new(self.0.overflow(waiting))));
        }
        waiting.bytes = queue_bytes;
        waiting.is_lent = false;
        waiting.entries.push_back(entry);
        Ok(self.0.is_behind(waiting))
    }
}

impl Entry {
    /// What it counts.
    const fn counted(&self) -> usize {
        self.lines.len() + self.count * ENTRY_BYTES
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.release();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Self { waiting, budget, .. } = self;
        budget.give_back(waiting.get_mut().bytes);
    }
}

impl Queue {
    /// The next news. Who has no room for lines (`takes_lines` is false) only hears that too much
    /// waits, and once that the conversation is over. Cancellation safe; repeats the ending for
    /// ever.
    pub async fn recv(&mut self, takes_lines: bool) -> News {
        poll_fn(|cx| self.poll_recv(takes_lines, false, cx)).await
    }

    /// The same, for who waits for other things too. Who `is_quiet` lends its wire, as by
    /// [`Self::lend_wire`].
    pub fn poll_recv(
        &mut self,
        takes_lines: bool,
        is_quiet: bool,
        cx: &mut Context<'_>,
    ) -> Poll<News> {
        let Self { shared, knows_end } = self;
        let mut waiting = shared.waiting.lock();
        if waiting.is_evicted {
            return Poll::Ready(News::Evicted);
        }
        let news = match waiting.ending {
            Some(Ending::Overflow) => Some(News::End(Ending::Overflow)),
            _ if takes_lines => shared.pop(&mut waiting),
            Some(Ending::Idle) if !mem::replace(knows_end, true) => Some(News::LastLines),
            Some(Ending::Idle) | None => None,
        };
        if let Some(news) = news {
            waiting.is_lent = false;
            return Poll::Ready(news);
        }
        waiting.declines_lines = !takes_lines;
        waiting.is_lent = is_quiet && waiting.wire.is_some();
        if !waiting.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker())) {
            waiting.sleeper = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Where what is said may go while the wire is lent.
    pub fn set_wire(&mut self, wire: Wire) {
        self.shared.waiting.lock().wire = Some(wire);
    }

    /// Until the next news, or a look for some by [`Self::try_recv`], whoever sends may write to
    /// the wire itself.
    pub fn lend_wire(&mut self) {
        let mut waiting = self.shared.waiting.lock();
        let has_news = waiting.bytes > 0 || waiting.ending.is_some() || waiting.is_evicted;
        waiting.is_lent = !has_news && waiting.wire.is_some();
    }

    /// From here on everything waits in the queue.
    pub fn take_back_wire(&mut self) {
        self.shared.waiting.lock().is_lent = false;
    }

    /// Makes [`News::Evicted`] the next news, for ever, when it is woken.
    #[must_use]
    pub fn eviction(&self) -> Waker {
        self.shared.clone().into()
    }

    /// News that is already there, but for [`News::Evicted`]. The wire is taken back.
    pub fn try_recv(&mut self) -> Option<News> {
        let mut waiting = self.shared.waiting.lock();
        waiting.is_lent = false;
        self.shared.pop(&mut waiting)
    }
}

/// The sleeper's waker may hold the connection that holds this.
impl Drop for Queue {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting.lock();
        waiting.is_lent = false;
        let gone = (waiting.sleeper.take(), waiting.wire.take());
        drop(waiting);
        drop(gone);
    }
}

/// See [`Queue::eviction`].
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        let sleeper = {
            let mut waiting = self.waiting.lock();
            waiting.is_evicted = true;
            waiting.is_lent = false;
            waiting.sleeper.take()
        };
        wake(sleeper);
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
        let (sleeper, wire) = (waiting.sleeper.take(), waiting.wire.take());
        let (is_evicted, ending) = (waiting.is_evicted, Some(Ending::Overflow));
        let full = Waiting { ending, sleeper, is_evicted, wire, ..Waiting::default() };
        Debris(mem::replace(waiting, full).entries)
    }

    /// Whether more than half of what may wait does.
    const fn is_behind(&self, waiting: &Waiting) -> bool {
        waiting.bytes > self.bytes_max / 2
    }

    /// What waits longest.
    fn pop(&self, waiting: &mut Waiting) -> Option<News> {
        if waiting.bytes == 0 {
            return waiting.ending.map(News::End);
        }
        let entry = waiting.entries.pop_front()?;
        let counted = entry.counted();
        self.budget.give_back(counted);
        waiting.bytes -= counted;
        if waiting.bytes < self.bytes_max / 4 {
            waiting.held = None;
        } else if let Some(held) = &mut waiting.held {
            held.taken_at = Instant::now();
        }
        if waiting.entries.is_empty() && waiting.entries.capacity() > IDLE_ENTRIES_MAX {
            waiting.entries = VecDeque::new();
        }
        Some(News::Lines(entry.lines))
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
        self.shared.upgrade()?.waiting.lock().held.as_ref().map(|held| held.stalls_at())
    }
}

impl Held {
    fn stalls_at(&self) -> Instant {
        self.taken_at + TAKE_WAIT
    }
}

#[cfg(test)]
mod tests;
