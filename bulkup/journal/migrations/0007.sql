-- Version 7: the parts of unfinished files that storage has, for files whose parts have tickets of their own.

-- `upload` is the remote id of the file's ticket: parts of another upload do not count. Rows are deleted with the ticket.
CREATE TABLE parts (
    destination_id INTEGER NOT NULL,
    source_id      INTEGER NOT NULL,
    path           BLOB NOT NULL,
    number         INTEGER NOT NULL,
    upload         TEXT NOT NULL,
    etag           TEXT,
    digest         TEXT,
    verified       INTEGER NOT NULL,
    PRIMARY KEY (destination_id, source_id, path, number)
) WITHOUT ROWID;
