-- A journal of bulkup 0.1.0 after a killed run, with a file in each state.
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE destinations (
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    base_url TEXT NOT NULL,
    scope    TEXT NOT NULL,
    UNIQUE (provider, base_url, scope)
);
INSERT INTO "destinations" VALUES(1,'magic-hour','https://api.example','');
INSERT INTO "destinations" VALUES(2,'xvid','https://xvid.example','pipeline-1');
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
    run_id         INTEGER NOT NULL, place TEXT,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;
INSERT INTO "files" VALUES(1,1,X'61736B65642E6D7034','asked',9,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'6368616E6765642E6D7034','changed',11,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,3,'it is changed',NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'6661696C65642E6D7034','failed',10,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,3,'it is failed',NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'70656E64696E672E6D7034','pending',11,1000000000000000000,1000000000000000000,7,8,X'70707070707070707070707070707070',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'72656A65637465642E747874','rejected',12,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,3,'it is rejected',NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'72656E657765642E6D7034','pending',11,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'737570657273656465642E6D7034','uploaded',14,1000000000000000000,1000000000000000000,7,8,X'6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D','id-superseded-new','{"id":"id-superseded-new"}','etag',1,0,NULL,1700000000.0,1700086400.0,3,NULL);
INSERT INTO "files" VALUES(1,1,X'7469636B657465642E6D7034','ticketed',12,1000000000000000000,1000000000000000000,7,8,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'756E7265616461626C652E6D7034','unreadable',0,0,0,0,0,NULL,NULL,NULL,NULL,NULL,0,'Permission denied',NULL,NULL,3,NULL);
INSERT INTO "files" VALUES(1,1,X'756E76657269666965642E6D7034','unverified',14,1000000000000000000,1000000000000000000,7,8,X'6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D','id-unverified','{"id":"id-unverified"}','etag',0,1,NULL,1700000000.0,1700086400.0,3,NULL);
INSERT INTO "files" VALUES(1,1,X'75706C6F616465642E6D7034','uploaded',12,1000000000000000000,1000000000000000000,7,8,X'6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D','id-uploaded','{"id":"id-uploaded"}','etag',1,2,NULL,1700000000.0,1700086400.0,3,NULL);
INSERT INTO "files" VALUES(2,1,X'73746F7265642E6D7034','stored',10,1000000000000000000,1000000000000000000,7,8,X'6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D6D',NULL,'{"id":"id-stored","status":"COMPLETING"}','etag',1,1,NULL,1700000000.0,NULL,2,'masters/stored.mp4');
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
, superseded_by TEXT, kept_until REAL);
INSERT INTO "orphans" VALUES(1,1,1,X'737570657273656465642E6D7034','id-superseded-old',1,'its file was uploaded again',1700000000.0,3,'id-superseded-new',1700086400.0);
INSERT INTO "orphans" VALUES(2,1,1,X'72656E657765642E6D7034','id-renewed-old',1,'its ticket could not be used',1700000000.0,3,NULL,NULL);
INSERT INTO "orphans" VALUES(3,1,NULL,NULL,NULL,5,'the call timed out',1700000000.0,3,NULL,NULL);
CREATE TABLE places (
    destination_id INTEGER NOT NULL,
    name           TEXT NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    run_id         INTEGER NOT NULL,
    PRIMARY KEY (destination_id, name)
) WITHOUT ROWID;
INSERT INTO "places" VALUES(2,'masters/stored.mp4',1,X'73746F7265642E6D7034',2);
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
INSERT INTO "runs" VALUES(1,'00000000000000000000000000000001',1,'["2f646174612f6d65646961"]',1699991000.0,1699992000.0,0,'{"exit_code":0}');
INSERT INTO "runs" VALUES(2,'00000000000000000000000000000002',2,'["2f646174612f6d65646961"]',1699995000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,'00000000000000000000000000000003',1,'["2f646174612f6d65646961"]',1700000000.0,NULL,NULL,NULL);
CREATE TABLE "sources" (
    id   INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    name TEXT UNIQUE
);
INSERT INTO "sources" VALUES(1,X'2F646174612F6D65646961',NULL);
CREATE TABLE tickets (
    destination_id INTEGER NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    remote_id      TEXT NOT NULL,
    expires_at     REAL,
    ticket         TEXT NOT NULL,
    PRIMARY KEY (destination_id, source_id, path)
) WITHOUT ROWID;
INSERT INTO "tickets" VALUES(1,1,X'7469636B657465642E6D7034','id-ticketed',1700000900.0,'{"url":"https://store.example/id-ticketed?Signature=SIGNATURE","method":"PUT","headers":{"x-amz-security-token":{"secret":"SIGNATURE"},"x-plain":"yes"},"remote":{"id":"id-ticketed"},"content_md5":true,"form":null,"more_urls":[]}');
INSERT INTO "tickets" VALUES(2,1,X'73746F7265642E6D7034','id-stored',1700000900.0,'{"url":"","method":"PUT","headers":{},"remote":{"id":"id-stored"},"content_md5":false,"form":null,"more_urls":[]}');
CREATE INDEX files_open ON files (state) WHERE state IN ('asked', 'ticketed', 'stored');
CREATE UNIQUE INDEX sources_root ON sources (root) WHERE name IS NULL;
CREATE INDEX files_unreadable ON files (destination_id, source_id) WHERE state = 'unreadable';
COMMIT;
