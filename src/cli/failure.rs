//! Why a command did not do it, and the exit code that says so.

use crate::{
    admin::TokenError, config::ConfigError, fixture::FixtureError, telemetry::TelemetryError,
};
use std::{fmt, net::SocketAddr, path::PathBuf};

/// Why a command did not do it. `Display` says what happened, where, and what to do.
#[derive(Debug)]
pub enum Failure {
    /// The options cannot work: exit code 78.
    Config(ConfigError),
    /// A file that the options or arguments name cannot work: exit code 78.
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        text: String,
    },
    /// The fixture is refused: exit code 78.
    Fixture(FixtureError),
    /// Another program has the address of a listener: exit code 69.
    AddressTaken {
        /// The listener's role.
        role: String,
        /// The option that names the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Another server works on the database: exit code 69.
    DatabaseInUse {
        /// The database.
        path: PathBuf,
    },
    /// A server works on the database, and would not notice what the command does: exit code 69.
    DatabaseServed {
        /// The database.
        path: PathBuf,
    },
    /// The admin token's file cannot work: exit code 78.
    AdminToken(TokenError),
    /// Another server holds what this one needs; the text says what: exit code 69.
    Unavailable(String),
    /// Anything else: exit code 1.
    Other(anyhow::Error),
}

impl Failure {
    /// Exit code of a command line that cannot be understood.
    pub const USAGE: u8 = 2;

    /// What the process answers.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::AddressTaken { .. }
            | Self::DatabaseInUse { .. }
            | Self::DatabaseServed { .. }
            | Self::Unavailable(_) => 69,
            Self::Config(_) | Self::File { .. } | Self::Fixture(_) | Self::AdminToken(_) => 78,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Fixture(error) => error.fmt(f),
            Self::AdminToken(error) => error.fmt(f),
            Self::Unavailable(text) => f.write_str(text),
            Self::File { path, text } => write!(f, "{}: {text}", path.display()),
            Self::AddressTaken { role, key, address } => write!(
                f,
                "{role}: another program listens on {address} already; stop it, or choose another \
                 address with --set {key}=ADDRESS:PORT"
            ),
            Self::DatabaseInUse { path } => write!(
                f,
                "another msnd serves from {} already; stop it, or choose another data folder with \
                 --data-dir: people on two servers with one database would not see each other",
                path.display()
            ),
            Self::DatabaseServed { path } => write!(
                f,
                "a server works on {}, and its sessions would go on with what is to be replaced; \
                 stop it first, or keep the accounts that are there with --skip-existing",
                path.display()
            ),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        Self::Other(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_names_role_address_and_remedy() {
        let failure = Failure::AddressTaken {
            role: "dispatch".into(),
            key: "dispatch.bind",
            address: "0.0.0.0:1863".parse().unwrap(),
        };
        assert_eq!(failure.exit_code(), 69);
        let text = failure.to_string();
        for part in ["dispatch: ", "0.0.0.0:1863", "--set dispatch.bind="] {
            assert!(text.contains(part), "{text}");
        }
    }
}
