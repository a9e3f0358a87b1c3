-- Version 2: where a file is to stand at the service, and the places that one file alone can have.

ALTER TABLE files ADD COLUMN place TEXT;

-- A row is a claim. Its run tells whether one that came to nothing may be taken over: within a run the first keeps it.
CREATE TABLE places (
    destination_id INTEGER NOT NULL,
    name           TEXT NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    run_id         INTEGER NOT NULL,
    PRIMARY KEY (destination_id, name)
) WITHOUT ROWID;
