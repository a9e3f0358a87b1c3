"""The files that a bench uploads."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.api.bench.generated_files import file_sizes, make_files, total_size


async def test_generated_files(tmp_path: Path) -> None:
    """The requested number, with the sizes in turn, all different."""
    await make_files(str(tmp_path / "made"), "x", 5, (10, 0, 3_000_000))
    made = sorted((tmp_path / "made").iterdir())
    assert list(file_sizes(5, (10, 0, 3_000_000))) == [10, 0, 3_000_000, 10, 0]
    assert [path.stat().st_size for path in made] == [10, 0, 3_000_000, 10, 0]
    assert total_size(5, (10, 0, 3_000_000)) == 3_000_020
    assert made[0].read_bytes() != made[3].read_bytes()
    assert made[0].name == "x-000001.mp4"


@pytest.mark.parametrize(("extension", "name"), [("png", "x-000001.png"), ("", "x-000001")])
async def test_the_extension_of_generated_files(tmp_path: Path, extension: str, name: str) -> None:
    await make_files(str(tmp_path / "made"), "x", 1, (1,), extension)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [name]
