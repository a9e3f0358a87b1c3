"""The limits and intervals of the dashboard."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Limits and intervals; times in seconds.

    Journals are looked at every `watch_interval` while a page is open, and the progress of a run arrives every
    `progress_interval`. A stream of events sends a sign of life every `heartbeat`. A request for rows gets at most
    `page_rows` of them, and matches are counted up to `counted_matches`. An index that was not used for `index_kept` is
    dropped. After a change of the journal, an index is made anew, but not before as many seconds as the last one took,
    during a run `index_rest` times as many. A list of chosen files has at most `chosen_files`. Where another program
    has locked a journal, a look waits for it for `journal_wait`.

    A page has `stream_patience` to take an event. There are at most `most_connections`, and one that sends no whole
    request within `idle_connection` is closed.
    """

    watch_interval: float = 1.0
    progress_interval: float = 1.0
    heartbeat: float = 5.0
    page_rows: int = 100
    shown_runs: int = 50
    counted_matches: int = 10_000
    index_kept: float = 900.0
    index_rest: float = 50.0
    index_rest_least: float = 1.0
    chosen_files: int = 10_000
    largest_request: int = 4 * 1024**2
    retry_poll: float = 0.3
    kept_retries: int = 50
    most_streams: int = 20
    journal_wait: float = 0.5
    stream_patience: float = 30.0
    most_connections: int = 200
    idle_connection: float = 60.0
