//! Words for option values: reads the bare text of variables and flags, describes what was found
//! and what is expected, finds the nearest key. Knows no option by name, but for the secret ones.

use toml::{Value, de::DeValue};

/// Options whose values are never shown. Keys inside list entries follow their list.
const SECRETS: [&str; 1] = ["challenge.clients"];
/// Longest foreign text that is shown in a message, characters.
const SHOWN_CHARS_MAX: usize = 120;

/// Whether the value of `section.key` must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Bare text as TOML of the kind of `kind`: texts get quotes, lists may be separated by commas.
/// What is no such value is left for the parser to refuse.
pub(super) fn to_toml(text: &str, kind: &Value) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    match kind {
        Value::String(_) => quoted(text),
        Value::Array(_) if !text.trim_start().starts_with('[') => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            format!("[{}]", entries.map(quoted).collect::<Vec<_>>().join(", "))
        }
        _ => text.trim().to_owned(),
    }
}

/// What an option of the kind of `kind` looks like.
pub(super) fn expected(kind: &Value) -> &'static str {
    match kind {
        Value::String(_) => "a text in quotes",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(entries) if entries.iter().any(Value::is_table) => {
            "a list such as [{ id = \"…\", key = \"…\" }]"
        }
        Value::Array(_) => "a list such as [\"one\", \"two\"]",
        Value::Datetime(_) => "a date",
        Value::Table(_) => "a section",
    }
}

/// What stands there instead.
pub(super) fn found(value: &DeValue<'_>, secret: bool) -> String {
    match value {
        DeValue::String(_) if secret => "a text".into(),
        DeValue::String(text) => format!("the text \"{}\"", shorten(text)),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// Says in plain words what serde says in its own.
pub(super) fn plain(message: &str, secret: bool) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!("unknown key {rest}");
    }
    if message.starts_with("missing field ") {
        return message.replacen("field", "key", 1);
    }
    if secret {
        return "an entry is not of the expected form".into();
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return format!("found {}", shorten(rest));
    }
    if let Some(rest) = message.strip_prefix("invalid value: integer ")
        && let Some((number, kind)) = rest.split_once(", expected ")
    {
        let range = match kind {
            "u8" => " from 0 to 255",
            "u16" => " from 0 to 65535",
            "u32" => " from 0 to 4294967295",
            _ => " that is not negative",
        };
        return format!("found {number}, expected a whole number{range}");
    }
    shorten(message)
}

/// The candidate that most resembles `name`; one with the same last part in another section comes
/// first. Empty only if there is no candidate.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |candidate: &str| {
        let whole = strsim::normalized_damerau_levenshtein(name, candidate);
        let part = strsim::normalized_damerau_levenshtein(&last(name), &last(candidate));
        whole.max(part * 0.95)
    };
    candidates.max_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or_default()
}

/// Cuts a foreign text and drops what could steer a terminal.
pub(super) fn shorten(text: &str) -> String {
    let mut shown: String =
        text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    if text.chars().count() > SHOWN_CHARS_MAX {
        shown.push('…');
    }
    shown
}
