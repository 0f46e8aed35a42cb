//! `msnd kick`: ends somebody's session and conversations.

use super::{Failure, admin::AdminArgs, backend::block_on, output};
use crate::model::Address;
use axum::http::Method;
use clap::Args;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Asks the running server. The client is told the only thing after which it does not sign in again at
once; its user can. To keep somebody out, use `msnd user disable`, which also ends the session.

Example:
  msnd kick alice@example.test";

/// End somebody's session
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KickArgs {
    /// Whose
    user: Address,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &KickArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let path = format!("/api/v1/users/{}/sessions", escaped(args.user.as_str()));
    let answer = block_on(server.ask(Method::DELETE, &path, None))?;
    let what = match answer["ended"].as_u64() {
        Some(0) => "was not signed in, and is out of all conversations",
        _ => "is signed out",
    };
    output::print(&format!("{} {what}\n", args.user))
}

/// As one segment of a path.
fn escaped(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            segment.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_an_address_leaves_its_segment() {
        assert_eq!(escaped("a/../b?c#d@example.test"), "a%2F..%2Fb%3Fc%23d@example.test");
    }
}
