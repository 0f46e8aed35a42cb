//! `msnd config`: the commented default file, and what is in force.

use super::{ConfigArgs, Failure, output};
use crate::config::example;
use clap::{Args, Subcommand};
use serde_json::json;

const EXAMPLES: &str = "\
Options come from the file, then from environment variables, then from flags; the last one wins:
  a file                  [notification]
                          advertised = \"chat.example.org\"
  the environment         MSND_NOTIFICATION_ADVERTISED=chat.example.org
  a flag                  --set notification.advertised=chat.example.org
Lists are written as in the file, or with commas: MSND_LOG_WIRE_TRACE=a@example.test,b@example.test

Examples:
  msnd config example > msnd.toml
  msnd config check --config msnd.toml";

/// Print the commented default file, or check a configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigCommandArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a file with every option, its meaning and its default
    Example,
    /// Check all options and print those in force, with who set them; secrets are masked
    Check {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
pub(super) fn run(args: &ConfigCommandArgs) -> Result<(), Failure> {
    match args.action {
        Action::Example => output::print(&example()),
        Action::Check { json } => {
            let loaded = args.config.load()?;
            if json {
                let options = loaded.config.masked();
                return output::print_json(&json!({ "valid": true, "options": options }));
            }
            output::print(&loaded.show())
        }
    }
}
