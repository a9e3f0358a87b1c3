"""One scenario from an empty folder to its figures."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from benchmarks.soaking.accounts import Account, account
from benchmarks.soaking.disturbances import UPLOADER, Disturbance, Plan, What
from benchmarks.soaking.processes import Server, UploadRun, said
from benchmarks.soaking.proof import Findings, Ledger, prove
from benchmarks.soaking.secrecy import Secrecy
from benchmarks.soaking.watching import Sampler, Trend, Watch
from benchmarks.trees import make_tree

KIB = 1024
CONCURRENCY = 32
_LARGE, _LARGE_SIZE = 20, 1200 * KIB  # files that are streamed
_URL_TTL = 30
_GRACE = 5
_POLL = 0.02
_STALLED = 60.0  # seconds without a file after which a disturbance comes all the same
_VAIN_RUNS = 10  # runs that ended by themselves and recorded nothing, one after the other
_PAUSE = 0.5
_BETWEEN_SIGNALS = 0.1
# All is up, some files failed for good, the service refused, and what signals make of a run: one that comes while the
# interpreter starts is heard by nobody yet.
_EXPECTED = frozenset({0, 1, 4, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM})
_LAST_WORDS = 400  # characters


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be run. `share` of the requests to storage and to the API each are to fail.

    `stops` adds the faults that end a run or only slow it down; `minutes` bound the whole.
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


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended: its exit status, its seconds, what befell it, and how many files were recorded by then."""

    code: int
    seconds: float
    befell: tuple[str, ...]
    recorded: int


