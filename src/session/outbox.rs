//! What is to be sent to one peer: bounded, written with as few system calls as possible, and
//! without any memory once everything is sent.

use super::trace::Trace;
use crate::protocol::{Dialect, Event};
use bytes::{Buf as _, Bytes, BytesMut};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// Pieces handed to one vectored write.
const SLICES_MAX: usize = 64;

/// The bounded send queue of one connection.
#[derive(Debug)]
pub struct Outbox {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    bytes: usize,
    bytes_max: usize,
    dialect: Dialect,
    trace: Option<Trace>,
}

impl Outbox {
    /// An empty queue that is over its limit above `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            bytes: 0,
            bytes_max,
            dialect: Dialect::Msnp9,
            trace: None,
        }
    }

    /// The dialect in which lines are encoded from now on.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Logs every line from now on.
    pub fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// The trace, if this connection is traced.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Appends one line.
    pub fn send(&mut self, event: &Event<'_>) {
        let before = self.tail.len();
        event.encode(self.dialect, &mut self.tail);
        self.bytes += self.tail.len() - before;
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
        self.bytes += lines.len();
        self.chunks.push_back(lines);
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
        self.bytes > self.bytes_max
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
                *slice = IoSlice::new(chunk);
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
            if written < chunk.len() {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            self.chunks.pop_front();
        }
        self.chunks = VecDeque::new();
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
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
        assert!(outbox.is_over_limit());
        let mut written = Vec::new();
        poll_fn(|cx| outbox.poll_write(&mut written, cx, || ())).await.unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, format!("QRY 0\r\n{}OUT\r\n", "FLN a@b.c\r\n".repeat(100)));
        assert!(outbox.is_empty());
        assert_eq!((outbox.chunks.capacity(), outbox.tail.capacity()), (0, 0));
    }
}
