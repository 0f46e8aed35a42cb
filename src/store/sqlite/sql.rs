//! Every statement of the SQLite store, so that one test can look at all their query plans.
//! Parameters are `$1`, `$2`, …. Knows no types.
//!
//! Bits as in the migrations: 1 forward, 2 allow, 4 block, 8 reverse. `x % 4294967295 + 1` is
//! `model::roster::next_version` in SQL.

pub(super) const MIGRATIONS_TABLE: &str = "
    SELECT EXISTS
        (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations')";
pub(super) const LAST_MIGRATION: &str =
    "SELECT version FROM _sqlx_migrations ORDER BY version DESC LIMIT 1";
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
pub(super) const BEGIN_IMMEDIATE: &str = "BEGIN IMMEDIATE";
pub(super) const BACKUP: &str = "VACUUM INTO $1";

// Reading.

pub(super) const ACCOUNT_BY_ADDRESS: &str = "
    SELECT id, address, name, password, enabled, credential_epoch, list_version, privacy, prompt,
           created_at, inbox_unread, folders_unread
    FROM accounts LEFT JOIN mailboxes ON account_id = id WHERE address = $1";
pub(super) const ACCOUNT_BY_ID: &str = "
    SELECT id, address, name, password, enabled, credential_epoch, list_version, privacy, prompt,
           created_at, inbox_unread, folders_unread,
           EXISTS (SELECT 1 FROM alert_recipients AS r WHERE r.account_id = id) AS has_alerts
    FROM accounts LEFT JOIN mailboxes ON mailboxes.account_id = id WHERE id = $1";
/// This and `STANDINGS` mean to read a whole table.
pub(super) const ACCOUNTS: &str = "
    SELECT id, address, name, password, enabled, credential_epoch, list_version, privacy, prompt,
           created_at, inbox_unread, folders_unread
    FROM accounts LEFT JOIN mailboxes ON account_id = id ORDER BY address";
pub(super) const STANDINGS: &str = "SELECT id, enabled FROM accounts";
pub(super) const STANDING_CHANGES: &str = "SELECT number FROM standing_changes WHERE id = 1";
pub(super) const CHANGE_STANDINGS: &str =
    "UPDATE standing_changes SET number = number + 1 WHERE id = 1";
pub(super) const CIRCLE: &str = "
    SELECT contact_id, list_bits FROM contacts
    WHERE owner_id = $1 AND list_bits & 7 <> 0 ORDER BY id";
/// `$2` is the caller, who may be on none of the lists, or gone.
pub(super) const CALLEE: &str = "
    SELECT a.id, a.enabled, a.privacy, COALESCE(c.list_bits, 0), COALESCE(b.enabled, 0)
    FROM accounts AS a
    LEFT JOIN contacts AS c ON c.owner_id = a.id AND c.contact_id = $2
    LEFT JOIN accounts AS b ON b.id = $2
    WHERE a.address = $1";
pub(super) const GROUPS: &str =
    "SELECT group_id, name FROM contact_groups WHERE account_id = $1 ORDER BY group_id";
pub(super) const PROPERTIES: &str = "SELECT key, value FROM properties WHERE account_id = $1";
pub(super) const CONTACTS: &str = "
    SELECT c.contact_id, a.address, c.name, c.list_bits, c.group_bits
    FROM contacts AS c JOIN accounts AS a ON a.id = c.contact_id
    WHERE c.owner_id = $1 ORDER BY c.id";
/// Properties of everybody on the owner's forward list who lets the owner see them. Their own
/// entry for the owner exists: it carries at least the reverse bit.
pub(super) const CONTACT_PROPERTIES: &str = "
    SELECT p.account_id, p.key, p.value
    FROM contacts AS c
    JOIN accounts AS a ON a.id = c.contact_id
    JOIN contacts AS back ON back.owner_id = c.contact_id AND back.contact_id = c.owner_id
    JOIN properties AS p ON p.account_id = c.contact_id
    WHERE c.owner_id = $1 AND c.list_bits & 1 <> 0
      AND back.list_bits & 4 = 0 AND (a.privacy = 'AL' OR back.list_bits & 2 <> 0)";

// Edits.

pub(super) const OWNER: &str =
    "SELECT name, list_version, privacy, prompt FROM accounts WHERE id = $1";
pub(super) const PERSON: &str = "SELECT id, privacy FROM accounts WHERE address = $1";
pub(super) const ENTRY: &str =
    "SELECT list_bits, group_bits, name FROM contacts WHERE owner_id = $1 AND contact_id = $2";
pub(super) const GROUP_BITS: &str =
    "SELECT COALESCE(SUM(1 << group_id), 0) FROM contact_groups WHERE account_id = $1";
pub(super) const GROUP_NAME: &str =
    "SELECT name FROM contact_groups WHERE account_id = $1 AND group_id = $2";
pub(super) const LIST_COUNTS: &str = "
    SELECT COUNT(*) FILTER (WHERE list_bits & 1 <> 0), COUNT(*) FILTER (WHERE list_bits & 6 <> 0)
    FROM contacts WHERE owner_id = $1";
pub(super) const SET_VERSION: &str = "UPDATE accounts SET list_version = $2 WHERE id = $1";
pub(super) const BUMP: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id = $1 RETURNING list_version";
/// A new entry, or new bits and a new name for the one that is there.
pub(super) const ENTER: &str = "
    INSERT INTO contacts (owner_id, contact_id, list_bits, group_bits, name)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET
        list_bits = excluded.list_bits, group_bits = excluded.group_bits, name = excluded.name";
pub(super) const SAVE_ENTRY: &str = "
    UPDATE contacts SET list_bits = $3, group_bits = $4 WHERE owner_id = $1 AND contact_id = $2";
pub(super) const DROP_ENTRY: &str = "DELETE FROM contacts WHERE owner_id = $1 AND contact_id = $2";
/// `$1` now has `$2` on the reverse list, under the name `$3` if the entry is new.
pub(super) const MARK_REVERSE: &str = "
    INSERT INTO contacts (owner_id, contact_id, list_bits, group_bits, name)
    VALUES ($1, $2, 8, 0, $3)
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET list_bits = list_bits | 8";
pub(super) const RENAME_CONTACT: &str =
    "UPDATE contacts SET name = $3 WHERE owner_id = $1 AND contact_id = $2";
pub(super) const RENAME: &str = "UPDATE accounts SET name = $2 WHERE id = $1";
pub(super) const SET_PRIVACY: &str = "UPDATE accounts SET privacy = $2 WHERE id = $1";
pub(super) const SET_PROMPT: &str = "UPDATE accounts SET prompt = $2 WHERE id = $1";

pub(super) const ADD_GROUP: &str =
    "INSERT INTO contact_groups (account_id, group_id, name) VALUES ($1, $2, $3)";
pub(super) const RENAME_GROUP: &str =
    "UPDATE contact_groups SET name = $3 WHERE account_id = $1 AND group_id = $2";
pub(super) const DROP_GROUP: &str =
    "DELETE FROM contact_groups WHERE account_id = $1 AND group_id = $2";

// Removing a group, `$2` being its bit: those in no other group leave the forward list. The steps
// run in this order; the first four find those people by their only group.
pub(super) const BUMP_DROPPED: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <> $1 AND id IN
        (SELECT contact_id FROM contacts WHERE owner_id = $1 AND group_bits = $2)
    RETURNING id, list_version";
pub(super) const IS_OWN_DROPPED: &str = "
    SELECT EXISTS (SELECT 1 FROM contacts
                   WHERE owner_id = $1 AND contact_id = $1 AND group_bits = $2)";
pub(super) const DROPPED_FORGET_OWNER: &str = "
    DELETE FROM contacts WHERE contact_id = $1 AND list_bits = 8 AND owner_id IN
        (SELECT contact_id FROM contacts WHERE owner_id = $1 AND group_bits = $2)";
pub(super) const DROPPED_UNMARK_OWNER: &str = "
    UPDATE contacts SET list_bits = list_bits & ~8
    WHERE contact_id = $1 AND owner_id IN
        (SELECT contact_id FROM contacts WHERE owner_id = $1 AND group_bits = $2)";
pub(super) const FORGET_DROPPED: &str =
    "DELETE FROM contacts WHERE owner_id = $1 AND group_bits = $2 AND list_bits = 1";
pub(super) const UNMARK_DROPPED: &str = "
    UPDATE contacts SET list_bits = list_bits & ~1, group_bits = 0
    WHERE owner_id = $1 AND group_bits = $2";
pub(super) const LEAVE_GROUP: &str = "
    UPDATE contacts SET group_bits = group_bits & ~$2
    WHERE owner_id = $1 AND group_bits & $2 <> 0";

// Properties. Those who watch the owner are on the owner's reverse list, so the owner's own
// entries tell both who watches and who is allowed to; `$2` is the owner's privacy.
pub(super) const PROPERTY: &str = "SELECT value FROM properties WHERE account_id = $1 AND key = $2";
pub(super) const PUT_PROPERTY: &str = "
    INSERT INTO properties (account_id, key, value) VALUES ($1, $2, $3)
    ON CONFLICT (account_id, key) DO UPDATE SET value = excluded.value";
pub(super) const DROP_PROPERTY: &str = "DELETE FROM properties WHERE account_id = $1 AND key = $2";
pub(super) const BUMP_WATCHERS: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <> $1 AND id IN
        (SELECT contact_id FROM contacts
         WHERE owner_id = $1 AND list_bits & 8 <> 0 AND list_bits & 4 = 0
           AND ($2 = 'AL' OR list_bits & 2 <> 0))
    RETURNING id, list_version";

// Accounts.

pub(super) const SET_PASSWORD: &str = "
    UPDATE accounts SET password = $2, credential_epoch = credential_epoch % 4294967295 + 1
    WHERE address = $1";
pub(super) const SET_ENABLED: &str = "
    UPDATE accounts SET enabled = $2, credential_epoch = credential_epoch % 4294967295 + 1
    WHERE address = $1";
pub(super) const BUMP_LISTERS: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <> $1 AND id IN (SELECT owner_id FROM contacts WHERE contact_id = $1)";
pub(super) const REMOVE_ACCOUNT: &str = "DELETE FROM accounts WHERE id = $1";

// Making many accounts: `$1` is a JSON array of rows, so that one call carries hundreds of them.
// CROSS JOIN keeps the order of the rows, which becomes the order of the lists.
pub(super) const LAST_ACCOUNT: &str = "SELECT COALESCE(MAX(id), 0) FROM accounts";
pub(super) const FIRST_TAKEN: &str = "
    SELECT a.address FROM json_each($1) AS j CROSS JOIN accounts AS a ON a.address = j.value ->> 0
    LIMIT 1";
pub(super) const INSERT_ACCOUNTS: &str = "
    INSERT INTO accounts
        (address, name, password, list_version, privacy, prompt, enabled, created_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
           value ->> 6, COALESCE(value ->> 7, unixepoch())
    FROM json_each($1)";
pub(super) const INSERT_GROUPS: &str = "
    INSERT INTO contact_groups (account_id, group_id, name)
    SELECT a.id, j.value ->> 1, j.value ->> 2
    FROM json_each($1) AS j CROSS JOIN accounts AS a ON a.address = j.value ->> 0";
pub(super) const INSERT_PROPERTIES: &str = "
    INSERT INTO properties (account_id, key, value)
    SELECT a.id, j.value ->> 1, j.value ->> 2
    FROM json_each($1) AS j CROSS JOIN accounts AS a ON a.address = j.value ->> 0";
pub(super) const FIRST_MISSING: &str = "
    SELECT j.value ->> 1 FROM json_each($1) AS j
    WHERE NOT EXISTS (SELECT 1 FROM accounts AS a WHERE a.address = j.value ->> 1) LIMIT 1";
pub(super) const INSERT_CONTACTS: &str = "
    INSERT INTO contacts (owner_id, contact_id, name, list_bits, group_bits)
    SELECT o.id, c.id, j.value ->> 2, j.value ->> 3, j.value ->> 4
    FROM json_each($1) AS j
    CROSS JOIN accounts AS o ON o.address = j.value ->> 0
    CROSS JOIN accounts AS c ON c.address = j.value ->> 1";
/// `$1` is the last account there was before: everybody after it is new. The `+` keeps SQLite from
/// walking the whole table just because it is in that order.
pub(super) const MARK_NEW_REVERSE: &str = "
    INSERT INTO contacts (owner_id, contact_id, name, list_bits, group_bits)
    SELECT f.contact_id, f.owner_id, o.name, 8, 0
    FROM contacts AS f JOIN accounts AS o ON o.id = f.owner_id
    WHERE f.owner_id > $1 AND f.list_bits & 1 <> 0 ORDER BY +f.id
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET list_bits = list_bits | 8";
pub(super) const BUMP_NEWLY_WATCHED: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <= $1 AND id IN
        (SELECT contact_id FROM contacts WHERE owner_id > $1 AND list_bits & 1 <> 0)";
pub(super) const FIRST_FALSE_REVERSE: &str = "
    SELECT o.address, c.address
    FROM contacts AS r
    JOIN accounts AS o ON o.id = r.owner_id JOIN accounts AS c ON c.id = r.contact_id
    WHERE r.owner_id > $1 AND r.list_bits & 8 <> 0 AND NOT EXISTS
        (SELECT 1 FROM contacts AS f
         WHERE f.owner_id = r.contact_id AND f.contact_id = r.owner_id AND f.list_bits & 1 <> 0)
    LIMIT 1";

// Replacing the account `$1`: its own rows go, those of the file come, and the reverse lists of
// others are made to agree. These run for each account in turn.
pub(super) const REPLACED: &str = "SELECT id, list_version FROM accounts WHERE address = $1";
pub(super) const DROP_GROUPS: &str = "DELETE FROM contact_groups WHERE account_id = $1";
pub(super) const DROP_PROPERTIES: &str = "DELETE FROM properties WHERE account_id = $1";
pub(super) const DROP_CONTACTS: &str = "DELETE FROM contacts WHERE owner_id = $1";
pub(super) const FALSE_REVERSE: &str = "
    SELECT c.address
    FROM contacts AS r JOIN accounts AS c ON c.id = r.contact_id
    WHERE r.owner_id = $1 AND r.list_bits & 8 <> 0 AND NOT EXISTS
        (SELECT 1 FROM contacts AS f
         WHERE f.owner_id = r.contact_id AND f.contact_id = r.owner_id AND f.list_bits & 1 <> 0)
    LIMIT 1";
pub(super) const BUMP_NO_LONGER_WATCHED: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <> $1 AND id IN
        (SELECT r.owner_id FROM contacts AS r
         WHERE r.contact_id = $1 AND r.list_bits & 8 <> 0 AND NOT EXISTS
             (SELECT 1 FROM contacts AS f
              WHERE f.owner_id = $1 AND f.contact_id = r.owner_id AND f.list_bits & 1 <> 0))";
pub(super) const FORGET_NO_LONGER_WATCHED: &str = "
    DELETE FROM contacts WHERE contact_id = $1 AND list_bits = 8 AND NOT EXISTS
        (SELECT 1 FROM contacts AS f
         WHERE f.owner_id = $1 AND f.contact_id = contacts.owner_id AND f.list_bits & 1 <> 0)";
pub(super) const UNMARK_NO_LONGER_WATCHED: &str = "
    UPDATE contacts SET list_bits = list_bits & ~8
    WHERE contact_id = $1 AND list_bits & 8 <> 0 AND NOT EXISTS
        (SELECT 1 FROM contacts AS f
         WHERE f.owner_id = $1 AND f.contact_id = contacts.owner_id AND f.list_bits & 1 <> 0)";
pub(super) const BUMP_NOW_WATCHED: &str = "
    UPDATE accounts SET list_version = list_version % 4294967295 + 1
    WHERE id <> $1 AND id IN
        (SELECT f.contact_id FROM contacts AS f
         WHERE f.owner_id = $1 AND f.list_bits & 1 <> 0 AND NOT EXISTS
             (SELECT 1 FROM contacts AS r
              WHERE r.owner_id = f.contact_id AND r.contact_id = $1 AND r.list_bits & 8 <> 0))";
pub(super) const MARK_NOW_WATCHED: &str = "
    INSERT INTO contacts (owner_id, contact_id, name, list_bits, group_bits)
    SELECT f.contact_id, f.owner_id, o.name, 8, 0
    FROM contacts AS f JOIN accounts AS o ON o.id = f.owner_id
    WHERE f.owner_id = $1 AND f.list_bits & 1 <> 0 ORDER BY +f.id
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET list_bits = list_bits | 8";
pub(super) const MARK_WATCHERS: &str = "
    INSERT INTO contacts (owner_id, contact_id, name, list_bits, group_bits)
    SELECT f.contact_id, f.owner_id, o.name, 8, 0
    FROM contacts AS f JOIN accounts AS o ON o.id = f.owner_id
    WHERE f.contact_id = $1 AND f.list_bits & 1 <> 0 ORDER BY +f.id
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET list_bits = list_bits | 8";
pub(super) const REPLACE_ACCOUNT: &str = "
    UPDATE accounts
    SET name = $2, password = $3, enabled = $4, list_version = $5, privacy = $6, prompt = $7,
        created_at = COALESCE($8, created_at),
        credential_epoch = credential_epoch % 4294967295 + 1
    WHERE id = $1";

// Alerts and mailboxes.

/// Before the alerts themselves, to know how many there were.
pub(super) const PURGE_RECIPIENTS: &str = "
    DELETE FROM alert_recipients WHERE alert_id IN (
        SELECT id FROM alerts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
pub(super) const PURGE_ALERTS: &str = "
    DELETE FROM alerts WHERE id IN (
        SELECT id FROM alerts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
pub(super) const ADD_ALERT: &str = "
    INSERT INTO alerts
        (created_at, expires_at, site_id, site_url, action_url, subscribe_url, icon, lang,
         priority, text, html)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
pub(super) const WAITING_COUNT: &str = "
    SELECT a.id,
           (SELECT COUNT(*) FROM alert_recipients AS r CROSS JOIN alerts AS w ON w.id = r.alert_id
            WHERE r.account_id = a.id AND w.expires_at > $2)
    FROM accounts AS a WHERE a.address = $1";
pub(super) const ADD_RECIPIENT: &str =
    "INSERT INTO alert_recipients (account_id, alert_id) VALUES ($1, $2)";
/// The account behind another one, past so many.
pub(super) const END_OF_PART: &str =
    "SELECT id FROM accounts WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2";
/// Accounts behind one and up to another for which as many wait as usually may.
pub(super) const FULL_IN_PART: &str = "
    SELECT a.id FROM accounts AS a
    WHERE a.id > $1 AND a.id <= $2 AND a.enabled = 1
      AND (SELECT COUNT(*) FROM alert_recipients AS r CROSS JOIN alerts AS w ON w.id = r.alert_id
           WHERE r.account_id = a.id AND w.expires_at > $3) BETWEEN $4 AND $5";
/// All others of these accounts.
pub(super) const ADD_PART: &str = "
    INSERT INTO alert_recipients (account_id, alert_id)
    SELECT a.id, $5 FROM accounts AS a
    WHERE a.id > $1 AND a.id <= $2 AND a.enabled = 1
      AND (SELECT COUNT(*) FROM alert_recipients AS r CROSS JOIN alerts AS w ON w.id = r.alert_id
           WHERE r.account_id = a.id AND w.expires_at > $3) < $4
    RETURNING account_id";
pub(super) const WAITING_ALERTS: &str = "
    SELECT a.id, a.site_id, a.site_url, a.action_url, a.subscribe_url, a.icon, a.lang, a.priority,
           a.text, a.html
    FROM alert_recipients AS r CROSS JOIN alerts AS a ON a.id = r.alert_id
    WHERE r.account_id = $1 AND a.expires_at > $2 ORDER BY r.alert_id";
pub(super) const SETTLE_ALERT: &str =
    "DELETE FROM alert_recipients WHERE account_id = $1 AND alert_id = $2";
pub(super) const DROP_SETTLED_ALERT: &str = "
    DELETE FROM alerts
    WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM alert_recipients WHERE alert_id = $1)";
pub(super) const MAILBOX: &str = "
    SELECT id, inbox_unread, folders_unread
    FROM accounts LEFT JOIN mailboxes ON account_id = id WHERE address = $1";
pub(super) const ADD_MAILBOX: &str = "
    INSERT INTO mailboxes (account_id, inbox_unread, folders_unread) VALUES ($1, 0, 0)
    ON CONFLICT (account_id) DO NOTHING";
pub(super) const DROP_MAILBOX: &str = "DELETE FROM mailboxes WHERE account_id = $1";
pub(super) const SET_UNREAD: &str =
    "UPDATE mailboxes SET inbox_unread = $2, folders_unread = $3 WHERE account_id = $1";
pub(super) const INSERT_MAILBOXES: &str = "
    INSERT INTO mailboxes (account_id, inbox_unread, folders_unread)
    SELECT a.id, j.value ->> 1, j.value ->> 2
    FROM json_each($1) AS j CROSS JOIN accounts AS a ON a.address = j.value ->> 0";
pub(super) const TAKES_PAGES: &str = "
    SELECT id, EXISTS (SELECT 1 FROM properties AS e
                       WHERE e.account_id = id AND e.key = 'MBE' AND e.value = 'Y')
           AND EXISTS (SELECT 1 FROM properties AS o
                       WHERE o.account_id = id AND o.key = 'MOB' AND o.value = 'Y')
    FROM accounts WHERE address = $1";

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

    /// The statements of this file, read from its own text: none can be forgotten.
    fn statements() -> Vec<(String, String)> {
        let text = include_str!("sql.rs").split("#[cfg(test)]").next().unwrap();
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
        let mut folders =
            vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        assert!(files.iter().any(|file| file.ends_with("sqlite/desk.rs")), "{files:?}");
        let is_test =
            |file: &std::path::Path| file.ends_with("tests.rs") || file.ends_with("sql.rs");
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
                    let is_named =
                        argument.starts_with("sql::") || argument.starts_with("statement)");
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
        for (name, sql) in statements {
            if ["BACKUP", "BEGIN_IMMEDIATE", "CHECKPOINT"].contains(&name.as_str()) {
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
                    && !WHOLE_TABLES.contains(&name.as_str());
                assert!(!whole, "{name} reads a whole table: {step}");
                // An index made for one statement is made from the whole table.
                assert!(!step.contains("AUTOMATIC"), "{name} lacks an index: {step}");
            }
        }
    }
}
