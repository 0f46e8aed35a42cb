//! `msnd announce`: tells everybody online that the server will go down.

use super::{Failure, admin::AdminArgs, backend::block_on, output};
use crate::admin::MINUTES_MAX;
use axum::http::Method;
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Asks the running server, which shows a system message: it goes down in so many minutes. Nothing else
happens: you stop it when the time has come. Who signs in later is not told.

Example:
  msnd announce --minutes 5";

/// Tell everybody online that the server goes down soon
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AnnounceArgs {
    /// Minutes until then, 1 to 1440
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MINUTES_MAX)))]
    minutes: u32,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &AnnounceArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let body = json!({ "minutes": args.minutes });
    let answer = block_on(server.ask(Method::POST, "/api/v1/announcements", Some(&body)))?;
    let told = answer["told"].as_u64().and_then(|told| usize::try_from(told).ok()).unwrap_or(0);
    output::print(&format!("told {}\n", output::counted(told, "session")))
}
