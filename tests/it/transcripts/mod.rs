//! Golden conversations: every file of `tests/transcripts` against a real server over real sockets.

mod operator;
pub(crate) mod parse;
mod play;

use rstest::rstest;
use std::path::PathBuf;

#[rstest]
fn transcript(#[files("tests/transcripts/*.msnp")] path: PathBuf) {
    let text = std::fs::read_to_string(&path).unwrap();
    let script = parse::script(&text);
    play::play(&script);
}
