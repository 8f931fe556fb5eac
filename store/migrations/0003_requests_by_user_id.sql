-- One index in place of three. Each held a page of its own for each request,
-- all over the tree, and a commit of many requests wrote all of them.
-- The second column is empty for the request that is open, so that a User ID
-- has one at most; a joined one changes state with another and may stand beside
-- it. It names the states one by one, for SQLite makes a table of a list.
DROP INDEX requests_one_open;
DROP INDEX requests_profile;
DROP INDEX requests_efface_id;
CREATE UNIQUE INDEX requests_efface_id ON requests (efface_id,
    CASE WHEN (state = 'pending' OR state = 'in_progress' OR state = 'failed') AND joined IS NULL THEN x'' ELSE id END)
    WHERE efface_id IS NOT NULL;

DELETE FROM sqlite_stat1 WHERE idx IN ('requests_one_open', 'requests_profile', 'requests_efface_id');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('requests', 'requests_efface_id', '1000000 1 1');
ANALYZE sqlite_schema;
