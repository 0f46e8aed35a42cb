//! A stream in memory: one end is a session's transport, the other is served by HTTP requests.
//! What the session sends is kept until a request takes it, in whole commands. Knows neither HTTP
//! nor sessions nor clocks.

use crate::protocol::frame::command_bytes;
use bytes::{Buf as _, Bytes, BytesMut};
use parking_lot::Mutex;
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

/// The session's end. Dropping it ends the stream; what was sent can still be taken.
#[derive(Debug)]
pub struct Tunnel(Arc<Pipe>);

/// The requests' end.
#[derive(Debug)]
pub(super) struct Mouth(Arc<Pipe>);

/// What became of bytes for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// The session will read them.
    Taken,
    /// It reads nothing any more.
    Ended,
    /// It has so much to read already that these found no room.
    Full,
}

#[derive(Debug)]
struct Pipe {
    state: Mutex<State>,
    /// Something may have become true that a request waits for.
    news: Notify,
    input_bytes_max: usize,
    output_bytes_max: usize,
}

#[derive(Default)]
struct State {
    input: BytesMut,
    output: BytesMut,
    /// The session has read everything and waits for more.
    is_parked: bool,
    /// The session sends nothing any more.
    is_ended: bool,
    /// Nothing more comes for the session.
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in transit holds tickets and what people write.
        f.debug_struct("State")
            .field("input_bytes", &self.input.len())
            .field("output_bytes", &self.output.len())
            .field("is_parked", &self.is_parked)
            .field("is_ended", &self.is_ended)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

/// Both ends of a stream that holds at most so many bytes in each direction. A session that sends
/// more waits, like one whose peer does not read.
pub(super) fn tunnel(input_bytes_max: usize, output_bytes_max: usize) -> (Tunnel, Mouth) {
    let state = Mutex::default();
    let pipe = Pipe { state, news: Notify::new(), input_bytes_max, output_bytes_max };
    let pipe = Arc::new(pipe);
    (Tunnel(pipe.clone()), Mouth(pipe))
}

impl Mouth {
    /// Hands the session bytes: all of them or none.
    pub(super) fn feed(&self, bytes: &[u8]) -> Fed {
        let mut state = self.0.state.lock();
        if state.is_ended || state.is_closed {
            return Fed::Ended;
        }
        if state.input.len() + bytes.len() > self.0.input_bytes_max {
            return Fed::Full;
        }
        if !bytes.is_empty() {
            state.input.extend_from_slice(bytes);
            state.is_parked = false;
            wake(&mut state.reader);
        }
        Fed::Taken
    }

    /// Tells the session that its peer is gone, once it has read what waits.
    pub(super) fn close(&self) {
        let mut state = self.0.state.lock();
        state.is_closed = true;
        wake(&mut state.reader);
    }

    /// Takes whole commands, together at most `bytes_max` bytes, or one that is longer by itself.
    pub(super) fn take(&self, bytes_max: usize) -> Bytes {
        let mut state = self.0.state.lock();
        let bytes = whole_bytes(&state.output, bytes_max);
        let taken = state.output.split_to(bytes).freeze();
        if state.output.is_empty() {
            state.output = BytesMut::new();
        }
        if !taken.is_empty() {
            wake(&mut state.writer);
        }
        taken
    }

    /// Puts what was taken last back in front of what has come since.
    pub(super) fn put_back(&self, bytes: &Bytes) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.0.state.lock();
        let mut output = BytesMut::with_capacity(bytes.len() + state.output.len());
        output.extend_from_slice(bytes);
        output.extend_from_slice(&state.output);
        state.output = output;
        self.0.news.notify_waiters();
    }

    /// Waits until there is something to take, or the session has ended.
    pub(super) async fn something(&self) {
        self.wait_for(|state| state.is_ended || has_whole(&state.output)).await;
    }

    /// Waits until what was fed is carried out and something came of it, or the session has ended.
    pub(super) async fn reply(&self) {
        self.wait_for(|state| state.is_ended || (state.is_parked && has_whole(&state.output)))
            .await;
    }

    /// Whether the session has ended and all it said is taken.
    pub(super) fn is_over(&self) -> bool {
        let state = self.0.state.lock();
        // The rest of a command that was begun never comes.
        state.is_ended && !has_whole(&state.output)
    }

    async fn wait_for(&self, is_true: impl Fn(&State) -> bool) {
        loop {
            let news = self.0.news.notified();
            if is_true(&self.0.state.lock()) {
                return;
            }
            news.await;
        }
    }

