-- Version 8: uploaded files that a run has removed from their source, or moved out of it.

-- A row is written before its file is removed. It holds for the upload of `run_id` and of earlier runs: a later upload
-- of a file with the same path is not removed yet.
CREATE TABLE removed (
    destination_id INTEGER NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    run_id         INTEGER NOT NULL,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;
