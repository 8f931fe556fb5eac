-- Lists of people to be erased, from their first line until all are asked for.
-- Each is sealed under a key of its own, which is destroyed with it; what is
-- left is how it went, line by line and without whom a line was about.
CREATE TABLE spools (
    batch      BLOB    PRIMARY KEY,
    stage      TEXT    NOT NULL,             -- erasure.Stage, or discarded
    origin     TEXT    NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   BLOB    NOT NULL,
    reference  TEXT    NOT NULL,
    suppress   INTEGER NOT NULL,
    reason     BLOB,
    sent_at    INTEGER NOT NULL,
    expires    INTEGER NOT NULL DEFAULT 0,   -- unless confirmed before; 0 is never
    lines      INTEGER NOT NULL DEFAULT 0,
    chunks     INTEGER NOT NULL DEFAULT 0,
    next       INTEGER NOT NULL DEFAULT 0,   -- the chunk that the present stage goes on with
    done       INTEGER NOT NULL DEFAULT 0,   -- lines that it has been through
    found      TEXT    NOT NULL DEFAULT '{}',-- erasure.BulkFound as JSON
    key_row    INTEGER,                      -- NULL once destroyed
    key_id     BLOB
) WITHOUT ROWID;
CREATE INDEX spools_stage ON spools (stage);

-- Some thousand lines to a row. leads is what the check found of each: the
-- number of a profile, or why none is asked for.
CREATE TABLE spooled (
    batch  BLOB    NOT NULL,
    n      INTEGER NOT NULL,
    sealed BLOB    NOT NULL,
    leads  BLOB,
    PRIMARY KEY (batch, n)
);

CREATE TABLE bulk_results (
    batch   BLOB    NOT NULL,
    n       INTEGER NOT NULL,
    results BLOB    NOT NULL,                -- JSON, packed with gzip
    PRIMARY KEY (batch, n)
);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('spools', 'spools', '100 1'),
    ('spools', 'spools_stage', '100 20'),
    ('spooled', 'sqlite_autoindex_spooled_1', '10000 200 1'),
    ('bulk_results', 'sqlite_autoindex_bulk_results_1', '10000 200 1');
ANALYZE sqlite_schema;
