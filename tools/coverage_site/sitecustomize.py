"""Measure coverage in every Python process of a test run.

`make test COVERAGE=1` puts this folder on PYTHONPATH, so that each interpreter imports this module as it starts.
Coverage's own way (`patch = subprocess`) relies on a variable that bulkup does not pass to its sending processes.
"""

import os
from pathlib import Path

import coverage

_ROOT = Path(__file__).resolve().parents[2]

os.environ.setdefault("COVERAGE_PROCESS_START", str(_ROOT / "pyproject.toml"))
os.environ.setdefault("COVERAGE_FILE", str(_ROOT / ".coverage"))
coverage.process_startup()
