"""The options in suggested commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bulkup.cli.given_options import given_options
from bulkup.config import load
from bulkup.reports.next_commands import JournalOptions

PROFILE = """
[profiles.n]
provider = "s3"
bucket = "of-the-profile"
journal = "/of/the/profile"
source = "/data"
"""


def options(cwd: Path, profile: str | None = None, **given: Any) -> JournalOptions:
    config = None
    if profile is not None:
        (cwd / "b.toml").write_text(PROFILE)
        config = str(cwd / "b.toml")
    return given_options(load(given, profile=profile, config_file=config, environ={}, cwd=str(cwd)))


def test_without_a_profile_the_service_is_described_by_the_options_given(tmp_path: Path) -> None:
    """Only those of a run may name the address and the bucket."""
    found = options(tmp_path, source=["/a b"], provider="s3", bucket="media", base_url="http://x", part_size="8M")
    assert found.reading == "--provider s3 '/a b'"
    assert shlex.split(found.running) == [
        *("--provider", "s3", "--base-url", "http://x", "--bucket", "media", "--part-size", str(8 * 1024**2), "/a b")
    ]


def test_a_switch_is_written_as_it_was_given(tmp_path: Path) -> None:
    found = options(tmp_path, source=["/a"], provider="git-lfs", base_url="http://x", confirm=False)
    assert "--no-confirm" in shlex.split(found.running)


def test_a_profile_has_everything_but_what_was_given_beside_it(tmp_path: Path) -> None:
    config = ["--profile", "n", "--config", str(tmp_path / "b.toml")]
    assert shlex.split(options(tmp_path, "n").running) == config
    found = options(tmp_path, "n", bucket="other", journal="/j")
    assert shlex.split(found.reading) == [*config, "--journal", "/j"]
    assert shlex.split(found.running) == [*config, "--journal", "/j", "--bucket", "other"]
