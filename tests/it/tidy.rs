//! The house rules that no compiler checks. Reads the source as text; knows nothing of what it does
//! but the command tables.

mod imports;
mod rows;

use msnd::config::{self, Config};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 450;
/// Longest test file, in lines.
const TEST_LINES_MAX: usize = 500;
/// Widest comment, in characters; rustfmt sees to the code.
const COLUMNS_MAX: usize = 100;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager"];
/// Words for work left undone, in two halves so that this file does not contain them.
const LEFT_UNDONE: &[(&str, &str)] =
    &[("todo", "!"), ("unimplemented", "!"), ("TO", "DO"), ("FIX", "ME")];

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<_> = rust_files("src")
        .into_iter()
        .chain(rust_files("tests"))
        .filter(|file| !file.text.lines().next().unwrap_or_default().starts_with("//! "))
        .map(|file| file.path)
        .collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn files_are_short_and_comments_narrow() {
    let mut faults = Vec::new();
    for (folder, lines_max) in [("src", FILE_LINES_MAX), ("tests", TEST_LINES_MAX)] {
        for File { path, text } in rust_files(folder) {
            let lines = text.lines().count();
            if lines > lines_max {
                faults.push(format!("{path}: {lines} lines, at most {lines_max}"));
            }
            for (index, line) in text.lines().enumerate() {
                let is_comment = line.trim_start().starts_with("//");
                if is_comment && line.chars().count() > COLUMNS_MAX {
                    faults.push(format!("{path}:{}: wider than {COLUMNS_MAX}", index + 1));
                }
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn nothing_is_left_undone() {
    let words: Vec<_> = LEFT_UNDONE.iter().map(|(one, two)| format!("{one}{two}")).collect();
    let mut faults = Vec::new();
    for folder in ["src", "tests", "migrations", "config"] {
        for File { path, text } in files(folder) {
            let found = words.iter().filter(|word| text.contains(&***word));
            faults.extend(found.map(|word| format!("{path}: {word}")));
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn no_module_has_an_empty_name() {
    let named = |file: &File| {
        let stem = file.path.trim_end_matches(".rs");
        stem.split('/').any(|part| EMPTY_NAMES.contains(&part))
    };
    let faults: Vec<_> = rust_files("src")
        .into_iter()
        .chain(rust_files("tests"))
        .filter(named)
        .map(|file| file.path)
        .collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn openssl_stays_behind_the_listener() {
    let faults: Vec<_> = rust_files("src")
        .into_iter()
        .filter(|file| !file.path.starts_with("src/net/tls"))
        .filter(|file| without_comments(&file.text).contains("openssl"))
        .map(|file| file.path)
        .collect();
    assert_eq!(faults, [""; 0]);
}

/// What old clients need is not for administration, sign-up or any other page: whoever sets up TLS
/// elsewhere takes the default, which is strong.
#[test]
fn weak_tls_is_asked_for_by_the_login_listener_alone() {
    let places: Vec<_> = rust_files("src")
        .into_iter()
        .filter(|file| !file.path.starts_with("src/net/tls"))
        .filter(|file| can_ask_for_weak_tls(&file.text))
        .map(|file| file.path)
        .collect();
    assert_eq!(places, ["src/cli/run/certificate.rs"]);
}

/// Whether a file makes a TLS policy of its own, however it has imported that.
fn can_ask_for_weak_tls(text: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let has = |word: &str| text.match_indices(word).any(|(at, _)| !text[..at].ends_with(is_part));
    text.contains("tls") && (has("Policy {") || has("Floor::"))
}

#[test]
fn no_way_to_import_a_policy_is_overlooked() {
    assert!(can_ask_for_weak_tls(
        "use crate::net::{listener, tls::Policy};\nlet _ = Policy { a };"
    ));
    assert!(can_ask_for_weak_tls("use super::tls::*;\nFloor::Ssl3"));
    assert!(!can_ask_for_weak_tls("use crate::config::TlsFloor; // tls\nTlsFloor::Ssl3"));
}

/// A missing key takes its default, so that only this test sees that nobody wrote about it.
#[test]
fn every_option_stands_in_the_example() {
    let example: toml::Table = config::EXAMPLE.parse().unwrap();
    let all = toml::Table::try_from(Config::default()).unwrap();
    let mut missing = Vec::new();
    for (section, options) in &all {
        for key in options.as_table().unwrap().keys() {
            if example.get(section).and_then(|written| written.get(key)).is_none() {
                missing.push(format!("{section}.{key}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

/// A file of the repository.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// All Rust files below a folder, by path.
fn rust_files(folder: &str) -> Vec<File> {
    files(folder).into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// All files below a folder, by path.
fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        File { path, text }
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

/// The text without line comments. A `//` inside a string cuts that line too, which does no harm
/// here.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}
