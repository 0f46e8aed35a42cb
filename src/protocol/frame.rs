//! Line and payload framing (reference README §3). Incremental: feed bytes as they come, take
//! whole frames out. Memory is given back when [`Decoder::find_line`] finds none and nothing is
//! left, by [`Decoder::reclaim`] or by [`Decoder::shrink`], and not before: while a command waits,
//! say for the store, or those behind it are left aside, the whole of what was fed is held.

use super::{
    Args,
    scan::{find_spaces, find_up_to, find_up_to_with_spaces},
};
use std::{fmt, iter, mem, ops::Range};

/// Verbs of what a server sends with a payload behind the line.
const SENT_WITH_PAYLOAD: [&[u8]; 3] = [b"MSG ", b"NOT ", b"IPG "];

/// One command line without its line end, never empty, without NUL and CR.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    text: &'a [u8],
    /// See [`find_spaces`].
    spaces: u64,
}

/// Shows the verb only: what follows may be a ticket.
impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} bytes", self.verb().escape_ascii(), self.text.len())
    }
}

impl<'a> Line<'a> {
    /// The words, split at runs of spaces and tabs.
    pub fn words(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let mut args = Args::whole(self);
        iter::from_fn(move || args.optional())
    }

    /// The first word.
    #[must_use]
    pub fn verb(self) -> &'a [u8] {
        Args::whole(self).optional().unwrap_or_default()
    }

    /// The whole line as it came.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.text
    }

    /// Where the first word from `from` on begins and ends.
    #[inline(always)]
    pub fn word(self, from: usize) -> Option<Range<usize>> {
        let Self { text, spaces } = self;
        let is_in_word = (!spaces).unbounded_shr(from as u32);
        if is_in_word != 0 {
            let start = from + is_in_word.trailing_zeros() as usize;
            let is_behind = spaces >> start;
            if is_behind != 0 {
                return Some(start..start + is_behind.trailing_zeros() as usize);
            }
        }
        if text.len() < u64::BITS as usize { None } else { find_word(text, from) }
    }
}

/// Where the first word from `from` on begins and ends, byte by byte.
#[inline(never)]
fn find_word(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let rest = text.get(from..)?;
    let start = rest.iter().position(|byte| !is_space(byte))?;
    let end = rest.iter().skip(start).position(is_space).map(|length| start + length);
    Some(from + start..from + end.unwrap_or(rest.len()))
}

/// A command with its payload, if its verb carries one. Lies in the decoder's buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The command line.
    pub line: Line<'a>,
    /// The payload, exactly as long as the line said.
    pub payload: Option<&'a [u8]>,
    /// Bytes that were received behind it.
    pub behind: usize,
}

/// Shows the verb and sizes only.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.payload.map(<[u8]>::len);
        f.debug_struct("Frame").field("line", &self.line).field("payload_bytes", &payload).finish()
    }
}

/// Why the stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No line end within the limit.
    #[error("line too long")]
    LineTooLong,
    /// A carriage return that is not followed by a line feed.
    #[error("bare carriage return")]
    BareCr,
    /// A NUL byte in a line.
    #[error("NUL in a line")]
    Nul,
    /// The payload length is no decimal number.
    #[error("payload length is no number")]
    PayloadLength,
    /// The payload length is over the limit.
    #[error("payload too long")]
    PayloadTooLong,
}

/// Reads the payload length from the last word of a line.
///
/// # Errors
/// [`FrameError::PayloadLength`] for anything but decimal digits, [`FrameError::PayloadTooLong`]
/// above `max` bytes, however large the number.
pub fn payload_bytes(word: &[u8], max: usize) -> Result<usize, FrameError> {
    let mut bytes = 0usize;
    for byte in word {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(FrameError::PayloadLength);
        }
        bytes = bytes.saturating_mul(10).saturating_add(usize::from(digit));
    }
    match bytes {
        _ if word.is_empty() => Err(FrameError::PayloadLength),
        bytes if bytes > max => Err(FrameError::PayloadTooLong),
        bytes => Ok(bytes),
    }
}

