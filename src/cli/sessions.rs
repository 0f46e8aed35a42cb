//! `msnd sessions`: who holds which connection.

use super::{Failure, admin::AdminArgs, backend::block_on, online::cell, output};
use clap::Args;

const EXAMPLES: &str = "\
Asks the running server. SESSION is session.id in the log, CLIENT the version that the client told.

Examples:
  msnd sessions
  msnd sessions --json | jq -r '.[] | select(.dialect == \"MSNP8\") | .user'";

/// List signed-in sessions: who, how, from where, since when
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SessionsArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &SessionsArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let sessions = block_on(server.list("/api/v1/sessions", "sessions"))?;
    if args.json {
        return output::print_json(&sessions.into());
    }
    if sessions.is_empty() {
        return output::print("nobody is signed in\n");
    }
    let heading = ["SESSION", "USER", "STATUS", "DIALECT", "CLIENT", "FROM", "SINCE"];
    let keys = ["id", "user", "status", "dialect", "client_version", "address", "signed_in_at"];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(sessions.iter().map(|session| keys.map(|key| cell(session, key))));
    output::print(&output::table(&rows))
}
