-- Version 3: sources that go by a name in place of their path, and ids whose place a newer upload of their file took.

CREATE TABLE sources_3 (
    id   INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    name TEXT UNIQUE
);
INSERT INTO sources_3 (id, root) SELECT id, root FROM sources;
DROP TABLE sources;
ALTER TABLE sources_3 RENAME TO sources;

-- One that has a name may have been where another one is now: two disks at one mount point.
CREATE UNIQUE INDEX sources_root ON sources (root) WHERE name IS NULL;

ALTER TABLE orphans ADD COLUMN superseded_by TEXT;
ALTER TABLE orphans ADD COLUMN kept_until REAL;
