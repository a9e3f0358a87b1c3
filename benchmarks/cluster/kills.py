"""Kills of workers while storage and API fail: `python -m benchmarks.cluster kills`.

One run uploads to the embedded server. Workers are killed at random instants, and others take their place. Then every
file is checked: none may be lost, recorded wrongly or recorded twice. PUTs that no row records are at most those that
were in flight on the killed workers. All output is searched for secrets.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cluster.fleet import Fleet, fleet
from benchmarks.cluster.network import HERE
from benchmarks.soaking.accounts import Account, account
from benchmarks.soaking.processes import Server, UploadRun, run_command
from benchmarks.soaking.scenario import faults
from benchmarks.soaking.secrecy import Secrecy
from benchmarks.soaking.verification import Findings, Ledger, rows_in, verify
from benchmarks.stage import memory_folder
from benchmarks.trees import make_tree

KIB = 1024
_POLL = 0.02
_LONGEST_GAP = 3.0  # seconds between a kill and the next worker


@dataclass(frozen=True, slots=True)
class Campaign:
    """The sizes of a campaign. `share` of the requests to storage, and of those to the API, fail.

    `coordinator_kills` and `scheduler_kills` count kills of those two, among those of the workers.
    """

    files: int = 50_000
    workers: int = 3
    kills: int = 20
    coordinator_kills: int = 0
    scheduler_kills: int = 0
    share: float = 0.2
    concurrency: int = 32
    seed: int = 1
    minutes: float = 30.0


@dataclass(slots=True)
class Outcome:
    """The findings. `again` counts PUTs that storage stored and no row records."""

    codes: list[int] = field(default_factory=list)
    kills: int = 0
    coordinator_kills: int = 0
    scheduler_kills: int = 0
    files: int = 0
    again: int = 0
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)
    secrets: list[str] = field(default_factory=list)
    last_words: str = ""


def problems(campaign: Campaign, outcome: Outcome) -> list[str]:
    """Return the requirements that a campaign has missed, in words."""
    findings = outcome.findings
    most = campaign.concurrency * (
        outcome.kills + campaign.workers * (outcome.coordinator_kills + outcome.scheduler_kills)
    )
    code = outcome.codes[-1] if outcome.codes else None
    found = [f"the last run ended with {code}: {outcome.last_words}"] if code != 0 else []
    for name in ("lost", "wrong", "twice"):
        found += [f"{getattr(findings, name)} files {name}: {findings.examples}"] if getattr(findings, name) else []
    if outcome.files != campaign.files:
        found.append(f"{outcome.files:,} of {campaign.files:,} files were checked")
    if outcome.again > most:
        found.append(f"{outcome.again} PUTs were made again, at most {most} were in flight")
    for name in ("kills", "coordinator_kills", "scheduler_kills"):
        done, planned = getattr(outcome, name), getattr(campaign, name)
        found += [f"only {done} of {planned} {name} took place"] if done < planned else []
    return found + [f"secret: {secret}" for secret in outcome.secrets]


def carry_out(campaign: Campaign, folder: str) -> Outcome:
    """Run a campaign below an empty folder."""
    there = account("magic-hour")
    options = [*there.serve, "--url-ttl", "30", "--seed", str(campaign.seed), *faults(campaign.share, stops=False)]
    tree = make_tree(os.path.join(folder, "tree"), campaign.files, KIB)
    errors = os.path.join(folder, "server.err")
    nodes = [HERE] * campaign.workers
    with Server(os.path.join(folder, "store"), options, errors) as server, fleet(folder, nodes=nodes) as running:
        return _Kills(campaign, there, folder, tree, server, running).run()


class _Kills:
    """A campaign under way."""

    def __init__(
        self, campaign: Campaign, there: Account, folder: str, tree: str, server: Server, running: Fleet
    ) -> None:
        self._campaign = campaign
        self._account = there
        self._folder = folder
        self._tree = tree
        self._server = server
        self._fleet = running
        self._journal = os.path.join(folder, "journal.sqlite3")
        self._outcome = Outcome()
        self._ledger = Ledger(self._journal, self._outcome.findings)
        self._secrecy = Secrecy(self._journal, there.secrets)
        self._chance = random.Random(campaign.seed)
        self._end = time.monotonic() + 60 * campaign.minutes

    def run(self) -> Outcome:
        outcome, started = self._outcome, time.monotonic()
        self._secrecy.learn_keys(self._server.store)
        kinds = self._planned()
        while time.monotonic() < self._end:
            code = self._one_run(kinds)
            outcome.codes.append(code)
            if code not in (-signal.SIGKILL, 1, 4):
                break
        outcome.seconds = time.monotonic() - started
        server = self._server.figures()
        stored = server["puts_completed"] - server["wrong-etag"]
        outcome.again = stored - len(self._ledger.recorded) - self._ledger.stored
        objects = self._server.objects
        outcome.files = verify(
            self._tree, self._manifest(), lambda row: self._account.object_of(row, objects), outcome.findings
        )
        self._secrecy.search(self._server.errors, *self._fleet.logs)
        outcome.secrets = self._secrecy.found
        return outcome

    def _planned(self) -> list[str]:
        campaign = self._campaign
        kinds = ["kills"] * campaign.kills + ["coordinator_kills"] * campaign.coordinator_kills
        kinds += ["scheduler_kills"] * campaign.scheduler_kills
        self._chance.shuffle(kinds)
        return kinds

    def _one_run(self, kinds: list[str]) -> int:
        name = os.path.join(self._folder, f"run{len(self._outcome.codes) + 1}")
        run = UploadRun(name, self._options(), self._environ())
        try:
            while run.ended() is None and time.monotonic() < self._end and kinds:
                self._wait_for_next(run, len(kinds))
                if run.ended() is None:
                    self._carry_out(run, kinds.pop())
            while run.ended() is None and time.monotonic() < self._end:
                time.sleep(_POLL)
        finally:
            code = run.end(0)
        self._ledger.after_run(run.out)
        self._secrecy.look()
        self._secrecy.search(run.out, run.err)
        with open(run.err, "rb") as file:
            self._outcome.last_words = file.read()[-400:].decode(errors="replace")
        return code

    def _wait_for_next(self, run: UploadRun, left: int) -> None:
        """Wait until a random number of files have settled: on average a share of those that are left."""
        files = self._campaign.files - len(self._ledger.recorded) - run.settled()
        target = run.settled() + int(self._chance.uniform(0, min(1.5 * files / left, 0.6 * files)))
        while run.ended() is None and run.settled() < target and time.monotonic() < self._end:
            self._secrecy.look()
            time.sleep(_POLL)

    def _carry_out(self, run: UploadRun, kind: str) -> None:
        setattr(self._outcome, kind, getattr(self._outcome, kind) + 1)
        if kind == "coordinator_kills":
            run.send(signal.SIGKILL)
            run.end(10)
        elif kind == "scheduler_kills":
            self._fleet.restart_scheduler()
        else:
            number = self._chance.randrange(self._campaign.workers)
            self._fleet.kill_worker(number)
            time.sleep(self._chance.uniform(0, _LONGEST_GAP))
            self._fleet.start_worker(number)

    def _options(self) -> list[str]:
        where = ["--base-url", self._server.url, "--journal", self._journal, "--cluster", self._fleet.address]
        how = ["--concurrency", str(self._campaign.concurrency), "--json", "--log-level", "debug"]
        return [self._tree, *self._account.upload, *where, *how, "--log-format", "json"]

    def _environ(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("BULKUP_")}
        return {**own, "XDG_CONFIG_HOME": self._folder, "XDG_STATE_HOME": self._folder, **self._account.environ}

    def _manifest(self) -> Iterator[dict[str, Any]]:
        out = os.path.join(self._folder, "manifest")
        run_command(["manifest", "--journal", self._journal], out)
        self._secrecy.search(out)
        with open(out, "rb") as lines:
            yield from rows_in(lines)


def main(given: list[str]) -> int:
    """Carry out a campaign, print its figures, and return 1 if something was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster kills", description=__doc__)
    defaults = Campaign()
    for name in ("files", "workers", "kills", "coordinator_kills", "scheduler_kills", "share", "seed", "minutes"):
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    campaign = Campaign(**vars(parser.parse_args(given)))
    with tempfile.TemporaryDirectory(prefix="bulkup-kills-", dir=memory_folder(), ignore_cleanup_errors=True) as folder:
        outcome = carry_out(campaign, folder)
    found = outcome.findings
    print(f"{campaign.files:,} files, {campaign.workers} workers, {outcome.seconds:.0f} s, exit codes {outcome.codes}")
    print(f"kills: {outcome.kills} of workers, {outcome.coordinator_kills} of the coordinator,", end=" ")
    print(f"{outcome.scheduler_kills} of the scheduler")
    print(f"lost {found.lost}, wrong {found.wrong}, twice {found.twice}, sent again {outcome.again}")
    missed = problems(campaign, outcome)
    for line in missed:
        print(f"! {line}")
    return 1 if missed else 0
