-- Requests made together. Whom it asked for stands in its requests, each under
-- a key of its own; here are counts: identifiers given, and those of them that
-- lead to somebody.
CREATE TABLE batches (
    id           BLOB    PRIMARY KEY,
    origin       TEXT    NOT NULL,
    actor_kind   TEXT    NOT NULL,
    actor_id     BLOB    NOT NULL,
    reference    TEXT    NOT NULL DEFAULT '',
    requested_at INTEGER NOT NULL,
    requested    INTEGER NOT NULL,
    matched      INTEGER NOT NULL
) WITHOUT ROWID;

-- Each request is in one of the two: of a batch, for its counts; or on its own,
-- to list both kinds by their ids.
DROP INDEX requests_batch;
CREATE INDEX requests_batch ON requests (batch, state, finished_at) WHERE batch IS NOT NULL;
CREATE INDEX requests_single ON requests (id) WHERE batch IS NULL;

DELETE FROM sqlite_stat1 WHERE idx = 'requests_batch';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('requests', 'requests_batch', '1000000 1000 200 100'),
    ('requests', 'requests_single', '1000000 1');
ANALYZE sqlite_schema;
