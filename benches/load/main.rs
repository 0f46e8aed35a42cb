//! A load generator: drives msnd, or any other MSNP8/9 server, as many clients at once, and the
//! smallest program that moves the same bytes beside it. `cargo bench --bench load -- --help`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, spawns, and may panic"
)]

mod accounts;
mod baseline;
mod board;
mod client;
mod conversation;
mod machine;
mod options;
mod report;
mod scenarios;
mod target;

use clap::Parser as _;
use options::{Command, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    match &options.command {
        Some(Command::Baseline(baseline)) => {
            baseline::serve(baseline);
            ExitCode::SUCCESS
        }
        Some(Command::Fixture { scenario }) => {
            print!("{}", scenario.accounts().to_toml());
            ExitCode::SUCCESS
        }
        None => drive(&options),
    }
}

/// Runs all scenarios that were asked for.
fn drive(options: &Options) -> ExitCode {
    let scenarios = options.scenarios();
    if scenarios.is_empty() {
        println!("Which scenario? One of these, or `all`:\n{}", scenarios::list());
        return ExitCode::SUCCESS;
    }
    machine::raise_file_limit();
    machine::stay_on(&options.load_cores);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut all_is_well = true;
    for scenario in scenarios {
        let outcome = runtime.block_on(async {
            let limit = scenario.time_limit(options);
            let run = tokio::time::timeout(limit, scenario.run(options));
            run.await.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {limit:?}")))
        });
        all_is_well &= report::tell(scenario.name(), &outcome, options);
    }
    if all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
