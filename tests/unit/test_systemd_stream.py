"""Standard error that the journal of systemd keeps."""

from __future__ import annotations

import io
import os
from pathlib import Path

from bulkup.helpers.systemd_stream import goes_to_systemd, with_priority


def test_a_stream_is_recognised_by_its_device_and_inode(tmp_path: Path) -> None:
    with open(tmp_path / "journal", "w") as stream, open(tmp_path / "other", "w") as other:
        found = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert goes_to_systemd(stream, environ)
        assert not goes_to_systemd(other, environ)
        assert not goes_to_systemd(stream, {})
        assert not goes_to_systemd(stream, {"JOURNAL_STREAM": "1"})
    assert not goes_to_systemd(stream, environ)  # closed
    assert not goes_to_systemd(io.StringIO(), environ)


def test_each_line_of_a_text_has_the_priority() -> None:
    assert with_priority("error", "bulkup: a\n  hint") == "<3>bulkup: a\n<3>  hint"