    /// Bytes held in both directions, with the room kept for more.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        let state = self.0.state.lock();
        state.input.capacity() + state.output.capacity()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.input.is_empty() {
            if state.is_closed || state.is_ended {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            state.is_parked = true;
            self.0.news.notify_waiters();
            return Poll::Pending;
        }
        let bytes = buffer.remaining().min(state.input.len());
        buffer.put_slice(state.input.get(..bytes).unwrap_or_default());
        state.input.advance(bytes);
        if state.input.is_empty() {
            state.input = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.state.lock();
        if state.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = self.0.output_bytes_max.saturating_sub(state.output.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        if bytes.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.output.extend_from_slice(bytes);
        self.0.news.notify_waiters();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Pipe {
    fn end(&self) {
        let mut state = self.state.lock();
        state.is_ended = true;
        state.input = BytesMut::new();
        self.news.notify_waiters();
    }
}

/// Bytes of the whole commands at the beginning of `output` that fit into `bytes_max`; of the first
/// one in any case.
fn whole_bytes(output: &[u8], bytes_max: usize) -> usize {
    let mut end = 0;
    while let Some(bytes) = output.get(end..).and_then(command_bytes) {
        if end > 0 && end + bytes > bytes_max {
            break;
        }
        end += bytes;
    }
    end
}

fn has_whole(output: &[u8]) -> bool {
    command_bytes(output).is_some()
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        task::yield_now,
    };

    const ROOM: usize = 100;

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn commands_are_taken_whole() {
        let (mut session, mouth) = tunnel(ROOM, ROOM);
        session.write_all(b"FLN a@b.c\r\nFLN d@e.f\r\nMSG a b 4\r\n").await.unwrap();
        assert_eq!(text(&mouth.take(21)), "FLN a@b.c\r\n");
        assert_eq!(text(&mouth.take(22)), "FLN d@e.f\r\n");
        assert_eq!(mouth.take(100), "");
        session.write_all(b"\r\n\r\nQN").await.unwrap();
        // Longer than asked for, but one command.
        assert_eq!(text(&mouth.take(5)), "MSG a b 4\r\n\r\n\r\n");
        assert_eq!(mouth.take(100), "");
        session.write_all(b"G 5\r\n").await.unwrap();
        assert_eq!(text(&mouth.take(100)), "QNG 5\r\n");
        assert_eq!(mouth.held_bytes(), 0);
    }

    #[tokio::test]
    async fn who_takes_nothing_stops_the_session_and_nothing_is_lost() {
        let (mut session, mouth) = tunnel(ROOM, ROOM);
        let all = b"FLN a@b.c\r\n".repeat(30);
        let mut taken = Vec::new();
        let mut writing = Box::pin(session.write_all(&all));
        while taken.len() < all.len() {
            let is_done = tokio::select! {
                biased;
                _ = &mut writing => true,
                () = yield_now() => false,
            };
            assert!(mouth.0.state.lock().output.len() <= ROOM);
            taken.extend_from_slice(&mouth.take(50));
            if is_done {
                loop {
                    let more = mouth.take(50);
                    if more.is_empty() {
                        break;
                    }
                    taken.extend_from_slice(&more);
                }
                break;
            }
        }
        assert_eq!(taken, all);
    }

    #[tokio::test]
    async fn what_is_put_back_comes_first() {
        let (mut session, mouth) = tunnel(ROOM, ROOM);
        session.write_all(b"QNG 1\r\nQNG 2\r\n").await.unwrap();
        let first = mouth.take(7);
        session.write_all(b"QNG 3\r\n").await.unwrap();
        mouth.put_back(&first);
        assert_eq!(text(&mouth.take(100)), "QNG 1\r\nQNG 2\r\nQNG 3\r\n");
    }

    #[tokio::test]
    async fn the_session_reads_in_order_and_then_the_end() {
        let (mut session, mouth) = tunnel(10, ROOM);
        assert_eq!(mouth.feed(b"VER 1 "), Fed::Taken);
        assert_eq!(mouth.feed(b"MSNP9"), Fed::Full);
        assert_eq!(mouth.feed(b"M\r\n"), Fed::Taken);
        mouth.close();
        let mut read = String::new();
        session.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "VER 1 M\r\n");
        assert_eq!(mouth.feed(b"x"), Fed::Ended);
        assert_eq!(mouth.held_bytes(), 0);
    }

    #[tokio::test]
    async fn a_reply_is_there_when_everything_fed_is_carried_out() {
        let (mut session, mouth) = tunnel(ROOM, ROOM);
        mouth.feed(b"PNG\r\nPNG\r\n");
        let mut reply = Box::pin(mouth.reply());
        let mut half = [0; 5];
        session.read_exact(&mut half).await.unwrap();
        session.write_all(b"QNG 1\r\n").await.unwrap();
        tokio::select! {
            biased;
            () = &mut reply => panic!("half of it is still unread"),
            () = yield_now() => {}
        }
        session.read_exact(&mut half).await.unwrap();
        session.write_all(b"QNG 2\r\n").await.unwrap();
        tokio::select! {
            biased;
            _ = session.read_u8() => panic!("nothing more was fed"),
            () = &mut reply => {}
        }
        assert_eq!(text(&mouth.take(100)), "QNG 1\r\nQNG 2\r\n");
    }

    #[tokio::test]
    async fn what_an_ended_session_said_can_be_taken() {
        let (mut session, mouth) = tunnel(ROOM, ROOM);
        session.write_all(b"OUT OTH\r\nMSG a b 9\r\nhal").await.unwrap();
        session.shutdown().await.unwrap();
        assert_eq!(session.read(&mut [0; 9]).await.unwrap(), 0);
        assert!(session.write_all(b"x").await.is_err());
        drop(session);
        mouth.something().await;
        assert!(!mouth.is_over());
        assert_eq!(text(&mouth.take(100)), "OUT OTH\r\n");
        assert!(mouth.is_over());
    }
}
