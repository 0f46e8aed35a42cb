//! A TCP connection in two hands: the session reads and writes it, and lends the writing to others
//! while it has nothing to write itself. Knows no session.

use socket2::SockRef;
use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// What the session has of the connection: all of it.
#[derive(Debug)]
pub struct Line(OwnedReadHalf);

/// What others may write to. Dropping it closes nothing.
#[derive(Debug)]
pub struct Wire(Option<OwnedWriteHalf>);

/// Both hands.
#[must_use]
pub fn split(stream: TcpStream) -> (Line, Wire) {
    let (read, write) = stream.into_split();
    (Line(read), Wire(Some(write)))
}

impl Wire {
    /// Writes at once as much as the system takes, and says how much that was. Nobody else may
    /// write meanwhile.
    #[must_use]
    pub fn write(&self, bytes: &[u8]) -> usize {
        // What is wrong the session hears when it writes or reads.
        self.0.as_ref().and_then(|half| half.try_write(bytes).ok()).unwrap_or(0)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(half) = self.0.take() {
            half.forget();
        }
    }
}

impl Line {
    fn poll_try<R>(
        &self,
        cx: &mut Context<'_>,
        attempt: impl Fn(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let stream: &TcpStream = self.0.as_ref();
        loop {
            match attempt(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_write_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(cx, |stream| stream.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = self.0.as_ref();
        Poll::Ready(SockRef::from(stream).shutdown(Shutdown::Write))
    }
}
