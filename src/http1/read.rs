//! Cuts requests out of a stream: heads by their empty line, bodies by their length. Whatever was
//! read is wiped when it is no longer needed, since passwords are among it.

use super::{HEAD_BYTES_MAX, LINE_BYTES_MAX, Malformed, Request, request::target_without_version};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

/// What is read at first; most requests fit.
const FIRST_READ_BYTES: usize = 1024;

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The peer went away before its request was complete.
    Gone,
    /// The same, and not in order: what was sent to it last may be lost.
    Reset,
    /// More than [`LINE_BYTES_MAX`] or [`HEAD_BYTES_MAX`].
    TooLarge,
    /// Not a request.
    Malformed,
}

impl From<Malformed> for ReadError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The reading end of one connection. Keeps what a peer sent ahead of its turn, at most
/// [`HEAD_BYTES_MAX`]; no `Debug`, since that may hold a password.
#[derive(Default)]
pub struct Reader {
    bytes: Zeroizing<Vec<u8>>,
}

impl Reader {
    /// Waits until something of the next request is there. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`ReadError::Gone`] and [`ReadError::Reset`].
    pub async fn begun<T>(&mut self, io: &mut T) -> Result<(), ReadError>
    where
        T: AsyncRead + Unpin,
    {
        if self.bytes.is_empty() { self.fill(io).await } else { Ok(()) }
    }

    /// Reads a request up to its body. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`ReadError`]; the connection is good for nothing then.
    pub async fn request<T>(&mut self, io: &mut T) -> Result<Request, ReadError>
    where
        T: AsyncRead + Unpin,
    {
        let mut progress = Progress::default();
        loop {
            if let Some(end) = progress.find_end(&self.bytes)? {
                return Ok(Request::parse(&mut self.take(end))?);
            }
            self.fill(io).await?;
        }
    }

    /// Reads a body of `length` bytes, which the caller has limited. Memory grows with what
    /// arrives, not with what was announced. Not to be cancelled: what was read is lost.
    ///
    /// # Errors
    /// [`ReadError::Gone`].
    pub async fn body<T>(
        &mut self,
        io: &mut T,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError>
    where
        T: AsyncRead + Unpin,
    {
        let mut body = self.take(length.min(self.bytes.len()));
        while body.len() < length {
            if body.len() == body.capacity() {
                body = grown(&body, length);
            }
            let missing = u64::try_from(length - body.len()).unwrap_or(u64::MAX);
            match (&mut *io).take(missing).read_buf(&mut *body).await {
                Ok(0) | Err(_) => return Err(ReadError::Gone),
                Ok(_) => {}
            }
        }
        Ok(body)
    }

    /// Bytes of the peer that nobody has asked for yet.
    #[must_use]
    pub fn ahead(&self) -> usize {
        self.bytes.len()
    }

    async fn fill<T: AsyncRead + Unpin>(&mut self, io: &mut T) -> Result<(), ReadError> {
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes = grown(&self.bytes, HEAD_BYTES_MAX);
        }
        match io.read_buf(&mut *self.bytes).await {
            Ok(0) => Err(ReadError::Gone),
            Ok(_) => Ok(()),
            Err(_) => Err(ReadError::Reset),
        }
    }

    /// The first `end` bytes; what is behind them is kept.
    fn take(&mut self, end: usize) -> Zeroizing<Vec<u8>> {
        let rest = Zeroizing::new(self.bytes[end..].to_vec());
        self.bytes.truncate(end);
        std::mem::replace(&mut self.bytes, rest)
    }
}

/// How far a growing head has been looked at.
#[derive(Debug, Default)]
struct Progress {
    line_start: usize,
    at: usize,
    begun: bool,
}

impl Progress {
    /// Where the head ends: behind the first empty line, or behind a request line without HTTP
    /// version, which is the whole request. Empty lines before it do not count.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ReadError> {
        while let Some(offset) = bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            let end = self.at + offset + 1;
            let line = &bytes[self.line_start..end - 1];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if end - self.line_start > LINE_BYTES_MAX || end > HEAD_BYTES_MAX {
                return Err(ReadError::TooLarge);
            }
            (self.line_start, self.at) = (end, end);
            if line.is_empty() && !self.begun {
                continue;
            }
            if line.is_empty() || (!self.begun && target_without_version(line).is_some()) {
                return Ok(Some(end));
            }
            self.begun = true;
        }
        self.at = bytes.len();
        if self.at - self.line_start >= LINE_BYTES_MAX || bytes.len() >= HEAD_BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        Ok(None)
    }
}

/// A copy with twice the room; the old one is wiped, which growing in place would not do.
fn grown(bytes: &[u8], most: usize) -> Zeroizing<Vec<u8>> {
    let capacity = (bytes.len() * 2).max(FIRST_READ_BYTES).min(most.max(bytes.len() + 1));
    let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
    larger.extend_from_slice(bytes);
    larger
}

#[cfg(test)]
mod tests;
