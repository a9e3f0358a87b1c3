"""How long scenarios take, from the seconds of earlier runs on two quiet cores."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rounds import PATIENCE
from benchmarks.scenarios import Scenario

# Seconds of one run of each client at full size.
_SECONDS: dict[str, dict[str, float]] = {
    "small": {"bulkup": 1.7, "bulkup-64": 1.7, "s5cmd": 2, "rclone": 1.5, "obstore": 1, "curl": 0.5, "wrk": 3},
    "https": {"bulkup": 1.8, "bulkup-64": 1.8, "s5cmd": 4, "rclone": 1.5, "obstore": 1},
    "cpu": {"bulkup": 1.7, "earlier": 2.2},
    "mixed": {"bulkup": 1.5, "bulkup-64": 1.5, "s5cmd": 1.3, "rclone": 1.3, "obstore": 0.7, "curl": 0.5},
    "wan200": {"curl": 11.5},
    "wan200-bbr": {"curl": 11.5},
    "wan": {"curl": 4.5},
    "wan-bbr": {"curl": 4.5},
    "many": {"bulkup": 25, "bulkup-64": 25, "s5cmd": 37, "rclone": 29, "obstore": 19, "curl": 9},
    "large": {"bulkup": 22, "bulkup-none": 18, "reference": 20, "obstore": 19, "curl": 16, "rclone": 50},
    "parts": {"bulkup": 10, "s5cmd": 30, "rclone": 30, "aws": 40},
}
_OTHERS = {"wan200": 12.5, "wan200-bbr": 12.5, "wan": 6.0, "wan-bbr": 6.0}
_USUAL = 25.0  # boto3 and the AWS CLI with small files, all others with large ones
_STARTING = 5.0  # nginx, the API, the link
_PER_RUN, _PER_FILE = 1.2, 45e-6  # emptying the store, counting its bytes, reading the manifest
_PER_NEW_FILE = 60e-6
_RESCAN_PER_FILE, _RESCAN_ROUND_PER_FILE = 310e-6, 14e-6  # making, uploading and removing; `find` and a second run


def scenario_seconds(scenario: Scenario, clients: Sequence[str], rounds: int) -> float:
    """Return the seconds that these clients take in so many rounds."""
    files = len(scenario.sizes)
    part = files / _FILES[scenario.name] if scenario.name in _FILES else 1.0
    total = _STARTING + files * _PER_NEW_FILE
    for name in clients:
        seconds = _seconds_of(scenario.name, name)
        times = 1 if seconds > PATIENCE and not name.startswith("bulkup") else rounds
        total += times * (seconds * max(part, 0.15) + _PER_RUN + files * _PER_FILE)
    return total


def rescan_seconds(files: int, rounds: int) -> float:
    """Return the seconds of the scenario `rescan`."""
    return 20.0 + files * (_RESCAN_PER_FILE + rounds * _RESCAN_ROUND_PER_FILE)


def _seconds_of(scenario: str, client: str) -> float:
    return _SECONDS[scenario].get(client, _OTHERS.get(scenario, _USUAL))


_FILES = {
    "small": 10_000,
    "https": 10_000,
    "cpu": 10_000,
    "mixed": 3_000,
    "wan200": 1_000,
    "wan200-bbr": 1_000,
    "wan": 2_000,
    "wan-bbr": 2_000,
    "many": 200_000,
}
