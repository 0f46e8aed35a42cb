//! The command line: what was typed, which command does it, what the process answers. Knows no
//! protocol; each command is one file.

mod admin;
mod announce;
mod backend;
mod cert;
mod client_setup;
mod config;
mod db;
mod docs;
mod doctor;
mod failure;
mod fixture_file;
mod kick;
mod mail;
mod notify;
mod online;
mod options;
mod output;
mod own_names;
mod password;
mod probe;
mod protocol;
mod rooms;
mod run;
mod sessions;
mod user;

use clap::{Parser, Subcommand};
pub use failure::Failure;
pub use options::ConfigArgs;
pub use run::RunArgs;
use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

const EXAMPLES: &str = "\
First steps:
  msnd run                            # serves; makes all it needs in ./msnd-data
  msnd user add alice@example.test    # makes an account; asks for its password
The server then says how to point a client at it.

Options can be set in a file (`msnd config example` prints it), by environment variables such as
MSND_NOTIFICATION_ADVERTISED=chat.example.org, and by flags such as
--set notification.advertised=chat.example.org. Flags win over variables, variables over the file.

Exit codes: 0 done, 1 failed, 2 wrong usage, 69 the address of a listener, the admin socket or the
database is in use by another program, 78 wrong configuration.";

/// An MSN Messenger server (MSNP8 and MSNP9): dispatch, notification and Passport sign-in in one
/// process.
#[derive(Debug, Parser)]
#[command(name = "msnd", version, about, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, subcommand_required = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    User(user::UserArgs),
    Config(config::ConfigCommandArgs),
    Db(db::DbArgs),
    Cert(cert::CertArgs),
    ClientSetup(client_setup::ClientSetupArgs),
    Doctor(doctor::DoctorArgs),
    Online(online::OnlineArgs),
    Sessions(sessions::SessionsArgs),
    Rooms(rooms::RoomsArgs),
    Kick(kick::KickArgs),
    Notify(notify::NotifyArgs),
    Mail(mail::MailArgs),
    Announce(announce::AnnounceArgs),
    Protocol(protocol::ProtocolArgs),
    Completions(docs::CompletionsArgs),
    Man(docs::ManArgs),
    #[command(hide = true)]
    Probe(probe::ProbeArgs),
}

/// Does what `arguments` (with the program's name in front) say; errors go to standard error as
/// `msnd: …`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => dispatch(cli.command),
        Err(error) => return usage(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            failure.exit_code().into()
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::User(args) => user::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Db(args) => db::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::ClientSetup(args) => client_setup::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Online(args) => online::run(&args),
        Command::Sessions(args) => sessions::run(&args),
        Command::Rooms(args) => rooms::run(&args),
        Command::Kick(args) => kick::run(&args),
        Command::Notify(args) => notify::run(&args),
        Command::Mail(args) => mail::run(&args),
        Command::Announce(args) => announce::run(&args),
        Command::Protocol(args) => protocol::run(&args),
        Command::Completions(args) => docs::completions(&args),
        Command::Man(args) => docs::man(&args),
        Command::Probe(args) => probe::run(&args),
    }
}

/// Help and version are answers; everything else is a complaint.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        match text.strip_prefix("error: ") {
            Some(complaint) => complain(complaint.trim_end()),
            // The help of somebody who typed nothing at all.
            None => drop(io::stderr().write_all(text.as_bytes())),
        }
        return ExitCode::from(Failure::USAGE);
    }
    match output::print(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit_code().into(),
    }
}

fn complain(text: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "msnd: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_fixture_needs_a_server_that_forgets() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|_| ());
        assert!(parse("msnd run --ephemeral --fixture a.toml --ready-json").is_ok());
        assert!(parse("msnd run --fixture a.toml").is_err());
        assert!(parse("msnd run --ephemeral --data-dir x").is_err());
        assert!(parse("msnd run --smoke --ephemeral").is_err());
    }
}
