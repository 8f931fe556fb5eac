-- 1 where a restore has a request from the deletion log alone, which lacks a part
-- of what a receipt says.
ALTER TABLE requests ADD COLUMN from_log INTEGER NOT NULL DEFAULT 0;
