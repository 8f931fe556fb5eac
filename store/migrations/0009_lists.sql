-- A list whose work fails is tried again, each time later; retry is store time.
ALTER TABLE spools ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spools ADD COLUMN retry INTEGER NOT NULL DEFAULT 0;

-- From done on, expires is when a list's results are deleted, two years later.
UPDATE spools SET expires = (SELECT store FROM heartbeat) + 63072000000 WHERE stage = 'done';

-- What is to be done is looked for every few seconds, among lists of years.
DROP INDEX spools_stage;
CREATE INDEX spools_work ON spools (stage, expires) WHERE key_id IS NOT NULL;
CREATE INDEX spools_done ON spools (expires) WHERE stage = 'done';
CREATE INDEX spools_console ON spools (batch) WHERE origin = 'console';

DELETE FROM sqlite_stat1 WHERE idx = 'spools_stage';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('spools', 'spools_work', '10 5 1'),
    ('spools', 'spools_done', '10000 1'),
    ('spools', 'spools_console', '1000 1');
ANALYZE sqlite_schema;
