"""One scenario, from an empty folder to its figures."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.soaking.accounts import Account, account
from benchmarks.soaking.disturbances import UPLOADER, Disturbance, Kind, Plan
from benchmarks.soaking.processes import Server, UploadRun, run_command
from benchmarks.soaking.secrecy import Secrecy
from benchmarks.soaking.verification import Findings, Ledger, ids_in, rows_in, verify
from benchmarks.soaking.watching import Sampler, Trend, Watch
from benchmarks.trees import make_tree

KIB = 1024
CONCURRENCY = 32
_LARGE, _LARGE_SIZE = 20, 1200 * KIB  # files large enough to be streamed
_URL_TTL = 30
_GRACE = 5
_POLL = 0.02
_STALLED = 60.0  # seconds without a settled file after which the disturbance comes anyway
_MAX_WITHOUT_PROGRESS = 10  # consecutive runs that recorded nothing
_PAUSE = 0.5
_BETWEEN_SIGNALS = 0.1
# All files are uploaded, some failed, the service refused, or a signal ended the run. While the interpreter starts, a
# signal has its default effect.
_EXPECTED = frozenset({0, 1, 4, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM})
_SHOWN_OUTPUT = 400  # characters


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `share` of the requests to storage, and of those to the API, fail.

    `stops` adds faults that end a run or slow it down. The scenario takes at most `minutes`. `processes` is the number
    of processes that send files, None for bulkup's default.
    """

    name: str
    files: int
    kills: int
    restarts: int
    share: float
    provider: str = "magic-hour"
    seed: int = 1
    minutes: float = 60.0
    stops: bool = True
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended: its exit code, seconds and disturbances, and the number of files recorded by then."""

    code: int
    seconds: float
    disturbances: tuple[str, ...]
    recorded: int


@dataclass(slots=True)
class Figures:
    """The figures of a scenario. `server` has the counters of the server, `orphans` counts remote ids without bytes.

    `unknown` counts ids that may exist, `after_kill` the largest number of them after one run, and `most_asked` the
    files of all calls under way at once. `unnamed` counts ids that the server made and that no row accounts for.

    `again` counts PUTs that storage stored and no row records, and `most_again` the largest number of them after one
    run. `beyond` counts those that exceed the files in flight at the kill or restart. `unexpected` has the last output
    of runs with an unexpected exit code.
    """

    files: int = 0
    seconds: float = 0.0
    runs: list[Ended] = field(default_factory=list)
    kills: int = 0
    restarts: int = 0
    server_kills: int = 0
    again: int = 0
    most_again: int = 0
    beyond: int = 0
    finished: bool = False
    findings: Findings = field(default_factory=Findings)
    server: dict[str, int] = field(default_factory=dict)
    orphans: int = 0
    unknown: int = 0
    after_kill: int = 0
    most_asked: int = 0
    unnamed: int = 0
    signatures: int = 0
    secrets: list[str] = field(default_factory=list)
    trends: dict[str, tuple[Trend, Trend]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)


def faults(share: float, *, stops: bool) -> list[str]:
    """Return the options of faults by which `share` of the requests to storage, and of those to the API, fail."""
    quarter = share / 4
    failing = [
        f"expired-url={quarter}",
        f"status-503={quarter}",
        f"cut-body={quarter}",
        f"wrong-etag={quarter}",
        f"short-answer={3 * quarter}",
    ]
    other = ["slow-body=0.01", "unauthorized=0.05,first=1"] if stops else []
    return [f"--fault={fault}" for fault in ["retry-later=0.01", *failing, *other]]


def carry_out(scenario: Scenario, folder: str) -> Figures:
    """Run a scenario below an empty folder."""
    there = account(scenario.provider)
    options = [*there.serve, "--url-ttl", str(_URL_TTL), "--seed", str(scenario.seed)]
    options += faults(scenario.share, stops=scenario.stops)
    tree = make_tree(os.path.join(folder, "tree"), scenario.files - _LARGE, KIB)
    make_tree(os.path.join(tree, "large"), _LARGE, _LARGE_SIZE)
    with Server(os.path.join(folder, "store"), options, os.path.join(folder, "server.err")) as server:
        return _Soak(scenario, there, folder, tree, server).run()


class _Soak:
    """A running scenario."""

    def __init__(self, scenario: Scenario, there: Account, folder: str, tree: str, server: Server) -> None:
        self._scenario = scenario
        self._account = there
        self._folder = folder
        self._tree = tree
        self._server = server
        self._journal = os.path.join(folder, "journal.sqlite3")
        self._figures = Figures(most_asked=there.most_asked)
        self._ledger = Ledger(self._journal, self._figures.findings)
        self._secrecy = Secrecy(self._journal, there.secrets)
        self._sampler = Sampler()
        self._plan = Plan(scenario.kills, scenario.restarts, scenario.seed)
        self._end = time.monotonic() + 60 * scenario.minutes

    def run(self) -> Figures:
        figures, started = self._figures, time.monotonic()
        self._secrecy.learn_keys(self._server.store)
        self._sampler.watch("server", self._server.pid)
        with Watch(self._sampler.look, self._secrecy.look):
            self._upload()
        figures.seconds = time.monotonic() - started
        figures.server = self._server.figures()
        self._verify()
        self._count_ids()
        self._secrecy.search(self._server.errors)
        if figures.finished:  # an unfinished journal holds tickets for the next run
            self._secrecy.search(*[self._journal + side for side in ("", "-wal", "-shm")])
        figures.secrets, figures.signatures = self._secrecy.found, self._secrecy.signatures
        figures.trends = {role: self._sampler.trends(role) for role in ("uploader", "server")}
        return figures

    def _upload(self) -> None:
        """Run the uploader until all files are uploaded, a run fails unexpectedly, progress stops, or time is up."""
        without_progress, figures = 0, self._figures
        while (
            not (figures.finished or figures.unexpected)
            and without_progress < _MAX_WITHOUT_PROGRESS
            and time.monotonic() < self._end
        ):
            before = len(self._ledger.recorded)
            code = self._one_run()
            figures.finished = code == 0
            by_itself = code not in (-signal.SIGKILL, 128 + signal.SIGTERM)
            without_progress = without_progress + 1 if by_itself and len(self._ledger.recorded) == before else 0
            if by_itself and code:
                time.sleep(_PAUSE)

    def _one_run(self) -> int:
        name, started = f"run{len(self._figures.runs) + 1}", time.monotonic()
        run = UploadRun(os.path.join(self._folder, name), self._options(), self._environ())
        disturbances: list[Kind] = []
        self._sampler.watch("uploader", run.pid)
        try:
            self._disturb(run, disturbances)
        finally:
            code = run.end(0)
        seconds = time.monotonic() - started
        self._ledger.after_run(run.out)
        names = tuple(kind.name for kind in disturbances)
        self._figures.runs.append(Ended(code, seconds, names, len(self._ledger.recorded)))
        if code not in _EXPECTED:
            self._figures.unexpected.append(f"{name} ended with {code}: {_end_of(run.err)}")
        self._count_again(len(disturbances))
        self._secrecy.look()
        self._secrecy.search(run.out, run.err)
        run.remove_output()
        return code

    def _count_again(self, disturbances: int) -> None:
        """Count the PUTs that the last run made and did not record."""
        figures, server = self._figures, self._server.figures()
        # A PUT that was answered with a wrong ETag is stored, and must be sent again.
        stored = server["puts_completed"] - server["wrong-etag"]
        again = stored - len(self._ledger.recorded) - self._ledger.stored
        left, figures.again = again - figures.again, again
        figures.most_again = max(figures.most_again, left)
        figures.beyond += max(0, left - CONCURRENCY * disturbances)

    def _disturb(self, run: UploadRun, disturbances: list[Kind]) -> None:
        """Carry out the planned disturbances of a run until it has ended."""
        while run.ended() is None and time.monotonic() < self._end:
            left = self._scenario.files - len(self._ledger.recorded) - run.settled()
            disturbance = self._plan.next(max(0, left))
            if disturbance is None:
                self._wait(run, self._end)
                return
            self._wait_for(run, disturbance)
            if run.ended() is not None:
                self._plan.put_back(disturbance)  # the run ended before it came
                return
            disturbances.append(disturbance.kind)
            self._carry_out(run, disturbance.kind)

    def _wait_for(self, run: UploadRun, disturbance: Disturbance) -> None:
        target, stalled = run.settled() + disturbance.after_files, time.monotonic() + _STALLED
        while run.ended() is None and run.settled() < target and time.monotonic() < min(stalled, self._end):
            time.sleep(_POLL)
        self._wait(run, min(self._end, time.monotonic() + disturbance.after_seconds))

    def _wait(self, run: UploadRun, until: float) -> None:
        while run.ended() is None and time.monotonic() < until:
            time.sleep(_POLL)

    def _carry_out(self, run: UploadRun, kind: Kind) -> None:
        if kind not in UPLOADER:
            self._figures.restarts += 1
            self._figures.server_kills += kind is Kind.KILL_SERVER
            self._server.restart(signal.SIGKILL if kind is Kind.KILL_SERVER else signal.SIGTERM)
            self._sampler.watch("server", self._server.pid)
            return
        self._figures.kills += 1
        run.send(signal.SIGKILL if kind is Kind.KILL else signal.SIGTERM)
        if kind is Kind.TERM_TWICE:
            time.sleep(_BETWEEN_SIGNALS)
            run.send(signal.SIGTERM)
        run.end(_GRACE + 30)

    def _options(self) -> list[str]:
        where = ["--base-url", self._server.url, "--journal", self._journal]
        how = ["--concurrency", str(CONCURRENCY), "--grace", str(_GRACE), "--json"]
        if self._scenario.processes is not None:
            how += ["--processes", str(self._scenario.processes)]
        # The debug log has the most output to search for secrets.
        return [self._tree, *self._account.upload, *where, *how, "--log-level", "debug", "--log-format", "json"]

    def _environ(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("BULKUP_")}
        home = {f"XDG_{kind}_HOME": os.path.join(self._folder, kind.lower()) for kind in ("CONFIG", "STATE", "DATA")}
        return {**own, **home, **self._account.environ}

    def _verify(self) -> None:
        rows, objects = self._lines_of("manifest"), self._server.objects
        findings = self._figures.findings
        self._figures.files = verify(self._tree, rows, lambda row: self._account.object_of(row, objects), findings)

    def _count_ids(self) -> None:
        """Count the ids that were not used, and compare all ids with the number that the server made."""
        figures = self._figures
        ids = ids_in(self._lines_of("orphans", "--json"), self._ledger.recorded.values())
        figures.orphans, figures.unknown, figures.after_kill = ids.unused, ids.unknown, ids.after_kill
        if figures.finished:  # an unfinished journal holds tickets for the next run
            figures.unnamed = max(0, figures.server["tickets"] - len(ids.named) - ids.unknown)

    def _lines_of(self, command: str, *options: str) -> Iterator[dict[str, Any]]:
        """Yield the rows that a command prints. All of its output is searched for secrets."""
        out = os.path.join(self._folder, command)
        run_command([command, "--journal", self._journal, *options], out)
        self._secrecy.search(out)
        with open(out, "rb") as lines:
            yield from rows_in(lines)


def _end_of(path: str) -> str:
    with open(path, "rb") as file:
        return file.read()[-_SHOWN_OUTPUT:].decode(errors="replace")
