//! What the load generator is asked to do.

use crate::{
    baseline::Baseline,
    scenarios::{self, SCENARIOS, Scenario},
};
use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

const EXAMPLES: &str = "\
Without --server a release build of msnd is started for every measurement, on a core of its own, and
so is the baseline: the smallest program that moves the same bytes. Every figure to go by is a ratio
between the two, taken in turn in one run. Exit code 1: something was lost, wrong, or failed.

Examples:
  cargo bench --bench load -- presence-turn
  cargo bench --bench load -- all --rounds 5
  cargo bench --bench load -- fixture chat > accounts.toml       # for another server
  cargo bench --bench load -- chat --server 127.0.0.1:1863 --fixture accounts.toml \\
      --passport http://127.0.0.1:8080";

/// Drives an MSNP8/9 server as many clients at once
#[derive(Debug, Parser)]
#[command(name = "load", after_help = more_help(), subcommand_negates_reqs = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Which scenarios; `all` for every one
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Dispatch or notification port of a running server
    #[arg(long, value_name = "ADDRESS", requires = "fixture")]
    pub(crate) server: Option<SocketAddr>,
    /// Where its nexus is: http://address:port or https://address:port (no certificate is checked)
    #[arg(long, value_name = "URL", requires = "server")]
    pub(crate) passport: Option<String>,
    /// Where its HTTP gateway is
    #[arg(long, value_name = "ADDRESS", requires = "server")]
    pub(crate) gateway: Option<SocketAddr>,
    /// Its accounts; `load fixture SCENARIO` prints such a file
    #[arg(long, value_name = "FILE")]
    pub(crate) fixture: Option<PathBuf>,
    /// Tickets that are good there: lines with address and ticket. Each is good for one sign-in, so
    /// one round of one case can be measured with them
    #[arg(long, value_name = "FILE", requires = "server", conflicts_with = "passport")]
    pub(crate) tickets: Option<PathBuf>,
    /// What clients speak
    #[arg(long, default_value = "MSNP9", value_parser = ["MSNP8", "MSNP9"])]
    pub(crate) dialect: String,
    /// How often everything is measured; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Seconds that one measurement of a rate takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// The cores of the server
    #[arg(long, default_value = "0", value_delimiter = ',')]
    pub(crate) server_cores: Vec<usize>,
    /// The cores of the load
    #[arg(long, default_value = "1", value_delimiter = ',')]
    pub(crate) load_cores: Vec<usize>,
    /// Another msnd to start
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_msnd"))]
    pub(crate) msnd: PathBuf,
    /// An option of msnd, as in `msnd run --set`
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Where choices at random begin
    #[arg(long, default_value_t = 6)]
    pub(crate) seed: u64,
    /// Only the cases whose name has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) case: Option<String>,
    /// JSON only, no table
    #[arg(long)]
    pub(crate) json: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the accounts that a scenario needs, as a fixture of msnd
    Fixture {
        /// For which
        #[arg(value_parser = scenarios::find)]
        scenario: &'static Scenario,
    },
    /// Be a baseline
    #[command(hide = true)]
    Baseline(Baseline),
}

fn more_help() -> String {
    format!("Scenarios:\n{}\n\n{EXAMPLES}", scenarios::list())
}

impl Options {
    /// Those that were asked for.
    pub(crate) fn scenarios(&self) -> Result<Vec<&'static Scenario>, String> {
        let mut scenarios = Vec::new();
        for name in &self.scenarios {
            if name == "all" {
                scenarios.extend(SCENARIOS.iter().filter(|scenario| scenario.is_among_all));
            } else {
                scenarios.push(scenarios::find(name)?);
            }
        }
        Ok(scenarios)
    }

    /// Whether this case of a scenario is wanted.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.case.as_ref().is_none_or(|wanted| case.contains(wanted.as_str()))
    }
}
