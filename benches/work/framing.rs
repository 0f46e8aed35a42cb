//! From received bytes to frames.

use super::{Case, Round};
use msnd::protocol::{Decoder, FrameError, Line, frame::payload_bytes};
use std::hint::black_box;

/// What a session receives at once at most.
const READ_BYTES: usize = 16 * 1024;
/// Longest line; the server's default.
const LINE_BYTES_MAX: usize = 8192;
/// A part of a file on its way from one client to another.
const PAYLOAD_BYTES: usize = 1300;

/// Commands as clients send them.
pub(crate) const CASES: &[Case] = &[
    Case { name: "one_ping", items: 1, set_up: || decoding(pings(1), READ_BYTES) },
    Case { name: "pings_16_at_once", items: 16, set_up: || decoding(pings(16), READ_BYTES) },
    Case { name: "messages_of_1.3_kB", items: 12, set_up: || decoding(messages(12), READ_BYTES) },
    Case { name: "messages_in_7_byte_pieces", items: 12, set_up: || decoding(messages(12), 7) },
    Case { name: "pings_byte_by_byte", items: 16, set_up: || decoding(pings(16), 1) },
];

fn pings(count: usize) -> Vec<u8> {
    b"PNG\r\n".repeat(count)
}

fn messages(count: usize) -> Vec<u8> {
    let mut message = format!("MSG 4711 D {PAYLOAD_BYTES}\r\n").into_bytes();
    // Line ends within a payload are none.
    message.extend(b"a payload \r\n".iter().cycle().take(PAYLOAD_BYTES));
    message.repeat(count)
}

/// A round feeds `stream` in pieces of at most `piece_bytes` and takes all frames out.
fn decoding(stream: Vec<u8>, piece_bytes: usize) -> Round {
    let (mut decoder, mut begun) = (Decoder::new(LINE_BYTES_MAX), None::<Box<_>>);
    Box::new(move || {
        for piece in stream.chunks(piece_bytes) {
            decoder.feed(black_box(piece));
            loop {
                let (found, payload) = match &begun {
                    Some(begun) => **begun,
                    None => {
                        let Some(found) = decoder.find_line().unwrap() else { break };
                        (found, payload_length(decoder.line(found)).unwrap())
                    }
                };
                let Some(frame) = decoder.take(found, payload) else {
                    begun.get_or_insert_with(|| Box::new((found, payload)));
                    break;
                };
                begun = None;
                black_box(frame);
            }
        }
    })
}

/// What the command table does for a switchboard.
fn payload_length(line: Line<'_>) -> Result<Option<usize>, FrameError> {
    if line.verb() != b"MSG" {
        return Ok(None);
    }
    payload_bytes(line.words().last().unwrap_or_default(), 1664).map(Some)
}
