-- Ids are 16 bytes. Columns ending in _at are wall-clock milliseconds since
-- 1970; due, expires, seen and logged are milliseconds of the store's own time,
-- which only grows. A pair key_row, key_id names a key in the keyring.

CREATE TABLE store (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    store_id     BLOB    NOT NULL,
    normaliser   INTEGER NOT NULL,
    phone_region TEXT,            -- NULL until first use fixes it; '' is none
    base_url     TEXT    NOT NULL DEFAULT '' -- of the last server; '' before the first
);

CREATE TABLE secrets (
    name    TEXT PRIMARY KEY,     -- lookup, suppression, waiting, digest
    key_row INTEGER NOT NULL,
    key_id  BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TABLE heartbeat (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    boot       TEXT    NOT NULL,
    boottime   INTEGER NOT NULL,
    wall       INTEGER NOT NULL,
    store      INTEGER NOT NULL,
    hold_from  INTEGER NOT NULL,
    hold_until INTEGER NOT NULL
);

-- Identifier keys and sources by number, so that five million rows stay small.
CREATE TABLE identifier_keys (
    id     INTEGER PRIMARY KEY,
    table_ TEXT NOT NULL,
    name   TEXT NOT NULL,
    UNIQUE (table_, name)
);

CREATE TABLE sources (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- leads_to is set on a former User ID: the profile it was merged into.
-- No number is used again: a read of several statements must not meet another.
CREATE TABLE profiles (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    efface_id  BLOB    NOT NULL UNIQUE,
    table_     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    leads_to   INTEGER
);
CREATE INDEX profiles_leads_to ON profiles (leads_to) WHERE leads_to IS NOT NULL;

-- The profiles that are being erased, which count as absent. A table of its
-- own, for a claim of many should not write a page of profiles for each.
CREATE TABLE claimed (
    profile INTEGER PRIMARY KEY
);

-- What one source told of a profile. A merge moves profile and nothing else.
CREATE TABLE fragments (
    id          INTEGER PRIMARY KEY,
    profile     INTEGER NOT NULL,
    source      INTEGER NOT NULL,
    key_row     INTEGER NOT NULL,
    key_id      BLOB    NOT NULL,
    identifiers INTEGER NOT NULL DEFAULT 0,  -- the number of the last one
    traits      INTEGER NOT NULL DEFAULT 0,
    records     INTEGER NOT NULL DEFAULT 0,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL
);
CREATE INDEX fragments_profile ON fragments (profile);

-- Clustered by fragment: an erasure reads and deletes neighbours.
CREATE TABLE identifiers (
    fragment INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    key      INTEGER NOT NULL,
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (fragment, n)
) WITHOUT ROWID;

CREATE TABLE traits (
    fragment INTEGER PRIMARY KEY,
    sealed   BLOB NOT NULL
);

CREATE TABLE records (
    fragment INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (fragment, n)
) WITHOUT ROWID;

-- Keyed digests of message ids and rows seen, so that a repeat adds nothing.
CREATE TABLE messages (
    fragment INTEGER NOT NULL,
    digest   BLOB    NOT NULL,
    PRIMARY KEY (fragment, digest)
) WITHOUT ROWID;

-- The blind index: derived from identifiers, and can be rebuilt from them.
CREATE TABLE lookup (
    key     INTEGER NOT NULL,
    mac     BLOB    NOT NULL,
    profile INTEGER NOT NULL,
    PRIMARY KEY (key, mac, profile)
) WITHOUT ROWID;
CREATE INDEX lookup_profile ON lookup (profile, key);

-- Merges that an open request stopped, to be tried again after a cancel.
CREATE TABLE refused_merges (
    profile INTEGER NOT NULL,
    other   INTEGER NOT NULL,
    alias   INTEGER NOT NULL,    -- 1 where an alias asked for it
    PRIMARY KEY (profile, other)
) WITHOUT ROWID;
CREATE INDEX refused_merges_other ON refused_merges (other);

-- A request is the job: there is no second queue. profile is set while the
-- profile exists; waiting is the fingerprint of an identifier that nothing is
-- known of; joined is the request this one changes state with.
CREATE TABLE requests (
    id                BLOB    PRIMARY KEY,
    batch             BLOB,
    table_            TEXT    NOT NULL,
    profile           INTEGER,
    efface_id         BLOB,
    waiting           BLOB,
    joined            BLOB,
    state             TEXT    NOT NULL,
    origin            TEXT    NOT NULL,
    actor_kind        TEXT    NOT NULL,
    actor_id          BLOB    NOT NULL,
    reference         TEXT    NOT NULL DEFAULT '',
    suppress          INTEGER NOT NULL,
    requested_at      INTEGER NOT NULL,
    cancel_before     INTEGER NOT NULL,
    due               INTEGER NOT NULL,
    started_at        INTEGER NOT NULL DEFAULT 0,
    keys_destroyed_at INTEGER NOT NULL DEFAULT 0,
    finished_at       INTEGER NOT NULL DEFAULT 0,
    finished          INTEGER NOT NULL DEFAULT 0,  -- the same in store time
    identifiers       INTEGER NOT NULL DEFAULT 0,
    records           INTEGER NOT NULL DEFAULT 0,
    attempts          INTEGER NOT NULL DEFAULT 0,
    retry             INTEGER NOT NULL DEFAULT 0,  -- store time of the next try
    last_error        TEXT    NOT NULL DEFAULT '',
    key_row           INTEGER,                     -- NULL once destroyed
    key_id            BLOB,
    asked             BLOB,
    reason            BLOB
);
CREATE UNIQUE INDEX requests_one_open ON requests (profile)
    WHERE state IN ('pending', 'in_progress', 'failed') AND joined IS NULL AND profile IS NOT NULL;
CREATE UNIQUE INDEX requests_one_waiting ON requests (waiting)
    WHERE state = 'pending' AND waiting IS NOT NULL AND profile IS NULL;
CREATE INDEX requests_due ON requests (due) WHERE state = 'pending' AND joined IS NULL;
CREATE INDEX requests_profile ON requests (profile) WHERE profile IS NOT NULL;
CREATE INDEX requests_joined ON requests (joined) WHERE joined IS NOT NULL;
CREATE INDEX requests_efface_id ON requests (efface_id) WHERE efface_id IS NOT NULL;
CREATE INDEX requests_reference ON requests (reference) WHERE reference <> '';
CREATE INDEX requests_batch ON requests (batch) WHERE batch IS NOT NULL;
CREATE INDEX requests_state ON requests (state, id);
CREATE INDEX requests_origin ON requests (origin, id);
CREATE INDEX requests_keys ON requests (state, finished) WHERE key_row IS NOT NULL AND state = 'cancelled';

-- What a claim fixed to be destroyed and deleted.
CREATE TABLE erasure_keys (
    request BLOB    NOT NULL,
    key_row INTEGER NOT NULL,
    key_id  BLOB    NOT NULL,
    PRIMARY KEY (request, key_id)
) WITHOUT ROWID;

CREATE TABLE suppressions (
    mac        BLOB    NOT NULL PRIMARY KEY,
    table_     TEXT    NOT NULL,
    key        INTEGER NOT NULL,
    request    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) WITHOUT ROWID;

-- The deletion log. The hash of an entry outlives its content.
CREATE TABLE log_hashes (
    idx  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
);
CREATE TABLE log_entries (
    idx     INTEGER PRIMARY KEY,
    logged  INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    request BLOB,
    entry   BLOB    NOT NULL
);
CREATE INDEX log_entries_request ON log_entries (request) WHERE request IS NOT NULL;
-- Salt and value of an entry's subject, sealed under a key that dies with the person.
CREATE TABLE log_subjects (
    idx     INTEGER PRIMARY KEY,
    key_row INTEGER NOT NULL,
    key_id  BLOB    NOT NULL,
    sealed  BLOB    NOT NULL
);

CREATE TRIGGER log_hashes_kept BEFORE DELETE ON log_hashes
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;
CREATE TRIGGER log_hashes_fixed BEFORE UPDATE ON log_hashes
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;
CREATE TRIGGER log_entries_fixed BEFORE UPDATE ON log_entries
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;
-- Content may go only once its retention, at least 24 months, has passed by
-- the store's time: a wall clock set years ahead takes nothing.
CREATE TRIGGER log_entries_kept BEFORE DELETE ON log_entries
WHEN OLD.logged > (SELECT store FROM heartbeat) - 730 * 86400000
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;

CREATE TABLE operators (
    id           BLOB    PRIMARY KEY,
    email        TEXT    NOT NULL UNIQUE,
    role         TEXT    NOT NULL,
    disabled     INTEGER NOT NULL DEFAULT 0,
    password     TEXT    NOT NULL DEFAULT '',   -- argon2id; '' until a link was used
    created_at   INTEGER NOT NULL,
    last_sign_in INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE sessions (
    hash       BLOB    PRIMARY KEY,             -- SHA-256 of the id in the cookie
    id         BLOB    NOT NULL UNIQUE,
    operator   BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    seen       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_operator ON sessions (operator);

-- One-time links: to set up the first admin (operator NULL), to sign in to a
-- demo, or to set a password.
CREATE TABLE links (
    hash     BLOB    PRIMARY KEY,
    purpose  TEXT    NOT NULL,
    operator BLOB,
    expires  INTEGER NOT NULL
) WITHOUT ROWID;

-- Failed sign-ins, by a keyed digest of the account or the address.
CREATE TABLE sign_in_failures (
    who     BLOB    PRIMARY KEY,
    count   INTEGER NOT NULL,
    last    INTEGER NOT NULL
) WITHOUT ROWID;

-- A look-up that led to several profiles: User IDs only, for one session.
CREATE TABLE finds (
    id      BLOB    PRIMARY KEY,
    session BLOB    NOT NULL,
    matches TEXT    NOT NULL,                   -- JSON array of User IDs
    expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
    id         BLOB    PRIMARY KEY,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    scopes     TEXT    NOT NULL,                -- comma separated
    account_id TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER NOT NULL DEFAULT 0,
    last_used  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_live ON api_keys (name) WHERE revoked_at = 0;

-- Answers to calls that carried an Idempotency-Key, by keyed digests.
CREATE TABLE idempotency (
    digest  BLOB    PRIMARY KEY,                -- of API key and Idempotency-Key
    body    BLOB    NOT NULL,
    request BLOB,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- What the planner must know of a store of a million requests, from the first
-- one on: a state or an origin chooses little, everything else nearly one row.
ANALYZE;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('requests', 'requests_state', '1000000 200000 1'),
    ('requests', 'requests_origin', '1000000 200000 1'),
    ('requests', 'requests_profile', '1000000 1'),
    ('requests', 'requests_joined', '1000 1'),
    ('requests', 'requests_efface_id', '1000000 1'),
    ('requests', 'requests_reference', '1000000 2'),
    ('requests', 'requests_batch', '1000000 1000'),
    ('requests', 'requests_one_open', '10000 1'),
    ('requests', 'requests_one_waiting', '1000 1'),
    ('requests', 'requests_due', '10000 10'),
    ('requests', 'requests_keys', '10000 10000 10'),
    ('requests', 'sqlite_autoindex_requests_1', '1000000 1'),
    ('lookup', 'lookup_profile', '5000000 5 1'),
    ('fragments', 'fragments_profile', '1000000 1');
ANALYZE sqlite_schema;
