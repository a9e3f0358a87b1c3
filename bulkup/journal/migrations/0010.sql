-- Version 10: the shard of a run, such as 2/4.

-- Null is a run that took all files.
ALTER TABLE runs ADD COLUMN shard TEXT;