/// How many bytes the first command of `sent`, a stream of our own making, has with its payload.
/// `None` if it is not all there. A line that ends in no payload length has no payload.
#[must_use]
pub fn command_bytes(sent: &[u8]) -> Option<usize> {
    let line_end = sent.iter().position(|byte| *byte == b'\n')? + 1;
    let (line, rest) = sent.split_at(line_end);
    let length = SENT_WITH_PAYLOAD.iter().any(|verb| line.starts_with(verb)).then(|| {
        let word = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        payload_bytes(word, usize::MAX).unwrap_or_default()
    });
    let length = length.unwrap_or_default();
    (rest.len() >= length).then(|| line_end + length)
}

/// Cuts a byte stream into frames.
///
/// ```
/// use msnd::protocol::{Decoder, FrameError, frame::payload_bytes};
///
/// let mut decoder = Decoder::new(8192);
/// decoder.feed(b"QRY 51 msmsgs@msnmsgr.com 4\r\nab");
/// let found = decoder.find_line()?.expect("a whole line");
/// let payload = payload_bytes(decoder.line(found).words().last().unwrap_or_default(), 8192)?;
/// assert_eq!(decoder.take(found, Some(payload)), None); // half of it is still on its way
/// decoder.feed(b"cdPNG\r\n");
/// let frame = decoder.take(found, Some(payload)).expect("a whole frame");
/// assert_eq!(frame.line.verb(), b"QRY");
/// assert_eq!(frame.payload, Some(&b"abcd"[..]));
/// # Ok::<(), FrameError>(())
/// ```
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that have been taken out as frames.
    taken: usize,
    /// Bytes behind these known to hold no line feed.
    scanned: usize,
    line_bytes_max: usize,
    /// `buffer` is to be given back.
    is_lent: bool,
}

/// A whole line at the front of what is left in the buffer.
#[derive(Clone, Copy)]
pub struct Found {
    /// Bytes without the line end.
    bytes: usize,
    /// Bytes with it.
    with_end: usize,
    /// See [`find_spaces`].
    spaces: u64,
}

impl Found {
    /// Bytes of the whole command with a payload of so many.
    #[must_use]
    pub const fn frame_bytes(self, payload_bytes: Option<usize>) -> usize {
        match payload_bytes {
            Some(payload_bytes) => self.with_end + payload_bytes,
            None => self.with_end,
        }
    }
}

