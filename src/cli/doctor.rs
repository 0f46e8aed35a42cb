//! `msnd doctor`: the ten points on the screen, and an exit code for scripts.

use super::{ConfigArgs, Failure, backend::block_on, output, password};
use crate::{
    config::{Bind, Config},
    doctor::{self, Account, Check, Options, Outcome},
    model::Address,
};
use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Points:
   1  dispatch refers to a reachable server     6  Messenger Config
   2  TLS 1.0 with 3DES, without server name    7  HTTP gateway
   3  TLS 1.2 with server name                  8  every redirected name answers at once
   4  version-less nexus request                9  certificate authority for download
   5  passwords and tickets                    10  clock
Run it where clients are, not on the server. With --user it signs in as this account, which ends a
session that the account has; its password is asked for, or read from standard input, and sent like
an old client sends it, before anybody has checked the certificate: use an account made for this.

Examples:
  msnd doctor chat.example.org
  msnd doctor 192.0.2.7 --user alice@example.test --password-file secret.txt
  msnd doctor 192.0.2.7 --only 1,3,4,5 --json";

/// Look at a running server from outside and say what clients would stumble over
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Name or address of the server; without it this machine, with the ports of the options
    #[arg(value_name = "ADDRESS")]
    host: Option<String>,
    /// Try the right password of this account too
    #[arg(long, value_name = "ACCOUNT")]
    user: Option<Address>,
    /// Read its password from the first line of FILE
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Look at these points only, such as 1,3,5
    #[arg(long, value_name = "POINTS", value_delimiter = ',',
          value_parser = clap::value_parser!(u8).range(1..=10))]
    only: Vec<u8>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Port of the dispatch role, if not 1863
    #[arg(long, value_name = "PORT")]
    dispatch_port: Option<u16>,
    /// Port of Passport, if not 443
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// Port of the web services and the gateway, if not 80
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Does it.
pub(super) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let options = options(args)?;
    let checks = block_on(async { Ok(doctor::examine(&options).await) })?;
    let failed =
        checks.iter().filter(|check| matches!(check.outcome, Outcome::Fail { .. })).count();
    if args.json {
        let all: Vec<Value> = checks.iter().map(as_json).collect();
        output::print_json(
            &json!({ "host": options.host, "healthy": failed == 0, "checks": all }),
        )?;
    } else {
        output::print(&checks.iter().map(as_text).collect::<String>())?;
    }
    if failed == 0 {
        return Ok(());
    }
    let looked_at = output::counted(checks.len(), "point");
    Err(anyhow!("{}: {failed} of {looked_at} failed", options.host).into())
}

fn options(args: &DoctorArgs) -> Result<Options, Failure> {
    let standard = Config::default();
    let local = match args.host {
        Some(_) => standard,
        None => args.config.load()?.config,
    };
    let dispatch = match local.dispatch.bind {
        Bind::Notification => local.notification.bind,
        own => own,
    };
    let port = |given: Option<u16>, bind: Bind, usual: u16| {
        given.unwrap_or(match bind {
            Bind::At(address) if address.port() != 0 => address.port(),
            _ => usual,
        })
    };
    let account = match &args.user {
        None => None,
        Some(address) => Some(Account {
            address: address.to_string(),
            password: password::read_known(address.as_str(), args.password_file.as_deref())?,
        }),
    };
    Ok(Options {
        host: args.host.clone().unwrap_or_else(|| "127.0.0.1".into()),
        dispatch_port: port(args.dispatch_port, dispatch, 1863),
        https_port: port(args.https_port, local.passport.https_bind, 443),
        http_port: port(args.http_port, local.web.bind, 80),
        account,
        proxies: local.net.proxy_protocol_from,
        only: args.only.clone(),
    })
}

fn as_text(check: &Check) -> String {
    let Check { point, name, outcome } = check;
    match outcome {
        Outcome::Pass(text) => format!("{point:>2}  pass  {name}: {text}\n"),
        Outcome::Skip(why) => format!("{point:>2}  skip  {name}: {why}\n"),
        Outcome::Fail { what, remedy } => {
            format!("{point:>2}  FAIL  {name}: {what}\n          remedy: {remedy}\n")
        }
    }
}

fn as_json(check: &Check) -> Value {
    let Check { point, name, outcome } = check;
    let (result, detail, remedy) = match outcome {
        Outcome::Pass(text) => ("pass", text, None),
        Outcome::Skip(why) => ("skip", why, None),
        Outcome::Fail { what, remedy } => ("fail", what, Some(remedy)),
    };
    json!({ "point": point, "name": name, "result": result, "detail": detail, "remedy": remedy })
}
