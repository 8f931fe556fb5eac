-- Who is a member of which group, by the numbers of their profiles.
CREATE TABLE memberships (
    group_ INTEGER NOT NULL,
    member INTEGER NOT NULL,
    PRIMARY KEY (group_, member)
) WITHOUT ROWID;
CREATE INDEX memberships_member ON memberships (member, group_);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('memberships', 'memberships', '1000000 1000 1'),
    ('memberships', 'memberships_member', '1000000 2 1');
ANALYZE sqlite_schema;
