"""The state of every file, in a SQLite file that survives a kill (docs/design.md section 6).

    journal           the journal as a run uses it
    statements        every state change as SQL; begins with the states, their transitions and the recovery after a kill
    open_groups       the presign calls of this run whose files are not all settled; group_row is their form on disk
    unfolding         makes rows of files of what a killed run left in groups; open_files does so for readers
    writer            the thread that writes, with group commit
    lookup            the rows of files that the scanner found; row_query reads many rows at once
    places, sources   exclusive places, and how a source is recognised
    ticket_text       tickets as text; stat_columns has the numbers of a file's identity, digest_column its digest
    destination       the service and account that are part of a row's key
    kept_rejections   the service's rejections, which the next run need not ask for again
    skipped_rejections  rejected files that a later run has skipped
    unfinished_paths  files that are not uploaded, for `bulkup retry`
    reader            rows for commands; failure_groups has those of failed files by reason, file_record one file,
                      and upload_rows those of uploads, for `bulkup verify`; merged_manifest reads several journals;
                      removed_files knows files that a run removed after their upload
    index_rows        the columns of all files that an index needs; file_steps has tickets and parts of one file
    run_shards        the shards of a journal's runs
    part_rows         the parts that storage has of unfinished files
    run_records       what runs noted of themselves, for reports
    prune             deletes old rows; forgotten_orphans those of ids that were removed at the service
    lock              one run at a time
    journal_file      the file has one name, and only its owner can read it
    database          opens the file; earlier_versions opens old ones for reading
    error_mapping     errors of SQLite as `JournalError`
    file_identity     notices that the file was deleted or replaced
    health            checks a whole journal, for `bulkup doctor`

Everything that uses SQLite belongs here. Decisions about a file do not: the pipeline makes them. Nor does the format of
exports (`bulkup.reports`).
"""

from __future__ import annotations

from bulkup.journal.destination import Destination
from bulkup.journal.error_mapping import FullDiskError
from bulkup.journal.forgotten_orphans import forget_orphans
from bulkup.journal.journal import Journal
from bulkup.journal.journal_file import SIDE_FILES, is_file_of_journal
from bulkup.journal.lock import Lock
from bulkup.journal.lookup import Comparison, KnownFile, Lookup, ReadOnlyView, read_only_view
from bulkup.journal.places import Claim, Holder
from bulkup.journal.prune import prune, prune_dry_run
from bulkup.journal.reader import Reader
from bulkup.journal.run_records import read_record
from bulkup.journal.sources import link_journal

__all__ = [
    "SIDE_FILES",
    "Claim",
    "Comparison",
    "Destination",
    "FullDiskError",
    "Holder",
    "Journal",
    "KnownFile",
    "Lock",
    "Lookup",
    "ReadOnlyView",
    "Reader",
    "forget_orphans",
    "is_file_of_journal",
    "link_journal",
    "prune",
    "prune_dry_run",
    "read_only_view",
    "read_record",
]
