//! What is to be sent to one peer: bounded, written with as few system calls as possible, and
//! without any memory once everything is sent.

use super::trace::Trace;
use crate::protocol::{Dialect, Event};
use bytes::{Buf as _, Bytes};
use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    iter,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// Pieces handed to one vectored write. A transport without such writes takes one of them.
const SLICES_MAX: usize = 64;
/// Pieces that are shorter on average are copied together and written as one.
const SHORT_BYTES: usize = 512;
/// Bytes of short pieces written at once.
const GATHERED_BYTES_MAX: usize = 16 * 1024;
/// Room made for the first line of a reply.
const FIRST_BYTES: usize = 128;
/// Lines with a receipt that the peer has not confirmed yet. Of more, the oldest are never
/// confirmed; 16 bytes each.
const UNCONFIRMED_MAX: usize = 1024;

/// The send queue of one connection. Bounded by whoever fills it: above its limit a peer's further
/// commands stay unread and news for it stay in its inbox.
///
/// What one shared line touches comes first, the rest last: in a crowd none of it is in any cache.
#[repr(C)]
pub struct Outbox {
    bytes: usize,
    bytes_max: usize,
    /// A part of `front` is handed over.
    is_front_begun: bool,
    /// Of what was handed over the transport may still hold some.
    needs_flush: bool,
    dialect: Dialect,
    trace: Option<Box<Trace>>,
    /// What is sent first: mostly there is nothing else, and no need for a queue. Empty if what is
    /// sent first is the tail.
    front: Bytes,
    /// Bytes that the transport has taken so far.
    bytes_written: u64,
    /// Of these, the bytes that it has passed on.
    bytes_flushed: u64,
    tail: Vec<u8>,
    /// What is between `front` and `tail`.
    chunks: VecDeque<Bytes>,
    receipts: VecDeque<Receipt>,
}

/// A line of which it matters whether the peer has received it.
struct Receipt {
    /// The last byte of the line, counted from the connection's first.
    end: u64,
    number: u64,
}

