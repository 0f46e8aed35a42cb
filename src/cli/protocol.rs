//! `msnd protocol`: prints the command table of each role.

use super::Failure;
use clap::Args;

/// Print the commands of each role: direction, states, arity, payload limit, purpose
#[derive(Debug, Args)]
pub(super) struct ProtocolArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) fn run(args: &ProtocolArgs) -> Result<(), Failure> {
    let form = if args.json { "JSON" } else { "text" };
    Err(anyhow::anyhow!("this build has no command tables to print as {form}").into())
}
