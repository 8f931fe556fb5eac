-- The Merkle tree over log_hashes, which are its leaves (RFC 6962). A node's
-- number is its place among all hashes, as golang.org/x/mod/sumdb/tlog stores
-- them; this table has those above the leaves.
CREATE TABLE log_nodes (
    n    INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
);
CREATE TRIGGER log_nodes_kept BEFORE DELETE ON log_nodes
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;
CREATE TRIGGER log_nodes_fixed BEFORE UPDATE ON log_nodes
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;

-- Signed statements of how the log stood: its size, when by the store's time,
-- and the signed note.
CREATE TABLE checkpoints (
    size   INTEGER PRIMARY KEY,
    made   INTEGER NOT NULL,
    signed TEXT    NOT NULL
);
CREATE TRIGGER checkpoints_kept BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;
CREATE TRIGGER checkpoints_fixed BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'the deletion log is append-only'); END;

-- The public key that verifies them; '' until the log's key is made.
ALTER TABLE store ADD COLUMN log_key TEXT NOT NULL DEFAULT '';

-- The program that carried an erasure out, for its receipt.
ALTER TABLE requests ADD COLUMN program TEXT NOT NULL DEFAULT '';

-- 1 in a backup: its look-ups are left out, and found anew by the server that
-- opens it.
ALTER TABLE store ADD COLUMN backup INTEGER NOT NULL DEFAULT 0;

-- Whether the store has had a witness: from then on a missing one is refused.
ALTER TABLE store ADD COLUMN witness INTEGER NOT NULL DEFAULT 0;

-- When gaps of pages were cleared of copies of deleted rows: begun is the
-- store's time that the copies of all that was deleted before are gone for.
CREATE TABLE scrubs (
    begun   INTEGER PRIMARY KEY,
    done_at INTEGER NOT NULL
);

-- What became of the test persons, of whom one is made up and erased each day:
-- one row, from the first start of a server on. done is by the store's time, and
-- passed and failed are by the wall clock; failed is 0 unless the last one did.
CREATE TABLE test_persons (
    n      INTEGER PRIMARY KEY CHECK (n = 1),
    done   INTEGER NOT NULL,
    passed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    why    TEXT    NOT NULL DEFAULT ''
);

-- What the check before a request completes asks for, from the claim until
-- then. Kind fragment: number, and its key's row and id. Kind lookup: key and
-- fingerprint. Else a sealed value's table, fragment and n.
CREATE TABLE erasure_checks (
    request BLOB    NOT NULL,
    kind    TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    value   BLOB    NOT NULL,
    PRIMARY KEY (request, kind, number, n, value)
) WITHOUT ROWID;

-- Requests whose check found something, until it finds nothing.
CREATE TABLE check_hits (
    request BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- When the check found nothing; 0 where there was none.
ALTER TABLE requests ADD COLUMN checked_at INTEGER NOT NULL DEFAULT 0;

-- When a restore gave a pending request a new window; 0 where none did.
ALTER TABLE requests ADD COLUMN renewed_at INTEGER NOT NULL DEFAULT 0;

-- When the last backup was made, by the wall clock; 0 before the first.
ALTER TABLE store ADD COLUMN backed_up INTEGER NOT NULL DEFAULT 0;
