"""The speed of reading the user's files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from bulkup.api.bench.disk import measure_disk
from bulkup.model.files import Source


def test_the_speed_of_the_disk(tmp_path: Path) -> None:
    """Links and unreadable files do not count, and an empty source has no speed."""
    for number in range(5):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 2}" / f"{number}").write_bytes(bytes(1000 * number))
    (tmp_path / "link").symlink_to(tmp_path / "1" / "3")
    go_on = threading.Event()
    disk = measure_disk([Source(os.fsencode(tmp_path))], go_on)
    assert disk is not None
    assert (disk.files, disk.bytes) == (4, 10_000)  # one of the five is empty
    assert disk.bytes_per_second > 0 < disk.files_per_second
    one = measure_disk([Source(os.fsencode(tmp_path / "1"), b"3")], go_on)
    assert one is not None
    assert one.bytes == 3000
    assert measure_disk([Source(os.fsencode(tmp_path / "none"))], go_on) is None
    go_on.set()
    assert measure_disk([Source(os.fsencode(tmp_path))], go_on) is None
