"""Walking real trees: links, special files, odd names, overlapping sources, lists of names."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.shard import Shard
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import ScanOptions
from bulkup.pipeline.scan.walk import Unexamined, Walk

Policy = Literal["skip", "inside", "follow"]
POLICIES: list[Policy] = ["skip", "inside", "follow"]


def unreadable(source: Source, path: bytes, reason: str) -> Unexamined:
    return Unexamined(source, path, Problem(ProblemKind.UNREADABLE, reason))


names = st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"\n" not in name)


class Result:
    """The entries that a walk over all sources yields."""

    def __init__(self, *sources: Source, now: float = 2e9, **options: Any) -> None:
        self.ignored = Ignored()
        self.walk = Walk(sources, ScanOptions(**options), self.ignored, now)
        entries = [entry for source in sources for entry in self.walk.entries(source)]
        self.found = [entry for entry in entries if isinstance(entry, FoundFile)]
        unexamined = [entry for entry in entries if isinstance(entry, Unexamined)]
        self.unreadable = [entry for entry in unexamined if entry.problem.kind is ProblemKind.UNREADABLE]
        self.vanished = [entry.path for entry in unexamined if entry.problem.kind is ProblemKind.CHANGED]
        assert len(self.unreadable) + len(self.vanished) == len(unexamined)

    @property
    def paths(self) -> list[bytes]:
        return sorted(file.path for file in self.found)

    @property
    def full_paths(self) -> list[bytes]:
        return sorted(file.full_path for file in self.found)


def source(path: Path) -> Source:
    real = os.path.realpath(os.fsencode(path))
    return Source(real) if os.path.isdir(real) else Source(os.path.dirname(real), os.path.basename(real))


def tree(root: Path, *files: str | bytes) -> Source:
    for name in files:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"12345")
    return source(root)


def test_every_regular_file_is_found_once_with_its_identity(tmp_path: Path) -> None:
    """At any depth, by its path within the source."""
    result = Result(tree(tmp_path, "a", "sub/b", "sub/deeper/c"))
    assert result.paths == [b"a", b"sub/b", b"sub/deeper/c"]
    for file in result.found:
        assert file.identity == Identity.of(os.stat(file.full_path))
    assert (result.unreadable, result.ignored) == ([], Ignored())


def test_in_an_empty_tree_no_entry_is_seen(tmp_path: Path) -> None:
    """If the journal knows files of the source, the scanner takes that for a lost mount."""
    result = Result(source(tmp_path))
    assert (result.found, result.unreadable, result.walk.seen) == ([], [], 0)


def test_entries_that_are_ignored_are_still_seen(tmp_path: Path) -> None:
    """A tree of excluded files is not a lost mount."""
    result = Result(tree(tmp_path, "a.tmp"), exclude=("*.tmp",))
    assert (result.found, result.walk.seen, result.ignored.filtered) == ([], 1, 1)


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe\x80", b"x" * 255, b" ", b"-rf", "\u00e9".encode(), b"a\\b"])
def test_names_of_any_bytes_are_found_unchanged(tmp_path: Path, name: bytes) -> None:
    """Nothing is decoded, normalised or split."""
    assert Result(tree(tmp_path, name, b"d-" + name[:200] + b"/" + name)).paths == sorted(
        [name, b"d-" + name[:200] + b"/" + name]
    )


@settings(max_examples=30)
@given(
    st.sets(names.filter(lambda name: b"/" not in name and name not in (b".", b"..") and len(name) < 200), max_size=5)
)
def test_all_names_that_the_file_system_takes_are_found(file_names: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert set(Result(tree(Path(folder), *file_names)).paths) == file_names


@pytest.mark.parametrize("policy", POLICIES)
def test_a_loop_of_links_ends(tmp_path: Path, policy: Policy) -> None:
    """A link to a directory above, one to itself, and two to each other."""
    root = tree(tmp_path, "sub/a")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    result = Result(root, symlinks=policy)
    assert result.paths == [b"sub/a"]
    if policy == "skip":
        assert (result.ignored.symlinks, result.unreadable) == (4, [])


def links(tmp_path: Path) -> Source:
    root = tree(tmp_path / "source", "real/a")
    tree(tmp_path / "outside", "b")
    (tmp_path / "source" / "dir-in").symlink_to(tmp_path / "source" / "real")
    (tmp_path / "source" / "file-in").symlink_to("real/a")
    (tmp_path / "source" / "dir-out").symlink_to(tmp_path / "outside")
    (tmp_path / "source" / "file-out").symlink_to("../outside/b")
    (tmp_path / "source" / "prefix").symlink_to(tmp_path / "source-but-longer")
    tree(tmp_path / "source-but-longer", "c")
    return root


@pytest.mark.parametrize(
    ("policy", "paths", "ignored"),
    [
        ("skip", [b"real/a"], 5),
        ("inside", [b"dir-in/a", b"file-in", b"real/a"], 3),
        ("follow", [b"dir-in/a", b"dir-out/b", b"file-in", b"file-out", b"prefix/c", b"real/a"], 0),
    ],
)
def test_the_policy_decides_which_links_are_followed(
    tmp_path: Path, policy: Policy, paths: list[bytes], ignored: int
) -> None:
    """None, those within the source, or all. A directory whose path begins like the source's is outside it."""
    result = Result(links(tmp_path), symlinks=policy)
    assert (result.paths, result.ignored.symlinks, result.unreadable) == (paths, ignored, [])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_broken_link_is_unreadable_if_links_are_followed(tmp_path: Path, policy: Policy) -> None:
    root = tree(tmp_path, "a")
    (tmp_path / "broken").symlink_to("nothing")
    result = Result(root, symlinks=policy)
    assert result.paths == [b"a"]
    assert [entry.path for entry in result.unreadable] == ([] if policy == "skip" else [b"broken"])


