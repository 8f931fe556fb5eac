-- A page of one table's requests, and how many there are, are read from an
-- index alone. The few of groups have one of their own, so that a page of them
-- is not looked for among those of everybody.
DROP INDEX requests_state;
CREATE INDEX requests_state ON requests (state, id, table_);
CREATE INDEX requests_group ON requests (state, id) WHERE table_ = 'group';

DELETE FROM sqlite_stat1 WHERE idx = 'requests_state';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('requests', 'requests_state', '1000000 200000 1 1'),
    ('requests', 'requests_group', '10000 2000 1');
ANALYZE sqlite_schema;
