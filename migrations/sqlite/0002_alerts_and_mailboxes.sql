-- Alerts that wait for their recipients, and mailboxes. An applied migration never changes.

CREATE TABLE alerts (
    -- AUTOINCREMENT: numbers rise for ever, so that a session can tell what is new to it.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    site_id       INTEGER NOT NULL CHECK (site_id BETWEEN 0 AND 4294967295),
    -- NULL: the site of the server.
    site_url      TEXT    CHECK (length(site_url) BETWEEN 1 AND 512),
    action_url    TEXT    NOT NULL CHECK (length(action_url) BETWEEN 1 AND 512),
    subscribe_url TEXT    NOT NULL CHECK (length(subscribe_url) BETWEEN 1 AND 512),
    icon          TEXT    CHECK (length(icon) BETWEEN 1 AND 512),
    lang          INTEGER NOT NULL CHECK (lang BETWEEN 1 AND 65535),
    priority      INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 9),
    text          TEXT    NOT NULL CHECK (length(text) BETWEEN 1 AND 1024),
    html          TEXT    CHECK (length(html) BETWEEN 1 AND 2048)
) STRICT;

CREATE INDEX alerts_by_expiry ON alerts (expires_at);

-- Who has still to receive what. A row goes when its client has said something after it.
CREATE TABLE alert_recipients (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    alert_id   INTEGER NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, alert_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_recipients_by_alert ON alert_recipients (alert_id);

-- Accounts that have a mailbox, and how many messages in it are unread.
CREATE TABLE mailboxes (
    account_id     INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    inbox_unread   INTEGER NOT NULL CHECK (inbox_unread BETWEEN 0 AND 1000000000),
    folders_unread INTEGER NOT NULL CHECK (folders_unread BETWEEN 0 AND 1000000000)
) STRICT;
