-- Accounts, their groups, lists and properties. An applied migration never changes.

CREATE TABLE accounts (
    -- AUTOINCREMENT: the number of a removed account is never given to somebody else.
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    address          TEXT    NOT NULL UNIQUE
                     CHECK (length(address) BETWEEN 3 AND 129 AND address = lower(address)),
    name             TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 387),
    password         TEXT    NOT NULL,
    enabled          INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    credential_epoch INTEGER NOT NULL DEFAULT 1 CHECK (credential_epoch BETWEEN 1 AND 4294967295),
    list_version     INTEGER NOT NULL CHECK (list_version BETWEEN 1 AND 4294967295),
    privacy          TEXT    NOT NULL CHECK (privacy IN ('AL', 'BL')),
    prompt           TEXT    NOT NULL CHECK (prompt IN ('A', 'N')),
    created_at       INTEGER NOT NULL
) STRICT;

-- One row. The number rises whenever an account is removed, disabled or enabled, so that a running
-- server notices what another process does.
CREATE TABLE standing_changes (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO standing_changes VALUES (1, 0);

CREATE TABLE contact_groups (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    group_id   INTEGER NOT NULL CHECK (group_id BETWEEN 0 AND 29),
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 387),
    PRIMARY KEY (account_id, group_id)
) STRICT, WITHOUT ROWID;

-- One row for each person on anybody's lists. Rising ids are the order of the list.
-- list_bits: 1 forward, 2 allow, 4 block, 8 reverse. The reverse bit of (B, A) always equals the
-- forward bit of (A, B).
CREATE TABLE contacts (
    id         INTEGER PRIMARY KEY,
    owner_id   INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    contact_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 387),
    list_bits  INTEGER NOT NULL CHECK (list_bits BETWEEN 1 AND 15 AND list_bits & 6 <> 6),
    group_bits INTEGER NOT NULL CHECK (group_bits BETWEEN 0 AND 1073741823),
    UNIQUE (owner_id, contact_id),
    CHECK ((list_bits & 1 <> 0) = (group_bits <> 0))
) STRICT;

CREATE INDEX contacts_by_contact ON contacts (contact_id);

CREATE TABLE properties (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL CHECK (length(key) = 3),
    value      TEXT    NOT NULL CHECK (length(value) BETWEEN 1 AND 95),
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
