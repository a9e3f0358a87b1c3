"""Unusual sources and files."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_world import TOKEN, World, run, serving


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world without files."""
    return World(tmp_path)


def test_a_file_as_source(world: World) -> None:
    """A source may be a single file."""
    world.fill(3)
    file = next(path for path in sorted(world.source.rglob("*")) if path.is_file())
    done = run("upload", str(file), "--json", *world.local).expect(0)
    assert done.summary["files"]["uploaded"] == 1
    (row,) = world.manifest()
    assert (row["path"], row["source"]) == (file.name, str(file.parent))


def test_an_empty_directory(world: World) -> None:
    """An empty directory is no error, and the command says that it is empty."""
    done = run("upload", str(world.source), *world.local).expect(0)
    assert "no files to upload" in done.out


def test_a_directory_that_lost_its_files(world: World) -> None:
    """A directory that is empty although the journal knows its files is probably not mounted; --allow-empty overrides
    that."""
    world.fill(3)
    world.upload(*world.local).expect(0)
    shutil.rmtree(world.source)
    world.source.mkdir()
    done = run("upload", str(world.source), *world.local).expect(3)
    assert "Is it mounted?" in done.out
    world.upload(*world.local).expect(3)
    run("upload", str(world.source), *world.local, "--allow-empty").expect(0)
    assert {row["status"] for row in world.manifest()} == {"uploaded"}


def test_unreadable_files_and_directories(world: World) -> None:
    """Both count as unreadable, the other files are uploaded, and the exit code is 3."""
    if os.geteuid() == 0 and not sys.platform.startswith("linux"):
        pytest.skip("root reads everything, and only Linux can take that right away")
    (world.source / "fine.txt").write_bytes(b"fine")
    (world.source / "secret.txt").write_bytes(b"secret")
    (world.source / "secret.txt").chmod(0o000)
    closed = world.source / "closed"
    closed.mkdir()
    (closed / "inside.txt").write_bytes(b"inside")
    closed.chmod(0o000)
    done = world.upload(*world.local, preexec_fn=without_root_rights).expect(3, "Permission denied")
    closed.chmod(0o755)
    assert done.summary["files"]["unreadable"] == 2
    assert done.summary["files"]["uploaded"] == 1


def without_root_rights() -> None:
    """Remove root's right to read everything from this process and its children. Other users are not affected."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_names_of_every_kind(world: World) -> None:
    """Names may contain newlines, control characters, percent signs, and bytes that are not UTF-8."""
    names = [b"line\nbreak.txt", b"\x1b[31mred.txt", b"100%25 #?&+.txt", b" ", b"-rf", b"x" * 255, b"\xff\xfe.txt"]
    for name in names:
        with open(os.path.join(os.fsencode(world.source), name), "wb") as file:
            file.write(name)
    done = world.upload(*world.local).expect(0)
    assert done.summary["files"]["uploaded"] == len(names)
    rows = world.manifest()
    assert {row["path"].encode() for row in rows if "path_b64" not in row} == set(names[:-1])
    assert [row["path_b64"] for row in rows if "path_b64" in row] == ["//4udHh0"]
    assert world.upload(*world.local).expect(0).summary["files"]["skipped"] == len(names)


def test_object_keys_with_control_characters(world: World) -> None:
    """A form carries them as they are. The query that asks for the form is percent-encoded."""
    names = ["line\nbreak.mp4", "return\r.mp4", "both\r\n.mp4", "tab\t.mp4", "folder\n/\x7f.mp4"]
    for name in names:
        (world.source / name).parent.mkdir(exist_ok=True)
        (world.source / name).write_bytes(name.encode())
    with serving(world.store) as url:
        options = [*world.to(url, "xvid"), "--pipeline-id", "p1"]
        world.upload(*options, env=TOKEN).expect(0)
        assert world.upload(*options, env=TOKEN).expect(0).summary["files"]["skipped"] == len(names)
    objects = world.store / "objects" / "xvid-mediahub" / "tmp" / "p1" / "uploads"
    assert [(objects / name).read_bytes() for name in names] == [name.encode() for name in names]
    assert {row["remote"]["object_key"] for row in world.manifest()} == {f"uploads/{name}" for name in names}


def test_empty_files(world: World) -> None:
    """An empty file is uploaded."""
    (world.source / "empty.mp4").touch()
    with serving(world.store) as url:
        world.upload(*world.to(url), env=TOKEN).expect(0)
    assert world.verify() == 1
    assert world.manifest()[0]["md5"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_a_file_over_the_limit(world: World) -> None:
    """A file too large for one PUT is rejected without an API call. The exit code is 3."""
    with open(world.source / "huge.mp4", "wb") as file:
        file.truncate(5 * 1024**3 + 1)
    with serving(world.store) as url:
        done = world.upload(*world.to(url), env=TOKEN).expect(3, "huge.mp4")
    assert done.summary["presign"]["calls"] == 0
    assert done.summary["files"]["rejected"] == 1
    assert str(5 * 1024**3) in world.manifest()[0]["error"]


def test_links_and_special_files_are_passed_over(world: World) -> None:
    """Links and pipes are counted as ignored. A loop of links does not hang the run."""
    world.fill(2)
    (world.source / "loop").symlink_to(world.source)
    (world.source / "dangling").symlink_to("nowhere")
    os.mkfifo(world.source / "pipe")
    summary = world.upload(*world.local).expect(0).summary
    assert (summary["ignored"]["symlinks"], summary["ignored"]["special"]) == (2, 1)
    following = world.upload(*world.local, "--symlinks", "follow").expect(3, "dangling").summary
    assert (following["files"]["found"], following["ignored"]["symlinks"]) == (3, 1)


def make_deep(root: Path, name: bytes, depth: int) -> list[str]:
    """Make folders below one another, some with files before and after the next folder; return the files' paths."""
    at, paths = os.open(root, os.O_RDONLY), []
    for level in range(depth):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        if level % 450 == 0 or level == depth - 1:
            for file in (b"a.mp4", b"z.mp4"):
                fd = os.open(file, os.O_WRONLY | os.O_CREAT, dir_fd=at)
                os.write(fd, b"%d %s" % (level, file))
                os.close(fd)
                paths.append("/".join([name.decode()] * (level + 1) + [file.decode()]))
    os.close(at)
    return paths


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


