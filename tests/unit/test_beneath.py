"""Opening below a folder: no link is followed, at any length of the path, with openat2 and without."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkup.helpers import beneath
from bulkup.helpers.beneath import FOLDER, open_beneath, open_stepwise, openat2, stat_beneath

READ = os.O_RDONLY | os.O_CLOEXEC
LIST = READ | os.O_DIRECTORY


@pytest.fixture(params=["openat2", "stepwise"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this system has no openat2, both ways are the same."""
    if request.param == "stepwise":
        monkeypatch.setattr(beneath, "openat2", lambda: None)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """The folder `tree`, with a sibling `foreign` that no path may lead to."""
    for name in ("tree", "foreign"):
        (tmp_path / name / "sub" / "deeper").mkdir(parents=True)
        for place in ("a", "sub/b", "sub/deeper/c"):
            (tmp_path / name / place).write_text(f"{name} {place}")
    fd = os.open(tmp_path / "tree", FOLDER)
    yield fd
    os.close(fd)


def content(folder: int, path: bytes, *, follow: bool = False) -> str:
    with open(open_beneath(folder, path, READ, follow=follow)) as file:
        return file.read()


def error_of(call: Callable[[], object]) -> int | None:
    with pytest.raises(OSError) as raised:  # noqa: PT011  # its number is compared
        call()
    return raised.value.errno


@pytest.mark.parametrize("path", ["a", "sub/b", "sub/deeper/c"])
def test_a_path_without_links_is_opened(folder: int, path: str) -> None:
    assert content(folder, path.encode()) == f"tree {path}"
    assert stat_beneath(folder, path.encode()).st_size == len(f"tree {path}")


@pytest.mark.parametrize("target", ["../foreign/sub", "sub-in", "/"])
@pytest.mark.parametrize("path", [b"link", b"link/b", b"link/deeper/c", b"sub/link", b"sub/link/c"])
def test_a_link_anywhere_in_the_path_is_not_followed(folder: int, tmp_path: Path, target: str, path: bytes) -> None:
    """Neither out of the folder nor within it."""
    (tmp_path / "tree" / "sub-in").mkdir()
    for place in ("link", "sub/link"):
        (tmp_path / "tree" / place).symlink_to(target)
    for flags in (READ, LIST, FOLDER):
        assert error_of(lambda flags=flags: open_beneath(folder, path, flags)) == errno.ELOOP  # type: ignore[misc]
    assert error_of(lambda: stat_beneath(folder, path)) == errno.ELOOP


def test_links_are_followed_if_asked(folder: int, tmp_path: Path) -> None:
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "foreign")
    assert content(folder, b"link/sub/b", follow=True) == "foreign sub/b"
    assert stat_beneath(folder, b"link/sub", follow=True).st_ino == (tmp_path / "foreign" / "sub").stat().st_ino


@pytest.mark.parametrize("path", [b"../foreign/a", b"sub/../../foreign/a", b"sub/.."])
def test_a_path_that_climbs_out_is_refused(folder: int, path: bytes) -> None:
    if path == b"sub/..":
        with pytest.raises(OSError, match="cross-device"):
            open_stepwise(folder, path, LIST)
    else:
        assert error_of(lambda: open_beneath(folder, path, READ)) == errno.EXDEV


@pytest.mark.parametrize(
    ("path", "code"),
    [(b"gone", errno.ENOENT), (b"gone/a", errno.ENOENT), (b"a/b", errno.ENOTDIR), (b"x" * 300, errno.ENAMETOOLONG)],
)
def test_other_errors_are_those_of_the_system(folder: int, path: bytes, code: int) -> None:
    assert error_of(lambda: open_beneath(folder, path, READ)) == code
    assert error_of(lambda: stat_beneath(folder, path)) == code


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("length", [100, 999, 1000, 1001, 4095, 4096, 9000])
def test_a_path_longer_than_the_system_allows_is_opened(folder: int, length: int, follow: bool) -> None:
    """PATH_MAX is 4,096 bytes with the final zero on Linux, and 1,024 elsewhere."""
    parts, at = [b"d" * 99] * (length // 100) + [b"f" * (length % 100 or 99)], os.dup(folder)
    for part in parts[:-1]:
        os.mkdir(part, dir_fd=at)
        below = os.open(part, FOLDER, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open(parts[-1], os.O_WRONLY | os.O_CREAT, dir_fd=at))
    inode = os.stat(parts[-1], dir_fd=at).st_ino
    os.close(at)
    path = b"/".join(parts)
    fd = open_beneath(folder, path, READ, follow=follow)
    assert os.fstat(fd).st_ino == stat_beneath(folder, path, follow=follow).st_ino == inode
    os.close(fd)


def test_no_descriptor_is_left_open(folder: int, tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub" / "link").symlink_to("deeper")
    long = b"sub/deeper" + b"/x" * 600
    openat2()
    before = set(os.listdir("/dev/fd"))
    os.close(open_beneath(folder, b"sub/deeper/c", READ))
    stat_beneath(folder, b"sub/deeper/c")
    for path in (b"sub/link/c", b"sub/gone/c", long):
        error_of(lambda path=path: open_beneath(folder, path, READ))  # type: ignore[misc]
        error_of(lambda path=path: stat_beneath(folder, path))  # type: ignore[misc]
    assert set(os.listdir("/dev/fd")) == before
