//! `msnd protocol`: prints the command table of each role.

use super::{Failure, output};
use crate::{
    dispatch::Dispatch,
    notification::Notification,
    protocol::{
        Dialect,
        event::{SENT, SENT_ON_SWITCHBOARD},
    },
    session::command::RowInfo,
    switchboard::Switchboard,
};
use clap::Args;
use serde_json::json;

/// Print the commands of each role: direction, states, arity, payload limit, purpose
#[derive(Debug, Args)]
pub(super) struct ProtocolArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) fn run(args: &ProtocolArgs) -> Result<(), Failure> {
    let tables = [
        ("dispatch", Dispatch::table()),
        ("notification", Notification::table()),
        ("switchboard", Switchboard::table()),
    ];
    if args.json {
        let tables = tables.map(|(role, rows)| {
            let sent = sent(role).map(|(verb, purpose)| {
                json!({ "verb": verb, "direction": TO_CLIENT, "purpose": purpose })
            });
            let rows: Vec<_> = rows.iter().map(document).chain(sent).collect();
            (role.to_owned(), rows.into())
        });
        return output::print_json(&serde_json::Value::Object(tables.into_iter().collect()));
    }
    let mut text = String::new();
    for (role, rows) in tables {
        let heading = ["VERB", "DIRECTION", "STATES", "DIALECT", "ARGUMENTS", "PAYLOAD", "PURPOSE"];
        let lines = rows.iter().map(|row| {
            let payload = row.payload_bytes_max.map(|bytes| format!("≤ {bytes}"));
            [
                row.verb.into(),
                FROM_CLIENT.into(),
                row.states.into(),
                row.dialect.map_or("all", Dialect::name).into(),
                arguments(row),
                payload.unwrap_or_else(|| "-".into()),
                row.purpose.into(),
            ]
        });
        let sent = sent(role).map(|(verb, purpose)| {
            [verb, TO_CLIENT, "-", "all", "-", "-", purpose].map(String::from)
        });
        let heading = std::iter::once(heading.map(String::from));
        let lines: Vec<_> = heading.chain(lines).chain(sent).collect();
        text += &format!("{}{role}\n", if text.is_empty() { "" } else { "\n" });
        text += &output::table(&lines);
    }
    output::print(&text)
}

const FROM_CLIENT: &str = "from client";
const TO_CLIENT: &str = "to client";
/// What a dispatch server says of all that servers can say.
const SENT_BY_DISPATCH: [&str; 5] = ["NNN", "VER", "CVR", "CVQ", "XFR"];

/// What the role sends, with what it says.
fn sent(role: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = if role == "switchboard" { &SENT_ON_SWITCHBOARD[..] } else { &SENT[..] };
    let is_dispatch = role == "dispatch";
    let all = all.iter().copied();
    all.filter(move |(verb, _)| !is_dispatch || SENT_BY_DISPATCH.contains(verb))
}

fn arguments(row: &RowInfo) -> String {
    let (fewest, most) = row.arity;
    let count = if fewest == most { fewest.to_string() } else { format!("{fewest}-{most}") };
    if row.has_trid { format!("TrID + {count}") } else { count }
}

fn document(row: &RowInfo) -> serde_json::Value {
    json!({
        "verb": row.verb,
        "direction": FROM_CLIENT,
        "states": row.states,
        "dialect": row.dialect.map(Dialect::name),
        "trid": row.has_trid,
        "arguments_min": row.arity.0,
        "arguments_max": row.arity.1,
        "payload_bytes_max": row.payload_bytes_max,
        "purpose": row.purpose,
    })
}
