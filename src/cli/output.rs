//! Standard output that survives a reader who has seen enough, and the few forms in which we print.

use super::Failure;
use crate::model::name::is_deceptive;
use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    fmt::Display,
    io::{self, ErrorKind, Write as _},
    path::Path,
};

/// Prints `text` as it is. A closed pipe is no failure: the reader has what it wanted.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written.context("cannot write to standard output")?),
    }
}

/// Writes `text` to a new file that only its owner may read, whole or not at all; without a file it
/// is printed. Whether there is a file.
pub(super) fn write(file: Option<&Path>, text: &str) -> Result<bool, Failure> {
    let Some(file) = file else {
        print(text)?;
        return Ok(false);
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let written =
        tempfile::Builder::new().prefix(".msnd-").tempfile_in(folder).and_then(|mut new| {
            new.write_all(text.as_bytes())?;
            new.as_file().sync_all()?;
            Ok(new.persist_noclobber(file)?)
        });
    match written {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(anyhow!("{} exists already; name a new file", file.display()).into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {}", file.display()))?,
    }
}

/// `1 account`, `2 accounts`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The first few of them, and how many more there are.
pub(super) fn some<T: Display>(all: &[T]) -> String {
    const SHOWN_MAX: usize = 10;
    let shown: Vec<String> = all.iter().take(SHOWN_MAX).map(T::to_string).collect();
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Prints one JSON document on one line.
pub(super) fn print_json(document: &Value) -> Result<(), Failure> {
    print(&format!("{document}\n"))
}

/// Columns of equal width with two spaces between them; the first row is the heading. No cell can
/// change how another one looks.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let shown = |row: &[String; COLUMNS]| row.each_ref().map(|cell| visible(cell));
    let rows: Vec<[String; COLUMNS]> = rows.iter().map(shown).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Unix seconds as a date and time of day in UTC. A number beyond the year 9999, which no clock
/// has ever shown, is printed as it is.
pub(super) fn utc(secs: i64) -> String {
    match Timestamp::from_second(secs) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => secs.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_072_915_200, "2004-01-01 00:00"),
            (1_790_000_000, "2026-09-21 14:13"),
            (-1, "1969-12-31 23:59"),
            (i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(utc(secs), text);
        }
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<usize> = (1..=12).collect();
        assert_eq!(some(&names[..2]), "1, 2");
        assert_eq!(some(&names), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
        assert_eq!(
            (counted(1, "account"), counted(2, "account")),
            ("1 account".into(), "2 accounts".into())
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = [["A".into(), "B".into()], ["long".into(), "é".into()]];
        assert_eq!(table(&rows), "A     B\nlong  é\n");
    }

    #[test]
    fn no_name_turns_the_rest_of_its_line_around() {
        let rows = [["\u{202e}evil\u{2028}".into(), "ok".into()]];
        assert_eq!(table(&rows), "\\u{202e}evil\\u{2028}  ok\n");
    }
}
