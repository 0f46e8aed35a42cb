//! Frames out of any stream, however it is split, and what is refused.

use super::*;
use proptest::prelude::*;

const LINE_MAX: usize = 64;

/// Verbs starting with `P` carry a payload of at most 20 bytes.
fn rule(line: Line<'_>) -> Result<Option<usize>, FrameError> {
    if line.verb().starts_with(b"P") {
        payload_bytes(line.words().last().unwrap_or_default(), 20).map(Some)
    } else {
        Ok(None)
    }
}

/// The next whole frame. `begun` is a line whose payload is on its way.
fn next<'a>(
    decoder: &'a mut Decoder,
    begun: &mut Option<Found>,
) -> Result<Option<Frame<'a>>, FrameError> {
    let found = match begun.take() {
        Some(found) => Some(found),
        None => decoder.find_line()?,
    };
    let Some(found) = found else { return Ok(None) };
    let payload = rule(decoder.line(found))?;
    *begun = Some(found);
    Ok(decoder.take(found, payload).inspect(|_| *begun = None))
}

/// Lines with their payloads, and what ended the stream.
type Decoded = (Vec<(String, Option<Vec<u8>>)>, Option<FrameError>);

fn decode(pieces: &[&[u8]]) -> Decoded {
    decode_lent(pieces, 0)
}

