-- How many requests stand where, kept by each commit that moves one, for to
-- count a million of them takes a tenth of a second. destroyed: its keys are gone.
CREATE TABLE request_counts (
    table_    TEXT    NOT NULL,
    state     TEXT    NOT NULL,
    destroyed INTEGER NOT NULL,
    requests  INTEGER NOT NULL,
    PRIMARY KEY (table_, state, destroyed)
) WITHOUT ROWID;
INSERT INTO request_counts (table_, state, destroyed, requests)
    SELECT table_, state, keys_destroyed_at > 0, COUNT(*) FROM requests GROUP BY 1, 2, 3;

CREATE TABLE batch_counts (
    batch       BLOB    NOT NULL,
    state       TEXT    NOT NULL,
    requests    INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,            -- of the last one
    PRIMARY KEY (batch, state)
) WITHOUT ROWID;
INSERT INTO batch_counts (batch, state, requests, finished_at)
    SELECT batch, state, COUNT(*), MAX(finished_at) FROM requests WHERE batch IS NOT NULL GROUP BY 1, 2;

-- Nobody counts a batch any more. Its index follows the order of its ids, in
-- which it is listed and cancelled, and no change of a state writes to it.
DROP INDEX requests_batch;
CREATE INDEX requests_batch ON requests (batch, id) WHERE batch IS NOT NULL;

DELETE FROM sqlite_stat1 WHERE idx = 'requests_batch';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('requests', 'requests_batch', '1000000 1000 1'),
    ('batch_counts', 'batch_counts', '10000 3 1');
ANALYZE sqlite_schema;
