-- Version 4: what could not be looked at is looked for at the end of every run; it is little, and the table is large.

CREATE INDEX files_unreadable ON files (destination_id, source_id) WHERE state = 'unreadable';
