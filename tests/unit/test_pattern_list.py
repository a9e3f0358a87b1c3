"""Lists of patterns in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.config.pattern_list import load_patterns
from bulkup.errors import UsageError


def test_comments_and_empty_lines_are_no_patterns(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"# ours\r\n\n*.tmp\r\n!keep.tmp\ncaf\xe9/\n")
    assert load_patterns(str(path)) == ("*.tmp", "!keep.tmp", "caf\udce9/")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a\n[z-a]\n", "list:2: not a pattern"), (b"x" * (1 << 20) + b"\n", "more than"), (None, "No such file")],
)
def test_a_list_that_cannot_be_used_is_an_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "list").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_patterns(str(tmp_path / "list"))