@pytest.fixture
def deep_source(world: World) -> Iterator[Path]:
    """A source that pytest need not remove: its own function is recursive."""
    yield world.source
    subprocess.run(["rm", "-rf", world.source], check=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (b"d", ""),
        (b"long-name", ""),  # with paths beyond PATH_MAX
        (b"long-name", "--symlinks inside"),
        (b"long-name", "--symlinks follow --processes 2"),
    ],
)
def test_a_tree_of_1500_nested_folders(world: World, deep_source: Path, name: bytes, options: str) -> None:
    """Every file is uploaded, with a hard limit of 256 descriptors."""
    paths = make_deep(deep_source, name, 1500)
    (deep_source / "healthy.mp4").write_bytes(b"healthy")

    def upload() -> dict[str, int]:
        done = run(
            "upload", str(deep_source), "--json", *world.local, *options.split(), preexec_fn=few_descriptors
        ).expect(0)
        files: dict[str, int] = done.summary["files"]
        return files

    assert upload()["uploaded"] == len(paths) + 1
    assert {row["path"] for row in world.manifest()} == {*paths, "healthy.mp4"}
    assert upload()["skipped"] == len(paths) + 1


def test_one_unreachable_folder_in_a_deep_tree_stops_no_other_file(world: World, deep_source: Path) -> None:
    """Also where its path is longer than the system's limit."""
    paths = make_deep(deep_source, b"long-name", 1000)
    at = os.open(deep_source, os.O_RDONLY)
    for _ in range(900):
        below = os.open(b"long-name", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.chmod(b"long-name", 0o000, dir_fd=at)
    os.close(at)
    done = run("upload", str(deep_source), "--json", *world.local, preexec_fn=without_root_rights).expect(3)
    (closed,) = [line for line in done.lines if line["event"] == "file" and line["status"] != "uploaded"]
    assert (closed["status"], closed["error"]) == ("unreadable", "Permission denied")
    assert closed["path"] == "/".join(["long-name"] * 901)
    assert done.summary["files"]["uploaded"] == len(paths) - 4


def test_files_of_bulkup_itself_are_not_uploaded(world: World) -> None:
    """Links lead to the folders of journal and store. A log event and the summary say so, each night the same."""
    (world.source / "a.mp4").write_bytes(b"a")
    (world.source / "journal").symlink_to(world.root)  # with the journal, the store and the source itself
    (world.source / "objects").symlink_to(world.store / "objects")
    for _ in range(3):
        done = world.upload(*world.local, "--symlinks", "follow", "--log-format", "json")
        files = done.expect(0, "scan.own_files").summary["files"]
        assert (files["found"], files["uploaded"] + files["skipped"]) == (1, 1)
        # The journal, its log with index, its lock; the store; and the link to its objects.
        assert done.summary["ignored"]["own"] == 6
    assert [row["path"] for row in world.manifest()] == ["a.mp4"]
    dry = run("upload", str(world.source), *world.local, "--symlinks", "follow", "--dry-run", "--json").expect(0)
    assert [line["path"] for line in dry.lines if "path" in line] == ["a.mp4"]


@pytest.mark.parametrize("inside", ["", "objects", "objects/local"])
def test_a_source_inside_the_store_is_refused(world: World, inside: str) -> None:
    """It would double with each run. The same through a link."""
    (world.source / "a.mp4").write_bytes(b"a")
    world.upload(*world.local).expect(0)
    (world.root / "link").symlink_to(world.store / inside)
    for source in (world.store / inside, world.root / "link"):
        for options in ((), ("--dry-run",)):
            run("upload", str(source), *world.local, *options).expect(2, "inside the s", "--store")
