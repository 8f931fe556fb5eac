-- How many records of a fragment are of which year (UTC), as {"2025":12}: it is
-- shown before an erasure, also of somebody with a million of them. Year 0 is
-- what a clock cannot have meant.
ALTER TABLE fragments ADD COLUMN years TEXT NOT NULL DEFAULT '';
UPDATE fragments SET years = (SELECT json_group_object(CAST(year AS TEXT), n) FROM
    (SELECT CASE WHEN at BETWEEN 0 AND strftime('%s', 'now', 'start of year', '+2 years') * 1000 - 1
        THEN CAST(strftime('%Y', at / 1000, 'unixepoch') AS INTEGER) ELSE 0 END AS year, COUNT(*) AS n
    FROM records WHERE fragment = fragments.id GROUP BY year))
    WHERE records > 0;

-- What joined what. Clustered by a fragment of the profile that stayed: its key
-- seals the identifier that joined them, which goes with the person.
CREATE TABLE merges (
    fragment INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    survivor BLOB    NOT NULL,   -- User IDs
    other    BLOB    NOT NULL,
    key      INTEGER NOT NULL,   -- 0 where it was refused before it was kept
    alias    INTEGER NOT NULL,   -- 1 where an alias joined them
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (fragment, n)
) WITHOUT ROWID;

-- The identifier that would have joined them, sealed under the key of the
-- fragment of the profile that it led to. That is a fragment of one of the two
-- for as long as the row is there. 0 and empty in rows from before.
ALTER TABLE refused_merges ADD COLUMN key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refused_merges ADD COLUMN fragment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refused_merges ADD COLUMN sealed BLOB NOT NULL DEFAULT x'';

-- The two of a row count as one from now on. Until now each could get a user_id
-- of its own after the merge was refused: those stay two.
DELETE FROM refused_merges WHERE alias = 0 AND EXISTS (SELECT 1 FROM identifier_keys k
    WHERE (k.table_, k.name) IN (VALUES ('user', 'user_id'), ('group', 'group_id'))
    AND EXISTS (SELECT 1 FROM lookup l WHERE l.profile = refused_merges.profile AND l.key = k.id)
    AND EXISTS (SELECT 1 FROM lookup l WHERE l.profile = refused_merges.other AND l.key = k.id));

-- Whom an erased profile would have merged with, had no request been open: User
-- IDs, for nothing else is left of the erased one.
CREATE TABLE held_up (
    request BLOB NOT NULL,
    other   BLOB NOT NULL,
    PRIMARY KEY (request, other)
) WITHOUT ROWID;

-- How often a profile was not given an identifier, having as many of its key as
-- it may, and how often another profile was not joined with it, for the two have
-- more together.
CREATE TABLE over_limit (
    profile INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    apart   INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (profile, key)
) WITHOUT ROWID;

-- How often the data of somebody who was erased tried to come back: calls that
-- were dropped whole, and calls of which suppressed identifiers were left out.
CREATE TABLE returns (
    request BLOB    NOT NULL PRIMARY KEY,
    dropped INTEGER NOT NULL,
    trimmed INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) WITHOUT ROWID;

-- When another profile's calls last gave a suppressed identifier; 0 is never.
ALTER TABLE suppressions ADD COLUMN shared_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX suppressions_request ON suppressions (request);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('suppressions', 'suppressions_request', '1000000 5'),
    ('merges', 'merges', '100000 2 1'),
    ('refused_merges', 'refused_merges', '10000 2 1'),
    ('refused_merges', 'refused_merges_other', '10000 2 1'),
    ('held_up', 'held_up', '10000 2 1'),
    ('over_limit', 'over_limit', '1000 1 1'),
    ('returns', 'returns', '10000 1');
ANALYZE sqlite_schema;
