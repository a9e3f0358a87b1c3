-- Version 5: the intent and the tickets of a presign call in one row, in place of two rows of each of its files.

-- `files` describes the files, `answers` their ids and leases, and `tickets` the rest, with signatures. The last two are
-- NULL until the call is answered. A row is deleted (secure_delete) when the last of its files has a row of its own.
CREATE TABLE presign_groups (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    destination_id INTEGER NOT NULL,
    run_id         INTEGER NOT NULL,
    files          BLOB NOT NULL,
    answers        BLOB,
    tickets        BLOB
);

-- The last group asked for when the row was written: the row is newer than this group and all before it.
ALTER TABLE files ADD COLUMN after_group INTEGER;

-- An entry that could not be examined is looked for at the end of every run, also one that vanished.
DROP INDEX files_unreadable;
CREATE INDEX files_unexamined ON files (destination_id, source_id) WHERE state IN ('unreadable', 'changed');