/// Shows sizes only.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder that refuses lines of more than `line_bytes_max` bytes, line end included.
    #[must_use]
    pub const fn new(line_bytes_max: usize) -> Self {
        let buffer = Vec::new();
        Self { buffer, taken: 0, scanned: 0, line_bytes_max, is_lent: false }
    }

    /// Appends received bytes. The caller takes all frames out before it feeds more, so that no
    /// more than one unfinished frame and one read are ever held.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Lends `buffer`, in which received bytes stand behind [`Self::held`]: they are not copied. As
    /// with [`Self::feed`] all frames have been taken out before.
    pub fn lend(&mut self, buffer: Vec<u8>) {
        (self.buffer, self.taken, self.is_lent) = (buffer, 0, true);
    }

    /// The buffer that was lent, once all whole frames are taken out of it.
    pub fn reclaim(&mut self) -> Option<Vec<u8>> {
        if !mem::take(&mut self.is_lent) {
            return None;
        }
        let held = self.held().to_vec();
        self.taken = 0;
        Some(mem::replace(&mut self.buffer, held))
    }

    /// Whether it has a buffer that is to be given back.
    #[must_use]
    pub const fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// Bytes for which there is memory.
    #[cfg(test)]
    pub(crate) const fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Gives back the memory of what has been taken out.
    pub fn shrink(&mut self) {
        if self.taken > 0 {
            (self.buffer, self.taken) = (self.held().to_vec(), 0);
        }
    }

    /// Bytes that have not been taken out yet.
    #[must_use]
    #[inline]
    pub const fn held_bytes(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// What is held for an unfinished frame.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Looks for the next line that is not empty. It stays where it is until it is
    /// [taken](Self::take). `None` gives the buffer back if nothing is in it and it was not lent:
    /// an idle connection holds none.
    ///
    /// # Errors
    /// [`FrameError`], about lines only. Nothing can be read on then.
    #[inline]
    pub fn find_line(&mut self) -> Result<Option<Found>, FrameError> {
        match self.find_ordinary_line() {
            Some(found) => Ok(Some(found)),
            None => self.find_any_line(),
        }
    }

    /// The next line if it is a short one, in order, and begins with a word: most are.
    #[inline(always)]
    pub(crate) fn find_ordinary_line(&self) -> Option<Found> {
        if self.scanned > 0 {
            return None;
        }
        let (bytes, spaces) = find_up_to_with_spaces(b'\r', &self.buffer, self.taken)?;
        let with_end = bytes + 2;
        let end = self.taken + bytes;
        let is_ordinary = bytes > 0
            && spaces & 1 == 0
            && self.buffer.get(end..end + 2) == Some(b"\r\n")
            && with_end <= self.line_bytes_max;
        is_ordinary.then_some(Found { bytes, with_end, spaces })
    }

    fn find_any_line(&mut self) -> Result<Option<Found>, FrameError> {
        loop {
            let left = self.buffer.get(self.taken..).unwrap_or_default();
            // One pass for all lines that are in order; what was scanned before may not be.
            let mut is_odd = self.scanned > 0;
            let mut from = self.scanned;
            let end = loop {
                let Some(at) = find_up_to(b'\r', left, from) else { break None };
                match left.get(at..) {
                    Some([b'\n', ..]) => break Some(at + 1),
                    Some([b'\r', b'\n', ..]) => break Some(at + 2),
                    Some([b'\r' | 0, ..]) => is_odd = true,
                    _ => {}
                }
                from = at + 1;
            };
            let Some(end) = end else {
                self.scanned = left.len();
                if self.scanned >= self.line_bytes_max {
                    return Err(FrameError::LineTooLong);
                }
                if self.scanned == 0 && !self.is_lent {
                    (self.buffer, self.taken) = (Vec::new(), 0);
                }
                return Ok(None);
            };
            if end > self.line_bytes_max {
                return Err(FrameError::LineTooLong);
            }
            self.scanned = 0;
            let line = left.get(..end - 1).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if is_odd && line.contains(&b'\r') {
                return Err(FrameError::BareCr);
            }
            if is_odd && line.contains(&0) {
                return Err(FrameError::Nul);
            }
            // COMPAT(several clients): an empty line after a payload is not a command.
            if line.iter().all(u8::is_ascii_whitespace) {
                self.taken += end;
                continue;
            }
            let (bytes, spaces) = (line.len(), find_spaces(line));
            return Ok(Some(Found { bytes, with_end: end, spaces }));
        }
    }

    /// The line that was found last.
    #[must_use]
    #[inline]
    pub fn line(&self, found: Found) -> Line<'_> {
        Line { text: part(&self.buffer, self.taken, found.bytes), spaces: found.spaces }
    }

    /// Takes out the line that was found last, with a payload of so many bytes if it carries one;
    /// `None` if that is not all there. More may be [fed](Self::feed) meanwhile.
    #[inline]
    pub fn take(&mut self, found: Found, payload_bytes: Option<usize>) -> Option<Frame<'_>> {
        let Found { bytes, spaces, .. } = found;
        let end = self.taken + found.frame_bytes(payload_bytes);
        let behind = self.buffer.len().checked_sub(end)?;
        let line = Line { text: part(&self.buffer, self.taken, bytes), spaces };
        let payload = payload_bytes.map(|bytes| part(&self.buffer, end - bytes, bytes));
        self.taken = end;
        Some(Frame { line, payload, behind })
    }
}

/// So many bytes from there.
#[inline]
fn part(bytes: &[u8], from: usize, len: usize) -> &[u8] {
    bytes.get(from..from + len).unwrap_or_default()
}

#[cfg(test)]
mod tests;
