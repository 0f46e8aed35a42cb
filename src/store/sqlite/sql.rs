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
pub(super) const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL";
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
pub(super) const BEGIN_IMMEDIATE: &str = "BEGIN IMMEDIATE";
pub(super) const BACKUP: &str = "VACUUM INTO $1";

// Reading.

pub(super) const ACCOUNT_BY_ADDRESS: &str = "
    SELECT id, address, name, password, enabled, credential_epoch, list_version, created_at,
           inbox_unread, folders_unread
    FROM accounts LEFT JOIN mailboxes ON account_id = id WHERE address = $1";
/// This and `STANDINGS` mean to read a whole table.
pub(super) const ACCOUNTS: &str = "
    SELECT id, address, name, password, enabled, credential_epoch, list_version, created_at,
           inbox_unread, folders_unread
    FROM accounts LEFT JOIN mailboxes ON account_id = id ORDER BY address";
pub(super) const STANDINGS: &str = "SELECT id, enabled FROM accounts";
pub(super) const STANDING_CHANGES: &str = "SELECT number FROM standing_changes WHERE id = 1";
pub(super) const CHANGE_STANDINGS: &str =
    "UPDATE standing_changes SET number = number + 1 WHERE id = 1";
/// `$2` is the caller, who may be on none of the lists, or gone.
pub(super) const CALLEE: &str = "
    SELECT a.id, a.enabled, a.privacy, COALESCE(c.list_bits, 0), COALESCE(b.enabled, 0)
    FROM accounts AS a
    LEFT JOIN contacts AS c ON c.owner_id = a.id AND c.contact_id = $2
    LEFT JOIN accounts AS b ON b.id = $2
    WHERE a.address = $1";
/// The accounts of a JSON array with their lists, as one JSON text: a row of its own for each would
/// be a message between two threads, and each value a piece of memory that one of them takes and
/// the other gives back, which leaves holes in it. In no order, or each list would be a table of
/// its own. An entry has the properties of somebody on the forward list who lets the owner see
/// them; whether it has any is asked first, for few have. Its own entry for the owner exists: it
/// carries at least the reverse bit.
pub(super) const ROSTERS: &str = "
    SELECT json_group_array(json_array(
        json_array(a.id, a.address, a.name, a.password, a.enabled, a.credential_epoch,
            a.list_version, a.created_at, inbox_unread, folders_unread),
        EXISTS (SELECT 1 FROM alert_recipients AS r WHERE r.account_id = a.id),
        a.prompt, a.privacy,
        (SELECT json_group_array(json_array(key, value)) FROM properties WHERE account_id = a.id),
        (SELECT json_group_array(json_array(group_id, name))
         FROM contact_groups WHERE account_id = a.id),
        (SELECT json_group_array(
             json_array(c.id, c.contact_id, o.address, c.name, c.list_bits, c.group_bits,
                 CASE WHEN c.list_bits & 1 <> 0
                     AND EXISTS (SELECT 1 FROM properties WHERE account_id = c.contact_id)
                     AND EXISTS (SELECT 1 FROM contacts AS back
                                 WHERE back.owner_id = c.contact_id AND back.contact_id = a.id
                                   AND back.list_bits & 4 = 0
                                   AND (o.privacy = 'AL' OR back.list_bits & 2 <> 0)) THEN
                     (SELECT json_group_array(json_array(key, value))
                      FROM properties WHERE account_id = c.contact_id) END))
         FROM contacts AS c JOIN accounts AS o ON o.id = c.contact_id
         WHERE c.owner_id = a.id)))
    FROM json_each($1) AS j CROSS JOIN accounts AS a ON a.id = j.value
    LEFT JOIN mailboxes ON mailboxes.account_id = a.id";

// Edits.

/// All that edits must know, as one row of JSON. `$1` is a JSON array: for each edit the owner, the
/// handle of whom it is about (or null), and whether it may make a list longer, for only then it
/// matters how long the lists are and what that person would show. Entries are told apart only for
/// those who have at least `$2` in all; fewer are too few to fill a list.
pub(super) const AFFAIRS: &str = "
    SELECT json_group_array(json_array(
        a.name, a.list_version, a.privacy, a.prompt,
        (SELECT COALESCE(SUM(1 << group_id), 0) FROM contact_groups WHERE account_id = a.id),
        CASE WHEN j.value ->> 2
             AND (SELECT COUNT(*) FROM contacts WHERE owner_id = a.id) >= $2 THEN
            (SELECT json_array(COUNT(*) FILTER (WHERE list_bits & 1 <> 0),
                               COUNT(*) FILTER (WHERE list_bits & 6 <> 0))
             FROM contacts WHERE owner_id = a.id) END,
        o.id, o.list_version, o.privacy,
        mine.list_bits, mine.group_bits, mine.name, back.list_bits, back.group_bits, back.name,
        CASE WHEN j.value ->> 2 THEN
            (SELECT json_group_array(json_array(key, value)) FROM properties
             WHERE account_id = o.id) END) ORDER BY j.key)
    FROM json_each($1) AS j
    LEFT JOIN accounts AS a ON a.id = j.value ->> 0
    LEFT JOIN accounts AS o ON o.address = j.value ->> 1
    LEFT JOIN contacts AS mine ON mine.owner_id = a.id AND mine.contact_id = o.id
    LEFT JOIN contacts AS back ON back.owner_id = o.id AND back.contact_id = a.id";
pub(super) const PERSON: &str = "SELECT id, privacy FROM accounts WHERE address = $1";
pub(super) const SELF_ENTRY: &str =
    "SELECT list_bits, group_bits FROM contacts WHERE owner_id = $1 AND contact_id = $1";
pub(super) const GROUP_NAME: &str =
    "SELECT name FROM contact_groups WHERE account_id = $1 AND group_id = $2";
pub(super) const SET_VERSION: &str = "UPDATE accounts SET list_version = $2 WHERE id = $1";
/// What edits of contacts come to, as JSON: `$1` entries that are gone, `$2` entries as they are
/// now, `$3` list versions by account. Statements of one text are one message to the database's
/// thread. `OR FAIL` saves the copies that SQLite would need to take back a single statement: if
/// one fails, the whole transaction is rolled back.
pub(super) const SAVE: &str = "
    DELETE FROM contacts WHERE id IN
        (SELECT c.id FROM json_each($1) AS j
         CROSS JOIN contacts AS c ON c.owner_id = j.value ->> 0 AND c.contact_id = j.value ->> 1);
    INSERT INTO contacts (owner_id, contact_id, list_bits, group_bits, name)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each($2) WHERE 1
    ON CONFLICT (owner_id, contact_id) DO UPDATE SET
        list_bits = excluded.list_bits, group_bits = excluded.group_bits, name = excluded.name;
    UPDATE OR FAIL accounts SET list_version = j.value
    FROM json_each($3) AS j WHERE accounts.id = CAST(j.key AS INTEGER)";
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
mod tests;
