"""The setting for links holds for each part of a path, when a file is opened as when it was found."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from found_files import found

from bulkup.helpers import beneath
from bulkup.model.files import Source
from bulkup.pipeline.files import file_opener
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import Symlinks

POLICIES: list[Symlinks] = ["skip", "inside", "follow"]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A source with the folders `sub` and `other`, and a folder `foreign` outside it."""
    for place in ("source/sub", "source/other", "foreign"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a").write_text(place)
    return Source(os.path.realpath(os.fsencode(tmp_path / "source")))


@contextlib.contextmanager
def opener_for(symlinks: Symlinks = "skip") -> Iterator[FileOpener]:
    with contextlib.closing(FileOpener(symlinks)) as opener:
        yield opener


def content(opener: FileOpener, source: Source, path: bytes) -> str:
    with open(opener.open(source, path)) as file:
        return file.read()


def replace_by_link(source: Source, target: str) -> None:
    os.rename(os.path.join(source.root, b"sub"), os.path.join(source.root, b"moved"))
    os.symlink(target, os.path.join(source.root, b"sub"))


@pytest.mark.parametrize("target", ["../foreign", "{foreign}", "other", "{other}", "."])
@pytest.mark.parametrize("symlinks", POLICIES)
def test_a_folder_that_becomes_a_link_is_treated_as_the_setting_says(
    source: Source, tmp_path: Path, symlinks: Symlinks, target: str
) -> None:
    """Relative and absolute links, out of the source and within it."""
    target = target.format(foreign=tmp_path / "foreign", other=tmp_path / "source" / "other")
    outside = "foreign" in target
    (tmp_path / "source" / "a").write_text("source")
    with opener_for(symlinks) as opener:
        assert content(opener, source, b"sub/a") == "source/sub"
        replace_by_link(source, target)
        if symlinks == "skip" or (symlinks == "inside" and outside):
            for call in (lambda: content(opener, source, b"sub/a"), lambda: opener.status(source, b"sub/a")):
                with pytest.raises(OSError) as raised:  # noqa: PT011  # its number is compared
                    call()
                assert raised.value.errno == errno.ELOOP
        else:
            where = (tmp_path / "source" / "sub" / "a").read_text()
            assert content(opener, source, b"sub/a") == where
            assert opener.status(source, b"sub/a").st_size == len(where)


@pytest.mark.parametrize("symlinks", POLICIES)
def test_a_source_that_is_moved_away_is_read_where_it_is(source: Source, tmp_path: Path, symlinks: Symlinks) -> None:
    """Its name may lead elsewhere by then."""
    with opener_for(symlinks) as opener:
        content(opener, source, b"sub/a")
        os.rename(source.root, tmp_path / "moved")
        os.symlink(tmp_path / "foreign", source.root)
        os.mkdir(tmp_path / "foreign" / "sub")
        (tmp_path / "foreign" / "sub" / "a").write_text("foreign sub")
        assert content(opener, source, b"sub/a") == "source/sub"


@pytest.mark.parametrize("symlinks", POLICIES)
def test_a_source_whose_real_path_has_become_a_link_is_not_opened(
    source: Source, tmp_path: Path, symlinks: Symlinks
) -> None:
    """A sending process opens it later than the process that scanned."""
    os.rename(tmp_path / "source", tmp_path / "moved")
    os.symlink("foreign", tmp_path / "source")
    with opener_for(symlinks) as opener, pytest.raises(OSError, match="Too many levels"):
        opener.status(source, b"a")


def test_the_descriptors_of_many_sources_are_bounded(tmp_path: Path) -> None:
    files = []
    for number in range(30):
        (tmp_path / str(number)).mkdir()
        files.append(found(tmp_path / str(number) / "a", b"%d" % number))
    before = set(os.listdir("/dev/fd"))
    with opener_for() as opener:
        for _ in range(2):
            for number, file in enumerate(files):
                assert content(opener, file.source, b"a") == str(number)
        assert len(set(os.listdir("/dev/fd")) - before) <= 8
    assert set(os.listdir("/dev/fd")) == before


def test_an_opener_that_is_dropped_closes_its_descriptors(source: Source) -> None:
    before = set(os.listdir("/dev/fd"))
    content(FileOpener(), source, b"sub/a")
    assert set(os.listdir("/dev/fd")) == before


def test_threads_share_the_descriptor_of_a_source(source: Source) -> None:
    """Also where several threads need it first."""
    before, barrier, read = set(os.listdir("/dev/fd")), threading.Barrier(8), list[str]()
    with opener_for() as opener:

        def work() -> None:
            barrier.wait()
            read.append(content(opener, source, b"sub/a"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read == ["source/sub"] * 8
        assert len(set(os.listdir("/dev/fd")) - before) == 1


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ENOTCONN])
@pytest.mark.parametrize("symlinks", POLICIES)
def test_a_source_that_is_mounted_anew_is_opened_by_its_path(
    source: Source, symlinks: Symlinks, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor from before leads to a file system that has ended."""
    before = set(os.listdir("/dev/fd"))
    with opener_for(symlinks) as opener:
        content(opener, source, b"sub/a")
        (dead,) = map(int, set(os.listdir("/dev/fd")) - before)
        fstat, open_ = os.fstat, beneath.open_beneath

        def broken(number: int) -> None:
            if number == dead:
                raise OSError(code, os.strerror(code))

        def fstat_or_fail(number: int) -> os.stat_result:
            broken(number)
            return fstat(number)

        def open_or_fail(folder: int, *args: Any, **options: Any) -> int:
            broken(folder)
            return open_(folder, *args, **options)

        monkeypatch.setattr(os, "fstat", fstat_or_fail)
        monkeypatch.setattr(file_opener, "open_beneath", open_or_fail)
        for _ in range(20):
            assert content(opener, source, b"sub/a") == "source/sub"
        assert len(set(os.listdir("/dev/fd")) - before) == 2