/// Shows sizes only: lines may hold secrets.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty queue that is behind when `bytes_max` bytes wait.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes: 0,
            bytes_max,
            front: Bytes::new(),
            bytes_written: 0,
            bytes_flushed: 0,
            tail: Vec::new(),
            trace: None,
            is_front_begun: false,
            needs_flush: false,
            dialect: Dialect::Msnp9,
            chunks: VecDeque::new(),
            receipts: VecDeque::new(),
        }
    }

    /// The dialect in which lines are encoded from now on.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Logs every line from now on, or none.
    pub fn set_trace(&mut self, trace: Option<Trace>) {
        self.trace = trace.map(Box::new);
    }

    /// The traced user has signed in.
    pub fn confirm_trace(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.confirm();
        }
    }

    /// The trace, if this connection is traced.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Appends one line.
    pub fn send(&mut self, event: &Event<'_>) {
        let dialect = self.dialect;
        self.append(|tail| event.encode(dialect, tail));
    }

    /// Appends one line that has been encoded, in the dialect of this connection.
    #[inline]
    pub fn send_encoded(&mut self, line: &[u8]) {
        self.append(|tail| tail.extend_from_slice(line));
    }

    #[inline]
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.tail.len();
        if self.tail.capacity() == 0 {
            self.tail.reserve(FIRST_BYTES);
        }
        write(&mut self.tail);
        self.bytes += self.tail.len() - before;
        if let Some(trace) = &self.trace {
            trace.sent(self.tail.get(before..).unwrap_or_default());
        }
    }

    /// Appends one line. [`super::Role::on_confirmed`] is called with `number` once the peer has
    /// sent something after it; of very many such lines, not for the oldest.
    pub fn send_with_receipt(&mut self, event: &Event<'_>, number: u64) {
        self.send(event);
        if self.receipts.len() == UNCONFIRMED_MAX {
            self.receipts.pop_front();
        }
        let end = self.bytes_written + self.bytes as u64;
        self.receipts.push_back(Receipt { end, number });
    }

    /// To be called when bytes have come from the peer, until there is none: the next line with a
    /// receipt that was wholly written before. That the transport took it says little, for it also
    /// takes what is for a peer that is gone; and bytes that were on their way already when the
    /// line was written say no more.
    pub(crate) fn next_confirmed(&mut self) -> Option<u64> {
        let flushed = self.bytes_flushed;
        let receipt = self.receipts.pop_front_if(|receipt| receipt.end <= flushed);
        if self.receipts.is_empty() {
            self.receipts = VecDeque::new();
        }
        receipt.map(|receipt| receipt.number)
    }

    /// Appends lines that others are sent too; the bytes are shared, not copied.
    pub fn share(&mut self, lines: Bytes) {
        if let Some(trace) = &self.trace {
            trace.sent(&lines);
        }
        if self.bytes > 0 {
            self.seal_tail();
        }
        self.bytes += lines.len();
        self.push(lines);
    }

    /// Puts in what is left of lines of which a part has gone past this queue. Nothing waits.
    pub fn resume(&mut self, rest: Bytes) {
        self.share(rest);
        self.is_front_begun = true;
    }

    /// Drops what waits and has not been begun, so that a last word is heard soon.
    pub fn make_room(&mut self) {
        if !self.is_front_begun {
            self.front = Bytes::new();
        }
        self.bytes = self.front.len();
        (self.chunks, self.tail) = (VecDeque::new(), Vec::new());
        let end = self.bytes_written + self.bytes as u64;
        self.receipts.retain(|receipt| receipt.end <= end);
    }

    /// Bytes waiting.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits, here or in the transport.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0 && !self.needs_flush
    }

    /// Whether so much waits that nothing more should be added.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Writes until nothing is left (`Ready(Ok)`), the peer takes no more (`Pending`) or fails.
    /// `progress` is called after every successful write.
    pub(crate) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        mut progress: impl FnMut(),
    ) -> Poll<io::Result<()>> {
        if self.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.needs_flush = true;
        while self.bytes > 0 {
            let written = ready!(self.poll_write_once(Pin::new(&mut *io), cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            progress();
            self.advance(written);
        }
        // A socket and the gateway's tunnel, on which sessions run, hold nothing back. Another
        // transport may, and what waits in there counts neither as sent nor for a receipt.
        ready!(Pin::new(io).poll_flush(cx))?;
        self.needs_flush = false;
        self.bytes_flushed = self.bytes_written;
        Poll::Ready(Ok(()))
    }

    fn poll_write_once<T: AsyncWrite>(
        &self,
        io: Pin<&mut T>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.front.is_empty() {
            return io.poll_write(cx, &self.tail);
        }
        if self.bytes == self.front.len() {
            return io.poll_write(cx, &self.front);
        }
        if self.bytes < SHORT_BYTES * (self.chunks.len() + 2) {
            let mut gathered = Vec::with_capacity(self.bytes.min(GATHERED_BYTES_MAX));
            for piece in self.pieces() {
                let room = gathered.capacity() - gathered.len();
                gathered.extend_from_slice(piece.get(..room).unwrap_or(piece));
                if piece.len() >= room {
                    break;
                }
            }
            return io.poll_write(cx, &gathered);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(self.pieces()) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        io.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
    }

    /// What waits, in order.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let shared = iter::once(&self.front).chain(&self.chunks).map(|chunk| &chunk[..]);
        shared.chain([&self.tail[..]]).filter(|piece| !piece.is_empty())
    }

    fn advance(&mut self, mut written: usize) {
        let is_alone = self.bytes == self.front.len();
        let is_tail = self.front.is_empty();
        self.bytes = self.bytes.saturating_sub(written);
        self.bytes_written += written as u64;
        if self.bytes == 0 {
            if is_tail {
                self.tail = Vec::new();
                return;
            }
            (self.front, self.is_front_begun) = (Bytes::new(), false);
            if !is_alone {
                (self.chunks, self.tail) = (VecDeque::new(), Vec::new());
            }
            return;
        }
        // What has been begun must be told from what is added from now on.
        self.seal_tail();
        while written >= self.front.len() {
            written -= self.front.len();
            self.front = self.chunks.pop_front().unwrap_or_default();
            self.is_front_begun = false;
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
        self.front.advance(written);
        self.is_front_begun |= written > 0;
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.push(tail.into());
        }
    }

    /// Appends a piece behind all others; the tail is empty.
    fn push(&mut self, piece: Bytes) {
        if self.front.is_empty() {
            self.front = piece;
        } else {
            self.chunks.push_back(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::TrId;
    use std::future::poll_fn;

    #[tokio::test]
    async fn keeps_order_and_gives_memory_back() {
        let mut outbox = Outbox::new(1000);
        outbox.send(&Event::Qry { trid: TrId::ZERO });
        for _ in 0..100 {
            outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
        }
        outbox.send(&Event::Out);
        assert!(outbox.is_behind());
        let mut written = Vec::new();
        poll_fn(|cx| outbox.poll_write(&mut written, cx, || ())).await.unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, format!("QRY 0\r\n{}OUT\r\n", "FLN a@b.c\r\n".repeat(100)));
        assert!(outbox.is_empty() && !outbox.is_behind());
        assert_eq!((outbox.chunks.capacity(), outbox.tail.capacity()), (0, 0));
    }

    #[test]
    fn room_is_made_without_tearing_a_line() {
        let mut outbox = Outbox::new(1000);
        for _ in 0..3 {
            outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
        }
        outbox.advance(11 + 4);
        outbox.make_room();
        assert_eq!((outbox.len(), outbox.pieces().count()), (7, 1));
        outbox.advance(7);
        outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
        outbox.make_room();
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_others_have_begun_is_not_torn_either() {
        let mut outbox = Outbox::new(1000);
        outbox.resume(Bytes::from_static(b"a@b.c\r\n"));
        outbox.send(&Event::Out);
        outbox.make_room();
        outbox.send(&Event::OutOther);
        let sent: Vec<u8> = outbox.pieces().flatten().copied().collect();
        assert_eq!(sent, b"a@b.c\r\nOUT OTH\r\n");
    }

    fn confirmed(outbox: &mut Outbox) -> Vec<u64> {
        iter::from_fn(|| outbox.next_confirmed()).collect()
    }

    #[tokio::test]
    async fn what_was_written_before_the_peer_spoke_is_confirmed_and_nothing_else() {
        let mut outbox = Outbox::new(1000);
        let send = |outbox: &mut Outbox, number| {
            outbox.send_with_receipt(&Event::Out, number);
            outbox.seal_tail();
        };
        (1..=3).for_each(|number| send(&mut outbox, number));
        outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
        assert_eq!(confirmed(&mut outbox), [0; 0], "still here");
        outbox.advance(6);
        // The second line has been begun and stays, the third is dropped with its receipt.
        outbox.make_room();
        poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
        send(&mut outbox, 4);
        assert_eq!(confirmed(&mut outbox), [1, 2]);
        assert_eq!(confirmed(&mut outbox), [0; 0], "each once");
        poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
        assert_eq!(confirmed(&mut outbox), [4]);
        assert_eq!(outbox.receipts.capacity(), 0);
    }

    #[tokio::test]
    async fn a_peer_that_never_speaks_costs_a_bounded_memory() {
        let mut outbox = Outbox::new(1000);
        let count = UNCONFIRMED_MAX as u64 + 5;
        for number in 0..count {
            outbox.send_with_receipt(&Event::Out, number);
            poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
        }
        assert!(outbox.receipts.capacity() <= UNCONFIRMED_MAX);
        assert_eq!(confirmed(&mut outbox), (5..count).collect::<Vec<_>>());
    }

    /// Takes everything at once and keeps it until the second flush.
    #[derive(Default)]
    struct Reluctant {
        flushes: usize,
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            if self.flushes < 2 { Poll::Pending } else { Poll::Ready(Ok(())) }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_flush_that_must_wait_is_not_forgotten() {
        let mut outbox = Outbox::new(1000);
        outbox.send_with_receipt(&Event::Out, 1);
        let mut io = Reluctant::default();
        let mut attempt = async |outbox: &mut Outbox| {
            poll_fn(|cx| Poll::Ready(outbox.poll_write(&mut io, cx, || ()).is_ready())).await
        };
        assert!(!attempt(&mut outbox).await);
        assert_eq!(outbox.next_confirmed(), None, "the peer cannot have it yet");
        assert!(attempt(&mut outbox).await);
        assert_eq!(outbox.next_confirmed(), Some(1));
        assert!(outbox.is_empty());
        assert_eq!(io.flushes, 2);
    }
}