def test_special_files_are_not_opened_and_not_found(tmp_path: Path) -> None:
    """Opening a pipe would block."""
    root = tree(tmp_path, "a")
    os.mkfifo(tmp_path / "pipe")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener, contextlib.chdir(tmp_path):
        listener.bind("socket")
        result = Result(root)
    assert (result.paths, result.ignored.special, result.unreadable) == ([b"a"], 2, [])


def path_of(descriptor: int) -> bytes:
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


def refusing(folder: bytes, real: Any = os.scandir) -> Any:
    def scandir(descriptor: int) -> Any:
        if path_of(descriptor).endswith(folder):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(descriptor)

    return scandir


def test_a_directory_that_cannot_be_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's reason; the walk continues."""
    root = tree(tmp_path, "a/1", "closed/2", "z/3")
    monkeypatch.setattr(os, "scandir", refusing(b"/closed"))
    result = Result(root)
    assert result.paths == [b"a/1", b"z/3"]
    assert result.unreadable == [unreadable(root, b"closed", "Permission denied")]


def test_a_source_that_cannot_be_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty path. It counts as seen, so it is not taken for a lost mount."""
    root = tree(tmp_path, "a")
    monkeypatch.setattr(os, "scandir", refusing(b"/" + os.path.basename(root.root)))
    result = Result(root)
    assert (result.unreadable, result.walk.seen) == ([unreadable(root, b"", "Permission denied")], 1)


def test_a_directory_that_fails_while_it_is_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries before the error are kept, and the walk continues above it."""
    root = tree(tmp_path, "bad/1", "good/2")
    real = os.scandir

    class Breaking:
        def __init__(self, descriptor: int) -> None:
            self.inner = real(descriptor)

        def __iter__(self) -> Breaking:
            return self

        def __next__(self) -> os.DirEntry[str]:
            try:
                return next(self.inner)
            except StopIteration:
                raise OSError(errno.EIO, "Input/output error") from None

        def close(self) -> None:
            self.inner.close()

    monkeypatch.setattr(os, "scandir", lambda fd: Breaking(fd) if path_of(fd).endswith(b"bad") else real(fd))
    result = Result(root)
    assert result.paths == [b"bad/1", b"good/2"]
    assert result.unreadable == [unreadable(root, b"bad", "Input/output error")]


def after_lstat(monkeypatch: pytest.MonkeyPatch, name: bytes, act: Callable[[], None]) -> None:
    """Call `act` once the walk has examined a name."""
    real = os.lstat

    def lstat(path: bytes, **options: Any) -> os.stat_result:
        status = real(path, **options)
        if path == name:
            act()
        return status

    monkeypatch.setattr(os, "lstat", lstat)


