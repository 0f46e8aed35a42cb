//! Every statement is looked at: where it stands, and whether it finds its rows by index.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// The statements of this file, read from its own text: none can be forgotten.
fn statements() -> Vec<(String, String)> {
    let text = include_str!("../sql.rs").split("#[cfg(test)]").next().unwrap();
    let statements: Vec<_> = text
        .split("pub(super) const ")
        .skip(1)
        .map(|item| {
            let (name, rest) = item.split_once(": &str").unwrap();
            // One literal, from the equals sign to the semicolon: nothing is put together.
            let (literal, _) = rest.split_once("\";").unwrap();
            let (_, sql) = literal.split_once('"').unwrap();
            assert!(!sql.contains(['"', '{']), "{name} is more than one literal");
            (name.to_owned(), sql.to_owned())
        })
        .collect();
    let items = text.lines().filter(|line| line.contains("const ") || line.contains("static "));
    assert_eq!(statements.len(), items.count(), "an item that is no statement");
    statements
}

/// SQL elsewhere would escape the test below: whatever is sent to the database is a constant of
/// this file, in every file there is.
#[test]
fn no_other_file_holds_sql() {
    let mut files = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(files.iter().any(|file| file.ends_with("sqlite/desk.rs")), "{files:?}");
    let is_test = |file: &std::path::Path| file.ends_with("tests.rs") || file.ends_with("sql.rs");
    for file in files.iter().filter(|file| !is_test(file)) {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "REPLACE INTO", "PRAGMA "] {
            assert!(!code.contains(word), "{} holds SQL of its own: {word:?}", file.display());
        }
        for call in ["query(", "query_as(", "query_scalar(", "raw_sql(", "begin_with("] {
            for argument in code.split(call).skip(1) {
                let argument = argument.trim_start();
                let is_named = argument.starts_with("sql::") || argument.starts_with("statement)");
                let is_ours = is_named || !code.contains("sqlx");
                assert!(is_ours, "{}: {call}{argument:.40}", file.display());
            }
        }
    }
}

/// Calls are frequent and lists long: one row of the callee's, found by both its columns, and
/// one of the caller.
#[tokio::test]
async fn a_callee_is_looked_up_without_its_lists() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    super::super::schema::MIGRATOR.run_direct(None, &mut conn, false).await.unwrap();
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", super::CALLEE));
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explained).fetch_all(&mut conn).await.unwrap();
    let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(steps[0].ends_with("(address=?)"), "{steps:?}");
    assert!(steps[1].contains("(owner_id=? AND contact_id=?)"), "{steps:?}");
    assert!(steps[2].contains("(rowid=?)"), "{steps:?}");
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_index() {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    super::super::schema::MIGRATOR.run_direct(None, &mut conn, false).await.unwrap();
    let statements = statements();
    let single =
        statements.iter().flat_map(|(name, sql)| sql.split(';').map(move |sql| (name, sql)));
    for (name, sql) in single {
        if ["BACKUP", "BEGIN_IMMEDIATE", "CHECKPOINT", "WRITE_AHEAD"].contains(&name.as_str()) {
            continue;
        }
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(&mut conn)
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (_, _, _, step) in plan {
            // The parameter's own JSON rows and single values are no tables; looking at the
            // list of tables or of migrations, or going through all accounts, is meant to.
            const WHOLE_TABLES: [&str; 4] =
                ["MIGRATIONS_TABLE", "LAST_MIGRATION", "ACCOUNTS", "STANDINGS"];
            let whole = step.starts_with("SCAN ")
                && !step.contains("VIRTUAL TABLE")
                && !step.contains("CONSTANT ROW")
                && !step.contains("VALUES CLAUSE")
                && !WHOLE_TABLES.contains(&name.as_str());
            assert!(!whole, "{name} reads a whole table: {step}");
            // An index made for one statement is made from the whole table.
            assert!(!step.contains("AUTOMATIC"), "{name} lacks an index: {step}");
        }
    }
}