/// The same where each piece whose bit is set comes in a buffer that is lent.
fn decode_lent(pieces: &[&[u8]], lent: u64) -> Decoded {
    let (mut decoder, mut begun) = (Decoder::new(LINE_MAX), None);
    let mut frames = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let is_lent = lent >> (index % 64) & 1 == 1;
        match is_lent {
            true => decoder.lend([decoder.held(), piece].concat()),
            false => decoder.feed(piece),
        }
        loop {
            match next(&mut decoder, &mut begun) {
                Ok(Some(frame)) => frames.push((
                    String::from_utf8_lossy(frame.line.as_bytes()).into_owned(),
                    frame.payload.map(<[u8]>::to_vec),
                )),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert_eq!(decoder.reclaim().is_some(), is_lent);
        assert!(decoder.held().len() <= LINE_MAX + 20);
        assert!(!is_lent || decoder.buffer.capacity() == decoder.held().len());
    }
    (frames, None)
}

#[test]
fn accepts_bare_lf_and_skips_blank_lines() {
    let (frames, error) = decode(&[b"A 1\nB\t 2 \r\n\r\n  \n\nC\r\n"]);
    assert_eq!(frames.iter().map(|f| &*f.0).collect::<Vec<_>>(), ["A 1", "B\t 2 ", "C"]);
    assert_eq!(error, None);
}

#[test]
fn names_what_is_wrong() {
    for (input, expected) in [
        (&b"A\rB\r\n"[..], FrameError::BareCr),
        (b"A\r\r\n", FrameError::BareCr),
        (b"A\0B\r\n", FrameError::Nul),
        (b"P 1 x\r\n", FrameError::PayloadLength),
        (b"P 1 -1\r\n", FrameError::PayloadLength),
        (b"P 1 +1\r\n", FrameError::PayloadLength),
        (b"P 1 21\r\n", FrameError::PayloadTooLong),
        (b"P 1 4294967296\r\n", FrameError::PayloadTooLong),
        (b"P 1 99999999999999999999999999999999999999\r\n", FrameError::PayloadTooLong),
        (&[b'A'; LINE_MAX], FrameError::LineTooLong),
    ] {
        assert_eq!(decode(&[input]).1, Some(expected), "{input:?}");
    }
    let mut fits = vec![b'A'; LINE_MAX - 2];
    fits.extend_from_slice(b"\r\n");
    assert_eq!(decode(&[&fits]).0.len(), 1);
}

#[test]
fn next_command_follows_the_payload_directly() {
    let (frames, _) = decode(&[b"P 1 3\r\n\r\nxB 2\r\nP 3 0\r\nC\r\n"]);
    let payloads: Vec<_> = frames.iter().map(|f| f.1.as_deref()).collect();
    assert_eq!(payloads, [Some(&b"\r\nx"[..]), None, Some(b""), None]);
}

#[test]
fn a_sent_command_ends_behind_its_payload() {
    for (sent, bytes) in [
        (&b"QNG 50\r\nQNG"[..], Some(8)),
        (b"QNG 50\r", None),
        (b"", None),
        (b"MSG a b 3\r\nabcQNG", Some(14)),
        (b"MSG a b 3\r\n\r\n", None),
        (b"NOT 0\r\nx", Some(7)),
        (b"IPG 2\r\n\n\nx", Some(9)),
    ] {
        assert_eq!(command_bytes(sent), bytes, "{}", sent.escape_ascii());
    }
}

#[test]
fn debug_shows_no_arguments() {
    let mut decoder = Decoder::new(LINE_MAX);
    decoder.feed(b"P 7 TWN S t=secret 6\r\nsecretUSR t=secret");
    let frame = next(&mut decoder, &mut None).unwrap().unwrap();
    let shown = [format!("{frame:?}"), format!("{:?}", frame.line)];
    for shown in shown.into_iter().chain([format!("{decoder:?}")]) {
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn an_idle_decoder_holds_nothing() {
    let mut decoder = Decoder::new(LINE_MAX);
    decoder.feed(b"A 1\r\n\r\n");
    while next(&mut decoder, &mut None).unwrap().is_some() {}
    assert_eq!(decoder.buffer.capacity(), 0);
}

proptest! {
    #[test]
    fn words_stand_between_spaces_and_tabs_alone(
        text in prop::collection::vec(
            prop_oneof![2 => Just(b' '), 1 => Just(b'\t'), 4 => Just(b'a'), 1 => 0x0E..=0xFFu8],
            0..150,
        ),
        lone in prop::collection::vec(prop_oneof![1 => Just(b' '), 40 => Just(b'a')], 0..150),
    ) {
        for text in [[b"x", &text[..]].concat(), [&text[..], b"x"].concat(), [b"x", &lone[..]].concat()] {
            let mut decoder = Decoder::new(1000);
            decoder.feed(&[&text[..], b"\r\n"].concat());
            let found = decoder.find_line().unwrap().unwrap();
            let line = decoder.line(found);
            let expected = text.split(|byte| matches!(byte, b' ' | b'\t'));
            let expected: Vec<_> = expected.filter(|word| !word.is_empty()).collect();
            prop_assert_eq!(line.words().collect::<Vec<_>>(), expected);
        }
    }

    /// Fuzz target: no input panics, and how it is split makes no difference.
    #[test]
    fn any_split_gives_the_same_frames(
        input in proptest::collection::vec(
            prop_oneof![
                Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'P'), Just(b'1'), Just(b'A'), any::<u8>()
            ],
            0..200,
        ),
        cuts in proptest::collection::vec(0usize..200, 0..12),
        lent in any::<u64>(),
    ) {
        let whole = decode(&[&input]);
        let single: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&decode(&single), &whole);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&input[from..cut]);
            from = cut;
        }
        pieces.push(&input[from..]);
        prop_assert_eq!(&decode(&pieces), &whole);
        prop_assert_eq!(&decode_lent(&pieces, lent), &whole);
        prop_assert_eq!(&decode_lent(&single, lent), &whole);
    }

    #[test]
    fn what_is_written_is_read_back(
        commands in proptest::collection::vec(("[A-O]{3}( [!-~]{1,8}){0,3}", proptest::option::of(
            proptest::collection::vec(any::<u8>(), 0..20))), 0..10),
    ) {
        let mut stream = Vec::new();
        for (line, payload) in &commands {
            match payload {
                Some(payload) => {
                    stream.extend_from_slice(format!("P{line} {}\r\n", payload.len()).as_bytes());
                    stream.extend_from_slice(payload);
                }
                None => stream.extend_from_slice(format!("{line}\r\n").as_bytes()),
            }
        }
        let (frames, error) = decode(&[&stream]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(frames.len(), commands.len());
        for (frame, (line, payload)) in frames.iter().zip(&commands) {
            prop_assert_eq!(&frame.1, payload);
            prop_assert!(frame.0.contains(line.as_str()));
        }
    }
}