def test_a_directory_that_vanishes_before_it_is_entered_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path, "a", "gone/1")
    after_lstat(monkeypatch, b"gone", lambda: shutil.rmtree(tmp_path / "gone"))
    result = Result(root)
    assert (result.paths, result.vanished, result.unreadable) == ([b"a"], [b"gone"], [])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_directory_that_becomes_a_link_before_it_is_entered_is_changed(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the policy: no entry of the other directory is found."""
    root = tree(tmp_path / "source", "a", "sub/b")
    tree(tmp_path / "foreign", "b", "key")

    def swap() -> None:
        (tmp_path / "source" / "sub").rename(tmp_path / "moved")
        (tmp_path / "source" / "sub").symlink_to(tmp_path / "foreign")

    after_lstat(monkeypatch, b"sub", swap)
    result = Result(root, symlinks=policy)
    assert (result.paths, result.vanished, result.unreadable) == ([b"a"], [b"sub"], [])


@pytest.mark.parametrize("target", ["gone", "../foreign"])
def test_a_link_that_is_changed_before_it_is_followed_leads_to_nothing_outside(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `inside`, after the walk has seen where the link leads."""
    root = tree(tmp_path / "source", "a", "real/b")
    tree(tmp_path / "foreign", "b", "key")
    link = tmp_path / "source" / "link"
    link.symlink_to("real")
    status_of = FileOpener.status

    def status_and_swap(opener: FileOpener, source: Source, path: bytes) -> os.stat_result:
        status = status_of(opener, source, path)
        link.unlink()
        link.symlink_to(target)
        return status

    monkeypatch.setattr(FileOpener, "status", status_and_swap)
    result = Result(root, symlinks="inside")
    assert (result.paths, result.vanished, result.unreadable) == ([b"a", b"real/b"], [b"link"], [])


def test_a_directory_that_becomes_a_link_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    """Its entries are examined by their names in the directory that was opened, which is not the foreign one."""
    root = tree(tmp_path / "source", "sub/a", "sub/deeper/b", "sub/z")
    tree(tmp_path / "foreign", "deeper/b", "z", "key")
    inodes = {path.name: path.stat().st_ino for path in (tmp_path / "source").rglob("?")}
    entries = Walk((root,), ScanOptions(), Ignored(), 0.0).entries(root)
    found = [next(entries)]
    (tmp_path / "source" / "sub").rename(tmp_path / "moved")
    (tmp_path / "source" / "sub").symlink_to(tmp_path / "foreign")
    found += entries
    assert [entry.path for entry in found] == [b"sub/a", b"sub/deeper/b", b"sub/z"]
    identities = [entry.identity.inode for entry in found if isinstance(entry, FoundFile)]
    assert identities == [inodes["a"], inodes["b"], inodes["z"]]


def test_a_name_that_vanishes_after_its_directory_was_listed_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a pattern excludes it."""
    root = tree(tmp_path, "a", "b", "c.tmp", "d")

    def remove() -> None:
        (tmp_path / "b").unlink()
        (tmp_path / "c.tmp").unlink()

    after_lstat(monkeypatch, b"a", remove)
    result = Result(root, exclude=("*.tmp",))
    assert (result.paths, result.vanished, result.unreadable) == ([b"a", b"d"], [b"b"], [])
    assert result.ignored.filtered == 1


def test_a_missing_source_is_unreadable(tmp_path: Path) -> None:
    """Such as a mount that is lost between the check and the walk."""
    missing = Source(os.fsencode(tmp_path) + b"/missing")
    assert [entry.path for entry in Result(missing).unreadable] == [b""]


def test_sources_within_one_another_find_each_file_once(tmp_path: Path) -> None:
    """A source inside another one is walked on its own."""
    inner, outer = tree(tmp_path / "sub", "b", "deep/c"), tree(tmp_path, "a")
    for order in ((inner, outer), (outer, inner)):
        result = Result(*order)
        assert result.full_paths == sorted(os.fsencode(tmp_path / name) for name in ("a", "sub/b", "sub/deep/c"))
        assert result.ignored.other_sources == 1


def test_a_source_reached_through_a_link_is_found_once(tmp_path: Path) -> None:
    outer, inner = tree(tmp_path / "outer", "a"), tree(tmp_path / "inner", "b")
    (tmp_path / "outer" / "link").symlink_to(tmp_path / "inner")
    assert Result(outer, inner, symlinks="follow").paths == [b"a", b"b"]


@pytest.mark.parametrize("name", ["a", "sub/a", "sub/deep/a"])
def test_a_file_given_by_itself_and_within_its_directory_is_found_once(tmp_path: Path, name: str) -> None:
    """At any depth, and in either order."""
    outer = tree(tmp_path, "other", name)
    single = source(tmp_path / name)
    for order in ((single, outer), (outer, single)):
        assert Result(*order).full_paths == sorted(os.fsencode(tmp_path / each) for each in ("other", name))


def test_a_single_file_is_found_in_its_folder(tmp_path: Path) -> None:
    """With the same key as in a walk of the folder, and without its neighbours."""
    tree(tmp_path, "a", "b")
    result = Result(source(tmp_path / "a"))
    assert [(file.source.root, file.path) for file in result.found] == [(os.fsencode(tmp_path), b"a")]


def test_a_single_file_that_vanished_is_changed(tmp_path: Path) -> None:
    """It was there when its source was checked."""
    assert Result(Source(os.fsencode(tmp_path), b"a")).vanished == [b"a"]


def test_filters_are_applied_and_counted(tmp_path: Path) -> None:
    """Name and size, age, and leading dot are counted separately; an excluded directory counts as one entry."""
    root = tree(tmp_path, "a.mp4", "b.tmp", ".DS_Store", ".git/config", "node_modules/x/y.mp4", "new.mp4", "big.mp4")
    (tmp_path / "big.mp4").write_bytes(b"x" * 100)
    os.utime(tmp_path / "new.mp4", (1e9, 1e9 - 10))
    for name in ("a.mp4", "big.mp4"):
        os.utime(tmp_path / name, (1e9, 1e9 - 100))
    result = Result(
        root, now=1e9, exclude=("*.tmp", "node_modules/"), hidden="skip", max_size=99, min_age=60.0, include=("*.mp4",)
    )
    assert result.paths == [b"a.mp4"]
    assert result.ignored == Ignored(filtered=3, too_new=1, hidden=2)


def test_an_excluded_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, "cache/1", "a")
    monkeypatch.setattr(os, "scandir", refusing(b"/cache"))
    assert Result(root, exclude=("cache/",)).unreadable == []


def test_the_walk_reads_nothing_ahead(tmp_path: Path) -> None:
    """After the first file the second directory has not been opened."""
    root = tree(tmp_path, *(f"{n}/{n}" for n in range(50)))
    opened = list[bytes]()
    real = os.scandir

    def scandir(descriptor: int) -> Any:
        opened.append(path_of(descriptor))
        return real(descriptor)

    with mock.patch("os.scandir", scandir):
        walk = Walk((root,), ScanOptions(), Ignored(), 0.0).entries(root)
        next(walk)
        assert len(opened) == 2
        walk.close()


def descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


def test_only_directories_on_the_current_path_are_open(tmp_path: Path) -> None:
    """And none stays open after the walk."""
    root = tree(tmp_path, *(f"{n}/{m}/x" for n in range(10) for m in range(10)))
    opener = FileOpener()
    opener.status(root, b"0")
    gc.collect()  # so that no descriptor of an earlier test is closed on the way
    before = descriptors()
    walk, most = Walk((root,), ScanOptions(), Ignored(), 0.0, opener).entries(root), 0
    for _ in walk:
        most = max(most, len(descriptors() - before))
    assert most == 3
    dropped = Walk((root,), ScanOptions(), Ignored(), 0.0, opener).entries(root)
    next(dropped)
    assert descriptors() > before
    dropped.close()
    assert descriptors() == before
    opener.close()
    assert descriptors() < before


def test_a_deep_tree_is_walked_to_its_end(tmp_path: Path) -> None:
    """The walk does not use recursion."""
    deep = "/".join("d" for _ in range(300)) + "/x"
    assert Result(tree(tmp_path, deep)).paths == [deep.encode()]


def listed(tmp_path: Path, content: bytes, **options: Any) -> Result:
    place = tmp_path / "list"
    place.write_bytes(content)
    return Result(tree(tmp_path / "source", "a", "sub/b", "new\nline"), files_from=str(place), **options)


def test_a_list_names_the_files(tmp_path: Path) -> None:
    """One per line, relative to the source or absolute."""
    absolute = os.fsencode(tmp_path / "source" / "sub" / "b")
    assert listed(tmp_path, b"a\n" + absolute + b"\n").paths == [b"a", b"sub/b"]


@pytest.mark.parametrize("name", [b"./a", b"sub/../a", b"sub//../a", b".//a"])
def test_a_name_in_a_list_is_normalised(tmp_path: Path, name: bytes) -> None:
    """A file has one key for all spellings."""
    assert listed(tmp_path, name + b"\n").paths == [b"a"]


def test_a_list_may_end_its_names_with_nul(tmp_path: Path) -> None:
    """So that a name can hold a newline."""
    assert listed(tmp_path, b"a\0new\nline\0", null=True).paths == [b"a", b"new\nline"]


def test_a_list_with_nul_bytes_without_null_is_a_usage_error(tmp_path: Path) -> None:
    """Such as the output of `find -print0` without `--null`."""
    with pytest.raises(UsageError) as raised:
        listed(tmp_path, b"a\0sub/b\0")
    assert "--null" in raised.value.hint


@pytest.mark.parametrize("name", [b"..", b"../x", b"sub/../../x", b"/etc/passwd", b"/"])
def test_a_name_outside_the_source_is_unreadable(tmp_path: Path, name: bytes) -> None:
    """The rest of the list is used."""
    result = listed(tmp_path, name + b"\na\n")
    assert result.paths == [b"a"]
    assert [entry.path for entry in result.unreadable] == [name]
    assert "outside" in result.unreadable[0].problem.message


@pytest.mark.parametrize(
    ("name", "reason"), [(b"gone", "No such file"), (b"sub", "directory"), (b"x" * 300, "too long")]
)
def test_a_listed_name_that_is_no_file_is_unreadable(tmp_path: Path, name: bytes, reason: str) -> None:
    """A missing file, a directory, or a name that the system refuses."""
    result = listed(tmp_path, name + b"\na\n")
    assert result.paths == [b"a"]
    assert [entry.path for entry in result.unreadable] == [name]
    assert reason in result.unreadable[0].problem.message


@pytest.mark.parametrize(
    ("policy", "paths"),
    [
        ("skip", [b"real/a"]),
        ("inside", [b"dir-in/a", b"file-in", b"real/a"]),
        ("follow", [b"dir-in/a", b"dir-out/b", b"file-in", b"file-out", b"real/a"]),
    ],
)
def test_the_policy_for_links_holds_for_a_list(tmp_path: Path, policy: Policy, paths: list[bytes]) -> None:
    """For links anywhere in the path."""
    root = links(tmp_path)
    place = tmp_path / "list"
    place.write_bytes(b"real/a\ndir-in/a\nfile-in\ndir-out/b\nfile-out\n")
    result = Result(root, symlinks=policy, files_from=str(place))
    assert result.paths == paths
    assert result.ignored.symlinks == 5 - len(paths)


def test_filters_hold_for_a_list(tmp_path: Path) -> None:
    assert listed(tmp_path, b"a\nsub/b\n", exclude=("sub/",)).paths == [b"a"]


def test_a_list_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(UsageError, match="No such file") as raised:
        Result(source(tmp_path), files_from=str(tmp_path / "missing"))
    assert isinstance(raised.value.__cause__, OSError)


def test_empty_lines_are_skipped(tmp_path: Path) -> None:
    assert listed(tmp_path, b"\n\na\n\n").paths == [b"a"]


def test_a_name_that_is_listed_twice_is_found_once(tmp_path: Path) -> None:
    """In any spelling; the repetitions are counted."""
    (tmp_path / "a").write_bytes(b"x")
    names = tmp_path.parent / "names"
    names.write_bytes(b"a\n./a\n" + bytes(tmp_path) + b"/a\n")
    ignored = Ignored()
    options = ScanOptions(files_from=str(names))
    source = Source(os.path.realpath(bytes(tmp_path)))
    entries = list(Walk((source,), options, ignored, 0.0).entries(source))
    assert [entry.path for entry in entries] == [b"a"]
    assert ignored.repeated == 2


def sharded(total: int, *sources: Source, **options: Any) -> list[Result]:
    return [Result(*sources, shard=Shard(number, total), **options) for number in range(1, total + 1)]


@settings(max_examples=30)
@given(
    st.sets(names.filter(lambda name: b"/" not in name and name not in (b".", b"..") and len(name) < 200), max_size=20)
)
def test_shards_share_a_tree_without_overlap(tree_of: set[bytes]) -> None:
    """Any names, at two depths. Each shard counts the files of the others, and nothing as filtered."""
    with tempfile.TemporaryDirectory() as root:
        here = tree(Path(root), *tree_of, *(b"sub/" + name for name in tree_of)) if b"sub" not in tree_of else None
        if here is None:
            return
        results, everything = sharded(3, here), Result(here).paths
    assert sorted(path for result in results for path in result.paths) == everything
    for result in results:
        assert result.ignored == Ignored(other_shards=len(everything) - len(result.found))


def test_shards_do_not_depend_on_the_place_of_a_source_and_its_neighbours(tmp_path: Path) -> None:
    """Nor on whether a file is found in its folder, is given itself, or is in a list."""
    names_of = [f"d{number % 3}/{number}.jpg" for number in range(40)]
    here, there = tree(tmp_path / "here", *names_of), tree(tmp_path / "moved" / "deeper", *names_of)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{name}\n" for name in names_of))
    for one, two in zip(sharded(4, here), sharded(4, there, tree(tmp_path / "other", "x")), strict=True):
        assert one.paths == sorted(set(two.paths) - {b"x"})
    for one, two in zip(sharded(4, here), sharded(4, there, files_from=str(listed)), strict=True):
        assert one.paths == two.paths
        assert one.ignored == two.ignored == Ignored(other_shards=40 - len(one.found))
    single = tree(tmp_path / "single", "a.jpg").root + b"/a.jpg"
    taken = [result.paths for result in sharded(4, source(Path(os.fsdecode(single))))]
    assert taken == [result.paths for result in sharded(4, source(tmp_path / "single"))]
    assert sorted(taken) == [[], [], [], [b"a.jpg"]]


def test_files_of_other_shards_are_not_examined(tmp_path: Path) -> None:
    """On network file systems `stat` calls are what a walk costs. Filters do not see such files either."""
    here = tree(tmp_path, *(f"{number}.jpg" for number in range(60)))
    examined = []

    def lstat(name: bytes, **options: Any) -> os.stat_result:
        examined.append(name)
        return os.stat(name, follow_symlinks=False, **options)

    with mock.patch.object(os, "lstat", lstat):
        result = Result(here, shard=Shard(1, 4), max_size=1)
    assert len(examined) == result.ignored.filtered == 60 - result.ignored.other_shards
    assert 0 < len(examined) < 30


def test_shards_where_listings_do_not_tell_the_kind_of_an_entry(tmp_path: Path) -> None:
    """Some file systems have no `d_type`, and there a listing can fail to tell it."""
    here = tree(tmp_path, *(f"d/{number}.jpg" for number in range(30)))

    class Entry:
        def __init__(self, name: str) -> None:
            self.name = name

        def is_file(self, **_: bool) -> bool:
            raise PermissionError

    class Listing:
        def __init__(self, folder: int) -> None:
            self._entries = iter([Entry(name) for name in os.listdir(folder)])

        def __iter__(self) -> Any:
            return self._entries

        def close(self) -> None:
            pass

    with mock.patch.object(os, "scandir", Listing):
        results = sharded(3, here)
    assert sorted(path for result in results for path in result.paths) == Result(here).paths
    assert [result.ignored.other_shards for result in results] == [30 - len(result.found) for result in results]


def test_links_to_files_are_in_a_shard_by_their_own_path(tmp_path: Path) -> None:
    here = tree(tmp_path, "target.jpg")
    for number in range(20):
        os.symlink("target.jpg", tmp_path / f"link{number}")
    results = sharded(3, here, symlinks="inside")
    assert sorted(path for result in results for path in result.paths) == Result(here, symlinks="inside").paths
    os.unlink(tmp_path / "target.jpg")
    dangling = [entry.path for result in sharded(3, here, symlinks="follow") for entry in result.unreadable]
    assert len(dangling) == len(set(dangling)) == 20


def test_every_shard_reports_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    """Each may have files in it."""
    here, opening = tree(tmp_path, "locked/a", "b"), os.open

    def locked(path: Any, *options: Any, **named: Any) -> int:
        if path == b"locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opening(path, *options, **named)

    with mock.patch.object(os, "open", locked):
        results = sharded(3, here)
    assert [[entry.path for entry in result.unreadable] for result in results] == [[b"locked"]] * 3
