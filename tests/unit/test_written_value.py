"""Settings as a type checker sees them. `make lint` checks this module too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import assert_type

import pytest

from bulkup.config import Settings
from bulkup.model.shard import Shard

ROOT = Path(__file__).parents[2]
RIGHT = """
from typing import assert_type
from bulkup import Settings

settings = Settings(
    provider="s3", min_age="1m", max_age="30d", min_size="10k", max_size=2**30, retry_for=60, connect_timeout="5s",
    idle_timeout=1.5, max_duration="1h30m", max_bytes="1T", grace="10s", log_file_size="1M", url_lifetime="1h",
    multipart_from="64M", part_size="8MiB", bwlimit="20M", until="06:00", shard="2/4",
)
assert_type(settings.min_age, float)
assert_type(settings.max_size, int | None)
assert_type(settings.part_size, int)
assert_type(settings.max_duration, float | None)
"""
WRONG = ("min_age=[1]", "max_size=object()", "part_size=None", "grace=b'1s'", "shard=3", "until=6.5")


def test_sizes_and_durations_are_written_as_text_or_numbers() -> None:
    settings = Settings(min_age="1m", max_size="2k", grace=5, log_file_size=100, shard="2/4")
    assert_type(settings.min_age, float)
    assert_type(settings.max_size, int | None)
    assert_type(settings.shard, Shard | None)
    assert (settings.min_age, settings.max_size, settings.grace) == (60.0, 2048, 5.0)
    assert (settings.log_file_size, settings.shard) == (100, Shard(2, 4))


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="min_age"):
        Settings(min_age=[1])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_size"):
        Settings(max_size=object())  # type: ignore[arg-type]


@pytest.mark.slow  # mypy reads the whole package
def test_mypy_accepts_what_users_write_and_refuses_other_types(tmp_path: Path) -> None:
    def checked(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        command = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(tmp_path / name),
        ]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout

    assert checked("right.py", RIGHT).startswith("Success")
    found = checked("wrong.py", "from bulkup import Settings\n" + "\n".join(f"Settings({one})" for one in WRONG) + "\n")
    for number, one in enumerate(WRONG, start=2):
        assert f'wrong.py:{number}: error: Argument "{one.partition("=")[0]}"' in found
