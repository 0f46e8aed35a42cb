//! `msnd rooms`: which conversations there are.

use super::{Failure, admin::AdminArgs, backend::block_on, online::cell, output};
use clap::Args;
use serde_json::Value;

const EXAMPLES: &str = "\
Asks the running server. AGE is how long the conversation exists, IDLE how long nobody has said
anything in it. What is said nobody is told.

Examples:
  msnd rooms
  msnd rooms --json | jq length";

/// List conversations: who is in them, how old, how long idle
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RoomsArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Does it.
pub(super) fn run(args: &RoomsArgs) -> Result<(), Failure> {
    let server = args.admin.server()?;
    let rooms = block_on(server.list("/api/v1/rooms", "rooms"))?;
    if args.json {
        return output::print_json(&rooms.into());
    }
    if rooms.is_empty() {
        return output::print("nobody is in a conversation\n");
    }
    let mut rows = vec![["ROOM", "AGE", "IDLE", "PARTICIPANTS"].map(String::from)];
    rows.extend(rooms.iter().map(|room| {
        let people: Vec<_> = room["participants"].as_array().into_iter().flatten().collect();
        let people: Vec<_> = people.iter().filter_map(|person| person.as_str()).collect();
        [cell(room, "id"), span(&room["age_secs"]), span(&room["idle_secs"]), people.join(" ")]
    }));
    output::print(&output::table(&rows))
}

/// Seconds with the two units that matter.
fn span(secs: &Value) -> String {
    let secs = secs.as_u64().unwrap_or(0);
    match (secs / 60, secs / 3600, secs / 86_400) {
        (0, ..) => format!("{secs}s"),
        (minutes, 0, _) => format!("{minutes}m {}s", secs % 60),
        (minutes, hours, 0) => format!("{hours}h {}m", minutes % 60),
        (_, hours, days) => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn times_are_told_in_two_units() {
        for (secs, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3599, "59m 59s"),
            (3600, "1h 0m"),
            (86_399, "23h 59m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(span(&secs.into()), text);
        }
    }
}
