//! Every command row has a file that says what it does, and a conversation that shows it; every
//! error code is shown too.

use super::{files, rust_files};
use crate::transcripts::parse::{self, Script, Step};
use msnd::{
    dispatch::Dispatch, notification::Notification, protocol::ErrorCode, switchboard::Switchboard,
};
use std::collections::BTreeSet;

/// What the header of a command's file must say.
const FIELDS: &[&str] = &["Syntax", "Direction", "Replies", "Errors", "Source"];
/// Verbs that are another name of a command with a file.
const ALIASES: &[(&str, &str)] = &[("CVQ", "CVR")];
/// Sent when something of ours fails or the server goes down: no conversation brings that about.
const NOT_PLAYED: &[ErrorCode] = &[
    ErrorCode::InternalError,
    ErrorCode::ServerUnavailable,
    ErrorCode::DatabaseUnavailable,
    ErrorCode::GoingDown,
];

/// Role as a transcript and as a folder is named, and its verbs.
fn tables() -> [(&'static str, &'static str, Vec<&'static str>); 3] {
    let verbs = |rows: Vec<msnd::session::command::RowInfo>| {
        rows.into_iter().map(|row| row.verb).collect::<Vec<_>>()
    };
    [
        ("ds", "dispatch", verbs(Dispatch::table())),
        ("ns", "notification", verbs(Notification::table())),
        ("sb", "switchboard", verbs(Switchboard::table())),
    ]
}

#[test]
fn every_row_has_a_file_with_a_header() {
    let sources = rust_files("src");
    for (_, role, verbs) in tables() {
        for verb in verbs {
            let name = ALIASES.iter().find(|(alias, _)| *alias == verb).map_or(verb, |(_, of)| of);
            let name = name.to_lowercase();
            let places = [role, "session"].map(|owner| format!("src/{owner}/commands/{name}.rs"));
            let file = sources.iter().find(|file| places.contains(&file.path));
            let file = file.unwrap_or_else(|| panic!("{role} {verb}: none of {places:?}"));
            let header: Vec<&str> =
                file.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
            assert!(header[0].contains(&format!("`{verb}`")), "{}: {}", file.path, header[0]);
            for field in FIELDS {
                let start = format!(" {field}: ");
                let says = header.iter().any(|line| line.starts_with(&start));
                assert!(says, "{}: no {field}", file.path);
            }
        }
    }
}

#[test]
fn every_command_file_has_a_row() {
    let verbs: BTreeSet<_> =
        tables().into_iter().flat_map(|(.., verbs)| verbs).map(str::to_lowercase).collect();
    let commands = rust_files("src").into_iter().filter_map(|file| {
        let (_, name) = file.path.split_once("/commands/")?;
        Some(name.trim_end_matches(".rs").to_owned())
    });
    let idle: Vec<_> = commands.filter(|name| name != "mod" && !verbs.contains(name)).collect();
    assert_eq!(idle, [""; 0]);
}

#[test]
fn every_row_has_a_transcript() {
    let mut played = BTreeSet::new();
    for (_, script) in scripts() {
        played.extend(commands(&script));
    }
    for (role, _, verbs) in tables() {
        for verb in verbs {
            assert!(played.contains(&(role.into(), verb.into())), "nobody says {verb} to a {role}");
        }
    }
}

#[test]
fn every_error_code_has_a_transcript() {
    let mut heard = BTreeSet::new();
    for (_, script) in scripts() {
        let lines = script.steps.iter().filter_map(|(_, step)| match step {
            Step::Receive(message) => message.line.split(' ').next(),
            _ => None,
        });
        heard.extend(lines.map(str::to_owned));
    }
    for (code, text) in ErrorCode::ALL {
        let is_heard = heard.contains(&code.to_string());
        assert_ne!(is_heard, NOT_PLAYED.contains(code), "{code} ({text})");
    }
}

#[test]
fn every_transcript_names_its_source() {
    let silent: Vec<_> = files("tests/transcripts")
        .into_iter()
        .filter(|file| {
            let mut opening = file.text.lines().take_while(|line| line.starts_with("# "));
            !opening.any(|line| line.contains("Source: "))
        })
        .map(|file| file.path)
        .collect();
    assert_eq!(silent, [""; 0]);
}

fn scripts() -> Vec<(String, Script)> {
    let transcripts = files("tests/transcripts");
    transcripts.into_iter().map(|file| (file.path, parse::script(&file.text))).collect()
}

/// Role and verb of everything that clients say in a script.
fn commands(script: &Script) -> Vec<(String, String)> {
    let mut roles = std::collections::BTreeMap::new();
    let mut current = String::new();
    let mut said = Vec::new();
    for (_, step) in &script.steps {
        match step {
            Step::On { name, opening } => {
                current.clone_from(name);
                if let Some(role) = opening.first() {
                    roles.insert(name.clone(), role.clone());
                }
            }
            Step::Send(message) => {
                let verb = message.line.split_whitespace().next().unwrap_or_default();
                said.push((roles[&current].clone(), verb.to_owned()));
            }
            _ => {}
        }
    }
    said
}
