//! Looks at a running server from outside, as its clients will: ten points, each passed, failed
//! with a remedy, or skipped with a reason. Uses nothing but the network; knows no command line.

mod encryption;
mod pages;
mod sign_in;
mod wire;

use crate::{model::subnet::Subnet, net::tls::inspect::Certificate};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long one point may take.
pub const POINT_TIMEOUT: Duration = Duration::from_secs(15);
/// The points, by number from 1.
pub const POINTS: [&str; 10] = [
    "dispatch refers to a reachable notification server",
    "TLS 1.0 with 3DES, without a server name",
    "TLS 1.2 with a server name",
    "version-less nexus request",
    "passwords and tickets",
    "Messenger Config",
    "HTTP gateway",
    "every redirected name answers at once",
    "certificate authority for download",
    "clock",
];

/// Where to look, and as whom.
pub struct Options {
    /// Name or address of the server.
    pub host: String,
    /// Port of the dispatch role, 1863 for clients.
    pub dispatch_port: u16,
    /// Port of Passport with TLS, 443 for clients.
    pub https_port: u16,
    /// Port of the web services and the gateway, 80 for clients.
    pub http_port: u16,
    /// Whose right password to try. An older session of this account is signed out by that.
    pub account: Option<Account>,
    /// Who, seen from the server, is a proxy: if we are among them, each connection begins with a
    /// PROXY header.
    pub proxies: Vec<Subnet>,
    /// The points to look at, from 1; all if empty.
    pub only: Vec<u8>,
}

/// Somebody who can sign in. No `Debug`: it holds a password.
pub struct Account {
    /// E-mail address.
    pub address: String,
    /// Password.
    pub password: Zeroizing<String>,
}

/// What became of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be, with what was seen.
    Pass(String),
    /// Not as it should be.
    Fail {
        /// What was seen.
        what: String,
        /// What the operator can do.
        remedy: String,
    },
    /// Not looked at, and why.
    Skip(String),
}

/// A point and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// From 1.
    pub point: u8,
    /// What it is about.
    pub name: &'static str,
    /// What became of it.
    pub outcome: Outcome,
}

/// Goes through all points in order. Takes at most [`POINT_TIMEOUT`] for each.
pub async fn examine(options: &Options) -> Vec<Check> {
    let mut seen = Seen::default();
    let mut checks = Vec::new();
    for (point, name) in (1..).zip(POINTS) {
        let wanted = options.only.is_empty() || options.only.contains(&point);
        // Later points need what the first and the two about TLS have seen.
        if !wanted && !needed(point, &options.only) {
            continue;
        }
        let outcome = match timeout(POINT_TIMEOUT, look(point, options, &mut seen)).await {
            Ok(Ok(text)) => Outcome::Pass(text),
            Ok(Err(Fault::Wrong { what, remedy })) => Outcome::Fail { what, remedy },
            Ok(Err(Fault::Skipped(why))) => Outcome::Skip(why),
            Err(_) => Outcome::Fail {
                what: format!("no end after {} seconds", POINT_TIMEOUT.as_secs()),
                remedy: "something on the way swallows packets: look at firewalls and port \
                         forwarding"
                    .into(),
            },
        };
        if wanted {
            checks.push(Check { point, name, outcome });
        }
    }
    checks
}

/// What points hand on to later ones.
#[derive(Default)]
struct Seen {
    /// `host:port` of the notification server.
    notification: Option<String>,
    /// Server's Unix time less ours, seconds.
    clock_offset: Option<i64>,
    certificates: Vec<Certificate>,
}

/// Why a point is not passed.
enum Fault {
    Wrong { what: String, remedy: String },
    Skipped(String),
}

/// What a point says for itself.
type Finding = Result<String, Fault>;

fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault::Wrong { what: what.into(), remedy: remedy.into() }
}

/// Whether one of the wanted points builds on `point`.
fn needed(point: u8, only: &[u8]) -> bool {
    let builds_on: &[u8] = match point {
        1 => &[5, 10],
        2 | 3 => &[9],
        _ => &[],
    };
    only.iter().any(|wanted| builds_on.contains(wanted))
}

async fn look(point: u8, options: &Options, seen: &mut Seen) -> Finding {
    match point {
        1 => sign_in::referral(options, seen).await,
        2 => encryption::old(options, seen).await,
        3 => encryption::modern(options, seen).await,
        4 => sign_in::nexus_without_version(options).await,
        5 => sign_in::passwords(options, seen).await,
        6 => pages::messenger_config(options).await,
        7 => pages::gateway(options).await,
        8 => pages::every_name(options).await,
        9 => pages::authority(options, seen).await,
        _ => sign_in::clock(seen),
    }
}

#[cfg(test)]
mod tests;
