-- Version 1: files by (destination, source, path), live tickets apart from them, orphans, runs.

CREATE TABLE destinations (
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    base_url TEXT NOT NULL,
    scope    TEXT NOT NULL,
    UNIQUE (provider, base_url, scope)
);

CREATE TABLE sources (
    id   INTEGER PRIMARY KEY,
    root BLOB NOT NULL UNIQUE
);

CREATE TABLE runs (
    id             INTEGER PRIMARY KEY,
    run            TEXT NOT NULL UNIQUE,
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    sources        TEXT NOT NULL,
    started_at     REAL NOT NULL,
    ended_at       REAL,
    exit_code      INTEGER,
    summary        TEXT
);

CREATE TABLE files (
    destination_id INTEGER NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    state          TEXT NOT NULL,
    size           INTEGER NOT NULL,
    mtime_ns       INTEGER NOT NULL,
    ctime_ns       INTEGER NOT NULL,
    inode          INTEGER NOT NULL,
    device         INTEGER NOT NULL,
    md5            BLOB,
    remote_id      TEXT,
    remote         TEXT,
    etag           TEXT,
    verified       INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    error          TEXT,
    uploaded_at    REAL,
    kept_until     REAL,
    run_id         INTEGER NOT NULL,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;

-- Rows that a cut-off run left half-way; few, so that finding them does not read the whole table.
CREATE INDEX files_open ON files (state) WHERE state IN ('asked', 'ticketed', 'stored');

-- The only place that holds a signature. Rows are erased (secure_delete) when the file settles or the lease ends.
CREATE TABLE tickets (
    destination_id INTEGER NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    remote_id      TEXT NOT NULL,
    expires_at     REAL,
    ticket         TEXT NOT NULL,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;

-- remote_id NULL: up to `count` ids that were never seen, because a call was cut off before its answer.
CREATE TABLE orphans (
    id             INTEGER PRIMARY KEY,
    destination_id INTEGER NOT NULL,
    source_id      INTEGER,
    path           BLOB,
    remote_id      TEXT,
    count          INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    created_at     REAL NOT NULL,
    run_id         INTEGER NOT NULL
);
