//! `msnd run`: serves until it is told to stop.

use super::{ConfigArgs, Failure};
use crate::telemetry;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Works without any option: makes ./msnd-data with a database and a certificate, and serves dispatch
on port 1863, notification on 1864 and Passport on 443. SIGTERM or Ctrl-C ends it gently, a second
one at once.

Examples:
  msnd run --config /etc/msnd.toml
  msnd run --data-dir /var/lib/msnd --set notification.advertised=chat.example.org
  msnd run --set passport.https_bind=0.0.0.0:8443                # without root
  msnd run --ephemeral --fixture accounts.toml --ready-json      # to test clients";

/// Run the server
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Start everything, serve one sign-in made by ourselves over loopback, and exit
    #[arg(long, conflicts_with_all = ["ephemeral", "fixture", "ready_json"])]
    pub smoke: bool,
    /// Keep nothing: everything lives in a temporary folder that is gone afterwards. Listeners
    /// without an address in the options get a free port on 127.0.0.1, Passport without TLS too
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,
    /// Start with the accounts, lists, groups and properties of this TOML file
    #[arg(long, value_name = "FILE", requires = "ephemeral")]
    pub fixture: Option<PathBuf>,
    /// When every listener accepts, print one line of JSON with roles and addresses
    #[arg(long)]
    pub ready_json: bool,
    /// Where options come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Does it.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let loaded = args.config.load()?;
    telemetry::init(&loaded.config.log)?;
    Err(anyhow::anyhow!("this build has no listeners").into())
}
