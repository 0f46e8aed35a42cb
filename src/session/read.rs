//! Reads from a transport into a buffer that all connections of a thread share, and from there into
//! the decoder. Knows no role.

use crate::protocol::Decoder;
use bytes::BufMut as _;
use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Bytes taken from a transport at once.
const READ_BYTES: usize = 16 * 1024;
/// The same where much may come at once. Who is behind holds one read, so not for everybody.
const MUCH_BYTES: usize = 64 * 1024;
/// A long read.
pub(super) const LONG_BYTES_MIN: usize = MUCH_BYTES / 16;

thread_local! {
    /// What the connections of this thread read into; empty.
    static SHARED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads what came and returns how much; much only if `reads_much`. It is left where it was read
/// to: the decoder has the buffer until all whole frames are taken out of it and [`reclaim`] is
/// called, or at a [`pause`].
pub(super) fn receive<T: AsyncRead + Unpin>(
    io: &mut T,
    decoder: &mut Decoder,
    reads_much: bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut buffer = SHARED.take();
    let may_lend = decoder.held_bytes() < LONG_BYTES_MIN;
    if may_lend {
        // What comes is put behind it.
        buffer.extend_from_slice(decoder.held());
    }
    let before = buffer.len();
    let most = if reads_much { MUCH_BYTES } else { READ_BYTES };
    let received = read(io, &mut buffer, most - before, cx);
    if let Poll::Ready(Ok(_)) = received {
        if may_lend {
            decoder.lend(buffer);
            return received;
        }
        decoder.feed(buffer.get(before..).unwrap_or_default());
    }
    buffer.clear();
    SHARED.set(buffer);
    received
}

/// Takes back what the decoder was lent, unless it holds so much that it may as well keep it: who
/// waits for something holds no more than four times what was sent.
pub(super) fn pause(decoder: &mut Decoder) {
    if decoder.is_lent() && decoder.held_bytes() <= READ_BYTES {
        reclaim(decoder);
    }
}

/// Takes back what the decoder was lent: it holds no more than what has begun.
pub(super) fn reclaim(decoder: &mut Decoder) {
    match decoder.reclaim() {
        Some(mut buffer) => {
            buffer.clear();
            SHARED.set(buffer);
        }
        None => decoder.shrink(),
    }
}

/// Reads and throws away, up to the end or until `left` bytes are through.
pub(super) fn discard<T: AsyncRead + Unpin>(
    io: &mut T,
    left: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    while *left > 0 {
        let mut buffer = SHARED.take();
        let read = read(io, &mut buffer, READ_BYTES, cx);
        buffer.clear();
        SHARED.set(buffer);
        match ready!(read) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => *left = left.saturating_sub(bytes),
        }
    }
    Poll::Ready(())
}

/// Reads `most` bytes at most to behind what `buffer` holds.
fn read<T: AsyncRead + Unpin>(
    io: &mut T,
    buffer: &mut Vec<u8>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // Once for each thread, and when the last one is lent.
    buffer.reserve_exact(MUCH_BYTES - buffer.len());
    poll_read_buf(Pin::new(io), cx, &mut buffer.limit(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Cursor, task::Waker};

    /// Reads so many bytes at once.
    fn decoder(bytes: usize, reads_much: bool) -> Decoder {
        let mut decoder = Decoder::new(100);
        let mut io = Cursor::new(b"PNG\r\n".repeat(MUCH_BYTES));
        io.get_mut().truncate(bytes);
        let mut cx = Context::from_waker(Waker::noop());
        let received = receive(&mut io, &mut decoder, reads_much, &mut cx);
        let most = if reads_much { MUCH_BYTES } else { READ_BYTES };
        assert!(matches!(received, Poll::Ready(Ok(received)) if received == bytes.min(most)));
        decoder
    }

    #[test]
    fn who_pauses_keeps_the_shared_buffer_only_if_it_fills_much_of_it() {
        for (bytes, reads_much, is_kept) in [
            (5000, false, false),
            (MUCH_BYTES, false, false),
            (5000, true, false),
            (READ_BYTES, true, false),
            (READ_BYTES + 5, true, true),
        ] {
            let mut decoder = decoder(bytes, reads_much);
            assert_eq!(SHARED.take().capacity(), 0, "it is lent");
            let held = decoder.held().to_vec();
            pause(&mut decoder);
            assert_eq!(SHARED.take().capacity() == 0, is_kept, "{bytes} {reads_much}");
            assert_eq!(decoder.held(), held);
        }
    }

    #[test]
    fn who_has_paused_holds_only_what_has_begun_in_the_end() {
        let mut decoder = decoder(READ_BYTES, false);
        decoder.feed(b"P");
        pause(&mut decoder);
        while let Some(found) = decoder.find_line().unwrap() {
            decoder.take(found, None).unwrap();
        }
        reclaim(&mut decoder);
        let held = decoder.held_bytes();
        assert!(held <= 5 && decoder.capacity() == held, "{held} of {}", decoder.capacity());
    }

    #[test]
    fn what_comes_is_put_behind_what_is_held() {
        for held in [3, LONG_BYTES_MIN - 1, LONG_BYTES_MIN, 2 * LONG_BYTES_MIN] {
            let mut decoder = Decoder::new(100);
            decoder.feed(&vec![b'x'; held]);
            let mut io = Cursor::new(b"yz");
            let mut cx = Context::from_waker(Waker::noop());
            assert!(receive(&mut io, &mut decoder, true, &mut cx).is_ready());
            reclaim(&mut decoder);
            assert_eq!(decoder.held(), [&vec![b'x'; held][..], b"yz"].concat());
            assert!(SHARED.take().is_empty());
        }
    }
}
