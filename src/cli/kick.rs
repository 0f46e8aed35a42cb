//! `msnd kick`: ends somebody's session and conversations.

use super::{
    Failure,
    admin::{AdminArgs, of_user},
    backend::block_on,
    output,
};
use crate::model::Address;
use axum::http::Method;
use clap::Args;

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
    let path = of_user(&args.user, "sessions");
    let answer = block_on(server.ask(Method::DELETE, &path, None))?;
    let what = match answer["ended"].as_u64() {
        Some(0) => "was not signed in, and is out of all conversations",
        _ => "is signed out",
    };
    output::print(&format!("{} {what}\n", args.user))
}
