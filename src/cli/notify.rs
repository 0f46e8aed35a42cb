//! `msnd notify`: an alert to somebody or to all.

use super::{
    Failure,
    admin::{AdminArgs, of_user},
    backend::block_on,
    output,
};
use crate::model::Address;
use anyhow::Context as _;
use axum::http::Method;
use clap::{ArgGroup, Args};
use serde_json::json;
use std::io::{self, Read as _};

/// Bytes of a text from standard input; a longer one is too long in any case.
const TEXT_BYTES_MAX: u64 = 16 * 1024;

const EXAMPLES: &str = "\
Asks the running server. Who is online is told at once, everybody else at the next sign-in. Clients
that speak only MSNP8 cannot show alerts: theirs wait for a newer one. When the command ends without
an error, the alert is on disk. It waits for a week and beside 49 others, unless [alerts] in the
configuration says otherwise; one more is refused, or with --all left out for that account.

Addresses of pages are http://…, https://…, or relative to the site, which is the server's own
unless --site-url names another.

Examples:
  msnd notify alice@example.test --text 'Your backup is done'
  msnd notify --all --text 'New pictures in the club' --action-url http://club.example.test/new
  df -h / | msnd notify alice@example.test --text - --expiry 12h";

/// Send an alert to somebody or to all, now or at their next sign-in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("to").required(true).args(["user", "all"])))]
pub(super) struct NotifyArgs {
    /// To whom
    user: Option<Address>,
    /// To everybody who may sign in
    #[arg(long)]
    all: bool,
    /// What it says, up to 1024 characters; `-` reads it from standard input
    #[arg(long)]
    text: String,
    /// The same with mark-up, up to 2048 characters, for clients that can show it
    #[arg(long, value_name = "MARKUP")]
    html: Option<String>,
    /// Page that a click on the alert opens
    #[arg(long, value_name = "URL")]
    action_url: Option<String>,
    /// Page where the subscription is changed
    #[arg(long, value_name = "URL")]
    subscribe_url: Option<String>,
    /// Picture beside the text
    #[arg(long, value_name = "URL")]
    icon: Option<String>,
    /// How long it may wait, such as 90s, 30m, 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expiry: Option<u64>,
    /// The site that sends it, to which the other addresses are relative
    #[arg(long, value_name = "URL")]
    site_url: Option<String>,
    /// Number of that site
    #[arg(long, value_name = "N")]
    site_id: Option<u32>,
    /// Language of the text (LCID, 1033 is English)
    #[arg(long, value_name = "LCID")]
    lang: Option<u16>,
    /// Priority, 1 (most urgent) to 9
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &NotifyArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let text = match args.text.as_str() {
        "-" => standard_input()?,
        text => text.to_owned(),
    };
    let body = json!({
        "text": text,
        "html": args.html,
        "action_url": args.action_url,
        "subscribe_url": args.subscribe_url,
        "icon": args.icon,
        "expiry_secs": args.expiry,
        "site_url": args.site_url,
        "site_id": args.site_id,
        "lang": args.lang,
        "priority": args.priority,
    });
    let path = match &args.user {
        Some(user) => of_user(user, "alerts"),
        None => "/api/v1/alerts".to_owned(),
    };
    let answer = block_on(server.ask(Method::POST, &path, Some(&body)))?;
    let recipients = answer["recipients"].as_u64().and_then(|count| usize::try_from(count).ok());
    let recipients = output::counted(recipients.unwrap_or(0), "account");
    output::print(&format!("alert {} is accepted for {recipients}\n", answer["id"]))
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(TEXT_BYTES_MAX).read_to_string(&mut text);
    read.context("no text on standard input")?;
    // As `echo` ends it.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A number with its unit, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let form = || "write it like 90s, 30m, 12h or 7d".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(form()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| form())?;
    number.checked_mul(unit).filter(|secs| *secs > 0).ok_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_a_unit() {
        for (text, secs) in [
            ("90s", Some(90)),
            ("30m", Some(1800)),
            ("12h", Some(43_200)),
            ("7d", Some(604_800)),
            ("7", None),
            ("0s", None),
            ("d", None),
            ("-1d", None),
            ("1.5h", None),
            ("1\u{fb}", None),
            ("", None),
            ("99999999999999999999d", None),
            ("999999999999999999d", None),
        ] {
            assert_eq!(seconds(text).ok(), secs, "{text}");
        }
    }
}
