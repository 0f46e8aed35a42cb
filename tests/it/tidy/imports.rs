//! Who may import whom. The table is the one of ARCHITECTURE.md: a further edge is a decision, and
//! one that is no longer needed goes from the table too.

use super::{File, rust_files, without_comments};
use std::collections::{BTreeMap, BTreeSet};

/// Each module of the crate root and the others it uses, tests aside.
const IMPORTS: &[(&str, &[&str])] = &[
    ("ctt", &[]),
    ("http1", &[]),
    ("metrics", &[]),
    ("model", &[]),
    ("net", &["metrics", "model"]),
    ("setup", &[]),
    ("doctor", &["model", "net", "setup"]),
    ("config", &["model"]),
    ("hub", &["metrics", "model", "net"]),
    ("protocol", &["model"]),
    ("telemetry", &["config"]),
    ("store", &["config", "metrics", "model"]),
    ("fixture", &["model", "store"]),
    ("account", &["config", "model", "store"]),
    ("alert", &["config", "hub", "metrics", "model", "store"]),
    ("session", &["config", "hub", "metrics", "model", "protocol"]),
    ("dispatch", &["config", "hub", "metrics", "model", "protocol", "session"]),
    ("notification", &["config", "hub", "metrics", "model", "net", "protocol", "session", "store"]),
    ("switchboard", &["config", "hub", "metrics", "model", "net", "protocol", "session", "store"]),
    ("passport", &["account", "config", "http1", "hub", "metrics", "model"]),
    ("web", &["config", "http1", "hub"]),
    ("gateway", &["config", "http1", "model", "protocol"]),
    ("admin", &["alert", "config", "hub", "metrics", "model", "net", "store", "switchboard"]),
    ("welcome", &["config", "hub", "model", "protocol", "store", "switchboard"]),
    (
        "server",
        &[
            "account",
            "admin",
            "alert",
            "config",
            "dispatch",
            "gateway",
            "http1",
            "hub",
            "metrics",
            "model",
            "net",
            "notification",
            "passport",
            "session",
            "setup",
            "store",
            "switchboard",
            "web",
            "welcome",
        ],
    ),
    (
        "cli",
        &[
            "account",
            "admin",
            "config",
            "ctt",
            "dispatch",
            "doctor",
            "fixture",
            "metrics",
            "model",
            "net",
            "notification",
            "protocol",
            "server",
            "session",
            "setup",
            "store",
            "switchboard",
            "telemetry",
        ],
    ),
];
/// Roles meet in the hub and nowhere else.
const ROLES: &[&str] = &["dispatch", "notification", "switchboard", "passport", "web"];

#[test]
fn modules_import_what_the_table_says() {
    let mut found: BTreeMap<String, BTreeSet<String>> =
        modules().into_iter().map(|module| (module, BTreeSet::new())).collect();
    for file in rust_files("src") {
        let Some(module) = module(&file.path) else { continue };
        let used = crate_paths(&shipped(&file));
        let others = used.into_iter().filter(|other| *other != module);
        found.entry(module.clone()).or_default().extend(others);
    }
    let table: BTreeMap<_, BTreeSet<_>> = IMPORTS
        .iter()
        .map(|(module, others)| {
            ((*module).to_owned(), others.iter().map(|other| (*other).to_owned()).collect())
        })
        .collect();
    for (module, others) in &found {
        let allowed = table.get(module).unwrap_or_else(|| panic!("{module} is not in the table"));
        assert_eq!(others, allowed, "{module} (left: as it is, right: the table)");
    }
    assert_eq!(table.len(), found.len(), "the table names a module that does not exist");
}

#[test]
fn the_table_has_no_cycle_and_keeps_roles_apart() {
    let mut below = BTreeSet::new();
    for (module, others) in IMPORTS {
        for other in *others {
            assert!(below.contains(other), "{module} is listed before {other}, which it uses");
            assert!(
                !(ROLES.contains(module) && ROLES.contains(other)),
                "the role {module} uses the role {other}"
            );
        }
        below.insert(module);
    }
}

/// `super` from a module of the crate root would be a way around the table.
#[test]
fn nobody_climbs_to_the_crate_root() {
    for file in rust_files("src") {
        let depth = file.path.trim_end_matches("/mod.rs").matches('/').count();
        let climb = "super::".repeat(depth);
        assert!(!shipped(&file).contains(&climb), "{}: {climb}", file.path);
    }
}

#[test]
fn paths_are_read_from_every_form_of_import() {
    let text = "use crate::{\n    model::{Address, x::{y}},\n    hub, store::{self},\n};\n\
                let a = crate::net::b(); // crate::cli\n";
    let found = crate_paths(&without_comments(text));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["hub", "model", "net", "store"]);
}

/// Modules of the crate root as `lib.rs` lists them.
fn modules() -> Vec<String> {
    let files = rust_files("src");
    let lib = files.iter().find(|file| file.path == "src/lib.rs").unwrap();
    let named = lib.text.lines().filter_map(|line| line.strip_prefix("pub mod "));
    named.map(|line| line.trim_end_matches(';').to_owned()).collect()
}

/// The module of the crate root that a file belongs to; `None` for the root itself.
fn module(path: &str) -> Option<String> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

/// What is compiled into the program: no comments, no tests.
fn shipped(file: &File) -> String {
    if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
        return String::new();
    }
    let text = without_comments(&file.text);
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Names that follow `crate::`, alone or in braces.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in text.match_indices("crate::") {
        let rest = &text[at + found.len()..];
        if let Some(tree) = rest.strip_prefix('{') {
            names.extend(outermost(tree).into_iter().filter_map(|branch| first_name(&branch)));
        } else {
            names.extend(first_name(rest));
        }
    }
    names
}

/// The branches of an import tree whose opening brace has been read.
fn outermost(tree: &str) -> Vec<String> {
    let (mut depth, mut branches, mut branch) = (0, Vec::new(), String::new());
    for character in tree.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => branches.push(std::mem::take(&mut branch)),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => branch.push(character),
            _ => {}
        }
    }
    branches.push(branch);
    branches
}

fn first_name(path: &str) -> Option<String> {
    let is_part = |character: &char| character.is_alphanumeric() || *character == '_';
    let name: String = path.trim_start().chars().take_while(is_part).collect();
    (!name.is_empty()).then_some(name)
}
