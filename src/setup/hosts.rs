//! The block for the hosts file. Every line of it carries the mark by which it is found again, so
//! that it can be replaced and removed with nothing but `find`.

use super::Facts;

/// What every line of the block contains, and no other line of anybody's hosts file.
pub(super) const MARK: &str = "#msnd-setup";

/// The block. One name on a line: Windows Vista and later read no more than nine.
pub(super) fn block(facts: &Facts) -> String {
    let mut text = format!("{MARK} begins: MSN Messenger at {}\n", facts.host);
    for name in &facts.names {
        text += &format!("{}\t{name}\t{MARK}\n", facts.address);
    }
    text + MARK + " ends\n"
}
