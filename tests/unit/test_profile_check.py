"""The check of profiles, where the credentials are not on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.config import check_profiles
from bulkup.errors import UsageError


def check(folder: Path, *lines: str) -> None:
    (folder / "source").mkdir(exist_ok=True)
    profile = ["[profiles.n]", "source = 'source'", "provider = 'magic-hour'", "cluster = 'tls://there:8786'", *lines]
    (folder / "bulkup.toml").write_text("\n".join(profile))
    (folder / "bulkup.toml").chmod(0o600)
    environ = {"HOME": str(folder)}
    check_profiles(profile="n", config_file=None, environ=environ, cwd=str(folder), run_commands=False)


def test_credentials_that_the_workers_of_a_cluster_fetch_are_not_fetched_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="token: env:KEY is not set"):
        check(tmp_path, "token = 'env:KEY'")
    check(tmp_path, "token = 'env:KEY'", "cluster_credentials = 'workers'")


def test_credentials_that_workers_cannot_fetch_are_a_complaint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="token is given as such") as caught:
        check(tmp_path, "token = 'hunter2'", "cluster_credentials = 'workers'")
    assert "hunter2" not in caught.value.message + caught.value.hint
