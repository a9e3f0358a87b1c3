"""The bound on configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.config.toml_file import read
from bulkup.errors import UsageError


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "bulkup.toml"
    path.write_bytes(b"#" * 1024**2 + b"\n")
    with pytest.raises(UsageError, match="more than 1,048,576 bytes"):
        read(str(path), "bulkup.toml")
    with pytest.raises(UsageError, match="it is not a regular file"):
        read("/dev/zero", "/dev/zero")
