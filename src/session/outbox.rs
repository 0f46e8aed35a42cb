//! What is to be sent to one peer: bounded, written with as few system calls as possible, and
//! without any memory once everything is sent.

use super::trace::Trace;
use crate::{
    hub::Rest,
    protocol::{Dialect, Event},
};
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

    /// Puts in what is left of lines that were written past this queue. Nothing waits.
    pub fn resume(&mut self, rest: &Rest) {
        let Rest { begun, behind } = rest;
        if !begun.is_empty() {
            self.share(begun.clone());
            self.is_front_begun = true;
        }
        if !behind.is_empty() {
            self.share(behind.clone());
        }
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
mod tests;