@dataclass(slots=True)
class Figures:
    """What a scenario came to. `server` are its counters, `orphans` the remote ids that got no bytes.

    `again` are the PUTs that storage took and no row tells of, `most_again` those that one run left behind, and
    `beyond` those that were more than a run had in flight when it was killed, or the server ended. `unexpected`
    are the last words of runs that ended as none should.
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
    """Carry a scenario out below an empty folder."""
    there = account(scenario.provider)
    options = [*there.serve, "--url-ttl", str(_URL_TTL), "--seed", str(scenario.seed)]
    options += faults(scenario.share, stops=scenario.stops)
    tree = make_tree(os.path.join(folder, "tree"), scenario.files - _LARGE, KIB)
    make_tree(os.path.join(tree, "large"), _LARGE, _LARGE_SIZE)
    with Server(os.path.join(folder, "store"), options, os.path.join(folder, "server.err")) as server:
        return _Soak(scenario, there, folder, tree, server).run()


class _Soak:
    """A scenario under way."""

    def __init__(self, scenario: Scenario, there: Account, folder: str, tree: str, server: Server) -> None:
        self._scenario = scenario
        self._account = there
        self._folder = folder
        self._tree = tree
        self._server = server
        self._journal = os.path.join(folder, "journal.sqlite3")
        self._figures = Figures()
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
        self._prove()
        figures.orphans = self._count_orphans()
        self._secrecy.search(self._server.errors)
        if figures.finished:  # until then it holds tickets that the next run is to use
            self._secrecy.search(*[self._journal + side for side in ("", "-wal", "-shm")])
        figures.secrets, figures.signatures = self._secrecy.found, self._secrecy.signatures
        figures.trends = {role: self._sampler.trends(role) for role in ("uploader", "server")}
        return figures

    def _upload(self) -> None:
        """Run the uploader until a run ends well or as none should, nothing gets any further, or the time is up."""
        vain, figures = 0, self._figures
        while not (figures.finished or figures.unexpected) and vain < _VAIN_RUNS and time.monotonic() < self._end:
            before = len(self._ledger.recorded)
            code = self._one_run()
            figures.finished = code == 0
            by_itself = code not in (-signal.SIGKILL, 128 + signal.SIGTERM)
            vain = vain + 1 if by_itself and len(self._ledger.recorded) == before else 0
            if by_itself and code:
                time.sleep(_PAUSE)

    def _one_run(self) -> int:
        name, started = f"run{len(self._figures.runs) + 1}", time.monotonic()
        run = UploadRun(os.path.join(self._folder, name), self._options(), self._environ())
        befell: list[What] = []
        self._sampler.watch("uploader", run.pid)
        try:
            self._disturb(run, befell)
        finally:
            code = run.end(0)
        seconds = time.monotonic() - started
        self._ledger.after_run(run.out)
        names = tuple(what.name for what in befell)
        self._figures.runs.append(Ended(code, seconds, names, len(self._ledger.recorded)))
        if code not in _EXPECTED:
            self._figures.unexpected.append(f"{name} ended with {code}: {_last_words(run.err)}")
        self._count_again(len(befell))
        self._secrecy.look()
        self._secrecy.search(run.out, run.err)
        run.remove_output()
        return code

    def _count_again(self, disturbances: int) -> None:
        """Count the PUTs that the run which has just ended made and did not record."""
        figures, server = self._figures, self._server.figures()
        # A PUT that is answered with a wrong ETag is stored, and has to be sent again.
        stored = server["puts_completed"] - server["wrong-etag"]
        again = stored - len(self._ledger.recorded) - self._ledger.stored
        left, figures.again = again - figures.again, again
        figures.most_again = max(figures.most_again, left)
        figures.beyond += max(0, left - CONCURRENCY * disturbances)

    def _disturb(self, run: UploadRun, befell: list[What]) -> None:
        """Let what is planned befall a run until it has ended."""
        while run.ended() is None and time.monotonic() < self._end:
            left = self._scenario.files - len(self._ledger.recorded) - run.settled()
            disturbance = self._plan.next(max(0, left))
            if disturbance is None:
                self._wait(run, self._end)
                return
            self._wait_for(run, disturbance)
            if run.ended() is not None:
                self._plan.put_back(disturbance)  # the run was over before it came
                return
            befell.append(disturbance.what)
            self._carry_out(run, disturbance.what)

    def _wait_for(self, run: UploadRun, disturbance: Disturbance) -> None:
        target, stalled = run.settled() + disturbance.after_files, time.monotonic() + _STALLED
        while run.ended() is None and run.settled() < target and time.monotonic() < min(stalled, self._end):
            time.sleep(_POLL)
        self._wait(run, min(self._end, time.monotonic() + disturbance.after_seconds))

    def _wait(self, run: UploadRun, until: float) -> None:
        while run.ended() is None and time.monotonic() < until:
            time.sleep(_POLL)

    def _carry_out(self, run: UploadRun, what: What) -> None:
        if what not in UPLOADER:
            self._figures.restarts += 1
            self._figures.server_kills += what is What.KILL_SERVER
            self._server.restart(signal.SIGKILL if what is What.KILL_SERVER else signal.SIGTERM)
            self._sampler.watch("server", self._server.pid)
            return
        self._figures.kills += 1
        run.send(signal.SIGKILL if what is What.KILL else signal.SIGTERM)
        if what is What.TERM_TWICE:
            time.sleep(_BETWEEN_SIGNALS)
            run.send(signal.SIGTERM)
        run.end(_GRACE + 30)

    def _options(self) -> list[str]:
        where = ["--base-url", self._server.url, "--journal", self._journal]
        how = ["--concurrency", str(CONCURRENCY), "--grace", str(_GRACE), "--json"]
        # All that the program can say is to be searched for secrets.
        return [self._tree, *self._account.upload, *where, *how, "--log-level", "debug", "--log-format", "json"]

    def _environ(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("BULKUP_")}
        home = {f"XDG_{kind}_HOME": os.path.join(self._folder, kind.lower()) for kind in ("CONFIG", "STATE", "DATA")}
        return {**own, **home, **self._account.environ}

    def _prove(self) -> None:
        rows, objects = self._lines_of("manifest"), self._server.objects
        findings = self._figures.findings
        self._figures.files = prove(self._tree, rows, lambda row: self._account.object_of(row, objects), findings)

    def _count_orphans(self) -> int:
        return sum(row["kind"] == "unused" for row in self._lines_of("orphans", "--json"))

    def _lines_of(self, command: str, *options: str) -> Iterator[dict[str, Any]]:
        """Yield the rows that a command prints of the journal; all that it prints is searched, errors as well."""
        out = os.path.join(self._folder, command)
        said([command, "--journal", self._journal, *options], out)
        self._secrecy.search(out)
        with open(out, "rb") as lines:
            rows = (orjson.loads(line) for line in lines if line.startswith(b"{"))
            yield from (row for row in rows if "event" not in row)


def _last_words(path: str) -> str:
    with open(path, "rb") as file:
        return file.read()[-_LAST_WORDS:].decode(errors="replace")
