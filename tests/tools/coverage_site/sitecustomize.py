"""Measure coverage in every Python process of a test run.

`make test COVERAGE=1` puts this folder on PYTHONPATH, so that each interpreter imports this module as it starts.
Coverage's own way (`patch = subprocess`) relies on a variable that bulkup does not pass to its sending processes.
"""

from pathlib import Path

import coverage

_ROOT = Path(__file__).resolve().parents[3]

coverage.Coverage(
    config_file=str(_ROOT / "pyproject.toml"),
    data_file=str(_ROOT / ".coverage"),
    data_suffix=True,  # a file for each process
    auto_data=True,  # written when the process ends
).start()
