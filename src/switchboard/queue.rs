//! What waits for one participant of a conversation: whole lines in order, bounded by the bytes
//! they take. Knows nothing of rooms and never drops a single line: who cannot keep up is out.

use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Bytes that each entry counts beyond its own length, about what it takes in memory: so the one
/// limit in bytes also bounds how many entries wait.
pub const ENTRY_BYTES: usize = 64;
/// Entries an empty queue may keep room for.
const IDLE_ENTRIES_MAX: usize = 8;

/// What a participant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One line, with its payload if it has one.
    Lines(Bytes),
    /// The conversation is over for this participant; nothing follows.
    End(Ending),
}

/// Why the conversation is over for a participant that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nobody said anything for too long; everything that was said is heard first.
    Idle,
    /// Too much waited: what did is thrown away.
    Overflow,
}

/// The receiving end.
#[derive(Debug)]
pub struct Queue(Arc<Shared>);

/// The room's end.
#[derive(Debug)]
pub(super) struct Sender {
    shared: Arc<Shared>,
    bytes_max: usize,
}

/// The queue has no room and is closed now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflowed;

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Bytes>,
    /// What the entries count.
    bytes: usize,
    ending: Option<Ending>,
}

/// A queue with room for `bytes_max` bytes, [`ENTRY_BYTES`] for each entry included.
pub(super) fn queue(bytes_max: usize) -> (Sender, Queue) {
    let shared = Arc::<Shared>::default();
    (Sender { shared: shared.clone(), bytes_max }, Queue(shared))
}

impl Sender {
    /// Puts lines in; or closes the queue if there is no room.
    pub(super) fn send(&self, lines: Bytes) -> Result<(), Overflowed> {
        let result = self.shared.waiting.lock().push(lines, self.bytes_max);
        self.shared.arrived.notify_one();
        result
    }

    /// Nothing follows what waits.
    pub(super) fn end(&self, ending: Ending) {
        self.shared.waiting.lock().ending.get_or_insert(ending);
        self.shared.arrived.notify_one();
    }
}

impl Queue {
    /// The next news. Who has no room for lines (`takes_lines` is false) only hears that too much
    /// waits. Cancellation safe; repeats the ending for ever.
    pub async fn recv(&mut self, takes_lines: bool) -> News {
        loop {
            let arrived = self.0.arrived.notified();
            let news = {
                let mut waiting = self.0.waiting.lock();
                match waiting.ending {
                    Some(Ending::Overflow) => Some(News::End(Ending::Overflow)),
                    _ if takes_lines => waiting.pop(),
                    _ => None,
                }
            };
            match news {
                Some(news) => return news,
                None => arrived.await,
            }
        }
    }

    /// News that is already there.
    pub fn try_recv(&mut self) -> Option<News> {
        self.0.waiting.lock().pop()
    }
}

impl Waiting {
    fn push(&mut self, lines: Bytes, bytes_max: usize) -> Result<(), Overflowed> {
        if self.ending.is_some() {
            return Err(Overflowed);
        }
        let bytes = lines.len() + ENTRY_BYTES;
        if self.bytes + bytes > bytes_max {
            *self = Self { ending: Some(Ending::Overflow), ..Self::default() };
            return Err(Overflowed);
        }
        self.bytes += bytes;
        self.entries.push_back(lines);
        Ok(())
    }

    fn pop(&mut self) -> Option<News> {
        let Some(lines) = self.entries.pop_front() else { return self.ending.map(News::End) };
        self.bytes -= lines.len() + ENTRY_BYTES;
        if self.entries.is_empty() && self.entries.capacity() > IDLE_ENTRIES_MAX {
            self.entries = VecDeque::new();
        }
        Some(News::Lines(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: Bytes = Bytes::from_static(b"BYE alice@example.test\r\n");

    #[test]
    fn order_is_kept_and_memory_given_back() {
        let (sender, mut queue) = queue(1 << 20);
        for number in 0..1000 {
            sender.send(number.to_string().into()).unwrap();
        }
        for number in 0..1000 {
            assert_eq!(queue.try_recv(), Some(News::Lines(number.to_string().into())));
        }
        assert_eq!(queue.try_recv(), None);
        let waiting = queue.0.waiting.lock();
        assert_eq!((waiting.bytes, waiting.entries.capacity()), (0, 0));
    }

    #[test]
    fn one_byte_too_many_closes_it_and_frees_what_waited() {
        let entry = LINES.len() + ENTRY_BYTES;
        let (sender, mut queue) = queue(3 * entry - 1);
        assert_eq!(sender.send(LINES), Ok(()));
        assert_eq!(sender.send(LINES), Ok(()));
        assert_eq!(sender.send(LINES), Err(Overflowed));
        assert_eq!(sender.send(Bytes::new()), Err(Overflowed));
        assert_eq!(queue.0.waiting.lock().entries.capacity(), 0);
        sender.end(Ending::Idle);
        assert_eq!(queue.try_recv(), Some(News::End(Ending::Overflow)));
    }

    #[test]
    fn room_that_was_read_is_free_again() {
        let (sender, mut queue) = queue(LINES.len() + ENTRY_BYTES);
        for _ in 0..10 {
            sender.send(LINES).unwrap();
            assert_eq!(queue.try_recv(), Some(News::Lines(LINES)));
        }
    }

    #[tokio::test]
    async fn the_last_lines_come_before_the_end() {
        let (sender, mut queue) = queue(1000);
        sender.send(LINES).unwrap();
        sender.end(Ending::Idle);
        assert_eq!(queue.recv(true).await, News::Lines(LINES));
        assert_eq!(queue.recv(true).await, News::End(Ending::Idle));
        assert_eq!(queue.try_recv(), Some(News::End(Ending::Idle)));
    }

    #[tokio::test]
    async fn who_takes_no_lines_is_woken_by_an_overflow_only() {
        let (sender, mut queue) = queue(LINES.len() + ENTRY_BYTES);
        sender.send(LINES).unwrap();
        let waiting = async { queue.recv(false).await };
        let sending = async { assert!(sender.send(LINES).is_err()) };
        let (news, ()) = tokio::join!(waiting, sending);
        assert_eq!(news, News::End(Ending::Overflow));
    }
}
