//! What is to be sent to one peer: bounded, written with as few system calls as possible, and
//! without any memory once everything is sent.

use super::trace::Trace;
use crate::protocol::{Dialect, Event};
use bytes::{Buf as _, Bytes, BytesMut};
use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// Bytes waiting for a peer above which its commands are left unread and news are held back.
const HIGH_WATER_BYTES: usize = 64 * 1024;
/// Pieces handed to one vectored write.
const SLICES_MAX: usize = 64;

/// The bounded send queue of one connection. What the peer asked for is bounded by leaving its
/// further commands unread; what others cause is bounded by a limit.
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    tail: BytesMut,
    /// All that waits, and what of it others have caused.
    bytes: usize,
    pushed_bytes: usize,
    pushed_bytes_max: usize,
    /// Whether what is sent now is caused by others.
    is_pushing: bool,
    dialect: Dialect,
    trace: Option<Trace>,
}

/// Some bytes with one owner, or shared with other queues.
struct Chunk {
    bytes: Bytes,
    is_pushed: bool,
}

/// Shows sizes only: lines may hold secrets.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("bytes", &self.bytes)
            .field("pushed_bytes", &self.pushed_bytes)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty queue that is over its limit when more than `pushed_bytes_max` bytes wait that the
    /// peer did not ask for.
    #[must_use]
    pub fn new(pushed_bytes_max: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            bytes: 0,
            pushed_bytes: 0,
            pushed_bytes_max,
            is_pushing: false,
            dialect: Dialect::Msnp9,
            trace: None,
        }
    }

    /// The dialect in which lines are encoded from now on.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Logs every line from now on, or none.
    pub fn set_trace(&mut self, trace: Option<Trace>) {
        self.trace = trace;
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
        self.trace.as_ref()
    }

    /// Says whether what is sent from now on is caused by others, and not an answer.
    pub(crate) fn set_pushing(&mut self, is_pushing: bool) {
        if self.is_pushing != is_pushing {
            self.seal_tail();
            self.is_pushing = is_pushing;
        }
    }

    /// Appends one line.
    pub fn send(&mut self, event: &Event<'_>) {
        let before = self.tail.len();
        event.encode(self.dialect, &mut self.tail);
        self.count(self.tail.len() - before);
        if let Some(trace) = &self.trace {
            trace.sent(self.tail.get(before..).unwrap_or_default());
        }
    }

    /// Appends lines that others are sent too; the bytes are shared, not copied.
    pub fn share(&mut self, lines: Bytes) {
        if let Some(trace) = &self.trace {
            trace.sent(&lines);
        }
        self.seal_tail();
        self.count(lines.len());
        self.chunks.push_back(Chunk { bytes: lines, is_pushed: self.is_pushing });
    }

    /// Bytes waiting.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether more waits than is allowed: the peer does not read.
    #[must_use]
    pub const fn is_over_limit(&self) -> bool {
        self.pushed_bytes > self.pushed_bytes_max
    }

    /// Whether so much waits that nothing should be added that can wait or be left out.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.bytes >= HIGH_WATER_BYTES
    }

    /// Writes until nothing is left (`Ready(Ok)`), the peer takes no more (`Pending`) or fails.
    /// `progress` is called after every successful write.
    pub(crate) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        mut progress: impl FnMut(),
    ) -> Poll<io::Result<()>> {
        if self.bytes == 0 {
            return Poll::Ready(Ok(()));
        }
        self.seal_tail();
        while self.bytes > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(&chunk.bytes);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            progress();
            self.advance(written);
        }
        // TLS and the like hold bytes back until they are flushed.
        ready!(Pin::new(io).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(chunk) = self.chunks.front_mut() {
            let taken = written.min(chunk.bytes.len());
            if chunk.is_pushed {
                self.pushed_bytes = self.pushed_bytes.saturating_sub(taken);
            }
            if taken < chunk.bytes.len() {
                chunk.bytes.advance(taken);
                return;
            }
            written -= taken;
            self.chunks.pop_front();
        }
        self.chunks = VecDeque::new();
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.is_pushing {
            self.pushed_bytes += bytes;
        }
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let bytes = std::mem::take(&mut self.tail).freeze();
            self.chunks.push_back(Chunk { bytes, is_pushed: self.is_pushing });
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
        outbox.set_pushing(true);
        for _ in 0..100 {
            outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
        }
        outbox.set_pushing(false);
        outbox.send(&Event::Out);
        assert!(outbox.is_over_limit());
        let mut written = Vec::new();
        poll_fn(|cx| outbox.poll_write(&mut written, cx, || ())).await.unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, format!("QRY 0\r\n{}OUT\r\n", "FLN a@b.c\r\n".repeat(100)));
        assert!(outbox.is_empty() && !outbox.is_over_limit());
        assert_eq!(outbox.pushed_bytes, 0);
        assert_eq!((outbox.chunks.capacity(), outbox.tail.capacity()), (0, 0));
    }

    #[test]
    fn a_long_answer_is_within_the_limit() {
        let mut outbox = Outbox::new(10);
        outbox.send(&Event::Msg { payload: &"x".repeat(1000) });
        assert!(!outbox.is_over_limit());
        outbox.set_pushing(true);
        outbox.share(Bytes::from_static(b"FLN a@b.cc\r\n"));
        assert!(outbox.is_over_limit());
    }
}
