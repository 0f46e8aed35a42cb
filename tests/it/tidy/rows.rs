//! Every command row has a file that says what it does, and a conversation that shows it. Every
//! error and close that a file speaks of is shown as the end of that very command, no other is.

use super::{File, files, rust_files};
use crate::transcripts::parse::{self, Script, Step};
use msnd::{
    dispatch::Dispatch, notification::Notification, protocol::ErrorCode, switchboard::Switchboard,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the header of a command's file must say.
const FIELDS: &[&str] = &["Syntax", "Direction", "Replies", "Errors", "Source"];
/// Verbs that are another name of a command with a file.
const ALIASES: &[(&str, &str)] = &[("CVQ", "CVR")];
/// Sent when the system has no random numbers: no conversation brings that about.
const NOT_PLAYED: &[ErrorCode] = &[ErrorCode::InternalError];
/// Role, verb and error of what a conversation over IPv4 cannot show; `edge::log` shows it.
const PLAYED_ELSEWHERE: &[(&str, &str, &str)] = &[("ds", "USR", "601")];
/// What stands for the end of a connection among errors.
const CLOSE: &str = "close";

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
            let file = file_of(&sources, role, verb);
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
    let heard: BTreeSet<_> = played_ends().into_iter().map(|(_, _, end)| end).collect();
    for (code, text) in ErrorCode::ALL {
        let is_heard = heard.contains(&code.to_string());
        assert_ne!(is_heard, NOT_PLAYED.contains(code), "{code} ({text})");
    }
}

#[test]
fn every_error_of_a_command_is_told_of_and_played() {
    let (played, sources) = (played_ends(), rust_files("src"));
    let mut faults = Vec::new();
    for (role, folder, verbs) in tables() {
        for verb in verbs {
            let file = file_of(&sources, folder, verb);
            let told = told_errors(file);
            let is_shared = file.path.starts_with("src/session/");
            let ended_by: BTreeSet<String> = played
                .iter()
                .filter(|(on, of, _)| (is_shared || on == role) && of == verb)
                .map(|(.., end)| end.clone())
                .collect();
            let elsewhere = |end: &str| PLAYED_ELSEWHERE.contains(&(role, verb, end));
            let is_alias = ALIASES.iter().any(|(alias, _)| *alias == verb);
            let silent = told.iter().filter(|end| !ended_by.contains(*end) && !elsewhere(end));
            faults.extend(
                silent
                    .filter(|_| !is_alias)
                    .map(|end| format!("{role} {verb}: no {end} is played")),
            );
            let unknown = ended_by.iter().filter(|end| *end != CLOSE && !told.contains(*end));
            faults.extend(unknown.map(|end| format!("{}: does not tell of {end}", file.path)));
            let code = file.text.split("#[cfg(test)]").next().unwrap();
            let named = ErrorCode::ALL.iter().filter(|(code_of, _)| {
                let name = format!("ErrorCode::{code_of:?}");
                code.match_indices(&name)
                    .any(|(at, _)| !code[at + name.len()..].starts_with(char::is_alphanumeric))
            });
            let untold = named.filter(|(code, _)| !told.contains(&code.to_string()));
            faults
                .extend(untold.map(|(code, _)| format!("{}: does not tell of {code}", file.path)));
        }
    }
    assert_eq!(faults, [""; 0]);
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

/// The file of a command.
fn file_of<'f>(sources: &'f [File], role: &str, verb: &str) -> &'f File {
    let name = ALIASES.iter().find(|(alias, _)| *alias == verb).map_or(verb, |(_, of)| of);
    let name = name.to_lowercase();
    let places = [role, "session"].map(|owner| format!("src/{owner}/commands/{name}.rs"));
    let file = sources.iter().find(|file| places.contains(&file.path));
    file.unwrap_or_else(|| panic!("{role} {verb}: none of {places:?}"))
}

/// The codes in the field `Errors` of a command's header, and [`CLOSE`] if it speaks of that.
fn told_errors(file: &File) -> BTreeSet<String> {
    let header = file.text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let is_field =
        |line: &&str| FIELDS.iter().chain(&["Quirks"]).any(|field| line.starts_with(field));
    let mut lines = header.skip_while(|line| !line.starts_with("Errors: "));
    let first = lines.next().unwrap_or_default();
    let text: Vec<_> =
        std::iter::once(first).chain(lines.take_while(|line| !is_field(line))).collect();
    let text = text.join(" ");
    let words = text.split(|c: char| !c.is_alphanumeric());
    let is_code = |word: &&str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    words.filter(|word| is_code(word) || *word == CLOSE).map(String::from).collect()
}

/// Role, verb, and the error that answered it, or [`CLOSE`] if it was the last command before the
/// server hung up.
fn played_ends() -> BTreeSet<(String, String, String)> {
    let mut ends = BTreeSet::new();
    for (_, script) in scripts() {
        let (mut asked, mut last) = (BTreeMap::new(), BTreeMap::new());
        for_each_step(&script, |name, role, step| match step {
            Step::Send(message) => {
                let mut words = message.line.split_whitespace().map(String::from);
                let (verb, trid) = (words.next().unwrap_or_default(), words.next());
                asked.insert((name.to_owned(), trid.unwrap_or_default()), verb.clone());
                last.insert(name.to_owned(), (role.to_owned(), verb));
            }
            Step::Receive(message) => {
                let mut words = message.line.split(' ').map(String::from);
                let (code, trid) = (words.next().unwrap_or_default(), words.next());
                let verb = asked.get(&(name.to_owned(), trid.unwrap_or_default()));
                if let (Ok(_), Some(verb)) = (code.parse::<u16>(), verb) {
                    ends.insert((role.to_owned(), verb.clone(), code));
                }
            }
            Step::Closed { name: other, by_server: true } => {
                let name = other.as_deref().unwrap_or(name);
                if let Some((role, verb)) = last.get(name) {
                    ends.insert((role.clone(), verb.clone(), CLOSE.to_owned()));
                }
            }
            _ => {}
        });
    }
    ends
}

/// Role and verb of everything that clients say in a script.
fn commands(script: &Script) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for_each_step(script, |_, role, step| {
        if let Step::Send(message) = step {
            let verb = message.line.split_whitespace().next().unwrap_or_default();
            said.push((role.to_owned(), verb.to_owned()));
        }
    });
    said
}

/// Every step with the name and the role of the connection it is on.
fn for_each_step(script: &Script, mut visit: impl FnMut(&str, &str, &Step)) {
    let mut roles = BTreeMap::new();
    let mut current = String::new();
    for (_, step) in &script.steps {
        if let Step::On { name, opening } = step {
            current.clone_from(name);
            if let Some(role) = opening.first() {
                roles.insert(name.clone(), role.clone());
            }
        }
        visit(&current, roles.get(&current).map_or("", String::as_str), step);
    }
}
