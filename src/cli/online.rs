//! `msnd online`: who is online.

use super::{Failure, admin::AdminArgs, backend::block_on, output};
use clap::Args;
use serde_json::Value;

const EXAMPLES: &str = "\
Asks the running server. STATUS is what the person shows; HDN is hidden, and `-` somebody whose
client has not shown anything yet: others see both as offline.

Examples:
  msnd online
  msnd online --json --data-dir /var/lib/msnd
  msnd online --url http://127.0.0.1:1869 --token-file token";

/// List who is online
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct OnlineArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &OnlineArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let users = block_on(server.list("/api/v1/users/online", "users"))?;
    if args.json {
        return output::print_json(&users.into());
    }
    if users.is_empty() {
        return output::print("nobody is online\n");
    }
    let mut rows = vec![["ADDRESS".into(), "STATUS".into(), "NAME".into()]];
    rows.extend(users.iter().map(|user| ["address", "status", "name"].map(|key| cell(user, key))));
    output::print(&output::table(&rows))
}

/// A field as text; `-` for nothing.
pub(super) fn cell(object: &Value, key: &str) -> String {
    match &object[key] {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}
