"""The settings that choose the files of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bulkup.config.checked_model import CheckedModel, check
from bulkup.config.declaration import Option, Panel, setting
from bulkup.config.setting_types import (
    Count,
    OptionalSeconds,
    OptionalShard,
    OptionalSize,
    Paths,
    PathText,
    Patterns,
    Seconds,
)
from bulkup.config.units import SIZE


class Selection(CheckedModel):
    """Which files are found, which of them are uploaded, and which count as uploaded already."""

    source: Paths = setting(
        (),
        "Directories and files to upload.",
        about_default="A run needs at least one, here or on the command line.",
        option=Option("Directories or files.", Panel.RUN, names=("SOURCE",)),
    )
    include: Patterns = setting(
        (),
        "Patterns of files to upload, relative to their source. Other files are left out.",
        about_default="Every file is uploaded.",
        option=Option("Upload only files that match; gitignore syntax.", Panel.FILES),
    )
    exclude: Patterns = setting(
        (),
        "Patterns of files to leave out, relative to their source. They override `include`.",
        option=Option("Leave out files that match; gitignore syntax.", Panel.FILES),
    )
    exclude_from: Paths = setting(
        (),
        "Files with further patterns to leave out, one per line, as in a `.gitignore` file. `exclude` is applied after "
        "them.",
        option=Option("Leave out files that match a pattern in FILE; may be repeated.", Panel.FILES),
        expects="paths of files with patterns",
    )
    ignore_file: bool = setting(
        True,
        "Read the file `.bulkupignore` at the top of a source: its lines are patterns to leave out, and come before "
        "those of `exclude_from` and `exclude`. The file itself is not uploaded.",
        about_default="A file of that name in a source is meant for bulkup.",
        option=Option(
            "Read .bulkupignore at the top of a source.", Panel.FILES, names=("--ignore-file/--no-ignore-file",)
        ),
    )
    files_from: PathText | None = setting(
        None,
        "A list of the files to upload, one path per line. The source is not walked then. Paths are relative to the "
        "source, or absolute and inside it.",
        expects="the path of a list, or - for standard input",
        option=Option("Upload the files named in FILE (- is stdin), relative to SOURCE.", Panel.FILES),
    )
    null: bool = setting(
        False,
        "Paths in the list of `files_from` end in a NUL byte instead of a line end, as `find -print0` writes them.",
        option=Option("Names in --files-from end in NUL.", Panel.FILES, names=("--null", "-0")),
    )
    shard: OptionalShard = setting(
        None,
        "Take only the files of shard K of N, such as `2/4`, so that N runs share a tree. A hash of its path relative "
        "to the source decides where a file belongs: always to the same shard, on every machine and wherever the "
        "source is mounted. Each run walks the whole tree, and counts the files of the other shards. A directory that "
        "cannot be read is reported by all shards."
        "\n\n"
        "Each shard has a journal of its own, whose name ends in `+KofN`. `bulkup manifest merge` makes one manifest "
        "of them. A run with another N, or without a shard, would not know what the earlier ones uploaded, and is "
        "refused. docs/how-to/shards.md explains how to plan shards.",
        about_default="A run takes all files.",
        option=Option("Take only the files of shard K of N, e.g. 2/4.", Panel.FILES),
    )
    min_size: OptionalSize = setting(
        None,
        "Smaller files are left out.",
        about_default="There is no limit.",
        option=Option("Smallest file, e.g. 10k.", Panel.FILES),
    )
    max_size: OptionalSize = setting(
        None,
        "Larger files are left out.",
        about_default="The service's own limit is the only one.",
        expects=f"{SIZE}, and not below min_size",
        option=Option("Largest file, e.g. 2G.", Panel.FILES),
    )
    min_age: Seconds = setting(
        0.0,
        "Files that changed less than this time ago are left to the next run, because they may still be written to.",
        about_default="No file waits, because a run detects files that change while it reads them.",
        option=Option("Leave out files changed less than this ago, e.g. 5m.", Panel.FILES),
    )
    max_age: OptionalSeconds = setting(
        None,
        "Files that changed longer than this time ago are left out.",
        about_default="There is no limit.",
        option=Option("Leave out files changed longer than this ago, e.g. 30d.", Panel.FILES),
    )
    max_depth: Count | None = setting(
        None,
        "How many levels of directories are walked: 1 is the files at the top of a source alone.",
        about_default="There is no limit.",
        option=Option("Levels of directories to walk; 1 is the top of the source.", Panel.FILES),
    )
    hidden: Literal["include", "skip"] = setting(
        "include",
        "Files whose name begins with a dot, and everything in directories with such a name.",
        about_default="Nothing is left out unless you ask for it.",
        option=Option("Names that begin with a dot.", Panel.FILES),
    )
    symlinks: Literal["skip", "inside", "follow"] = setting(
        "skip",
        "Symbolic links: `skip` them, follow those that stay `inside` their source, or `follow` all.",
        about_default="A link can lead to files that should not be shared.",
        option=Option("Follow no links, those inside the source, or all.", Panel.FILES),
    )
    identity: Literal["strict", "default", "content", "size-mtime"] = setting(
        "default",
        "How a run recognises a file that was uploaded before. `default` compares size and modification time, and "
        "reads the file again if other metadata differs. `strict` uploads again if any metadata differs. `content` "
        "reads every file. `size-mtime` trusts size and modification time alone."
        "\n\n"
        "While a file is read, inode, device and change time are compared as well, to notice that it changes or that "
        "another file takes its place. On file systems whose inodes or change times are not stable, as on some FUSE "
        "mounts, every file then counts as changed in every run. There `size-mtime` leaves out inode and change time. "
        "A change that keeps size and modification time is not noticed. Links are guarded against as before.",
        option=Option("How to recognise a file that was uploaded before.", Panel.FILES),
    )
    reupload_expired: bool = setting(
        False,
        "Upload files again that the service has deleted by its own rules.",
        about_default="They may have served their purpose. A run and `bulkup status` show how many there are.",
        option=Option("Upload again what the service has deleted.", Panel.FILES),
    )
    retry_rejected: bool = setting(
        False,
        "Ask again for files that the service rejected in an earlier run. That also happens once the file or the "
        "settings of the service have changed.",
        about_default="The service would reject them again, and each question costs a call.",
        option=Option("Ask again for files that the service rejected.", Panel.FILES),
    )
    unsupported: Literal["report", "skip"] = setting(
        "report",
        "Files whose extension the service does not accept, and those that it rejected in an earlier run: `report` "
        "rejects them and counts for exit code 3, `skip` ignores them.",
        about_default="A file that is not uploaded should not go unnoticed.",
        option=Option("Files whose extension the service does not accept.", Panel.FILES),
    )
    on_change: Literal["skip", "retry", "fail"] = setting(
        "skip",
        "A file that changes or disappears while it is read. `skip` leaves it to the next run and counts for exit "
        "code 3. `retry` first checks it again up to three times, after 1, 4 and 16 seconds. `fail` counts it as "
        "failed. In no case is it recorded as uploaded with bytes of two versions."
        "\n\n"
        "Each further check uses the current state of the file. It is left to the next run if `min_age`, `min_size` or "
        "`max_size` now exclude it, or if its place at the service would change. It gets a new upload URL, and the id "
        "that was issued for its earlier content becomes an orphan.",
        about_default="A file that is being written is best uploaded once it is complete.",
        option=Option("Files that change or disappear while they are read.", Panel.FILES),
    )
    allow_empty: bool = setting(
        False,
        "Accept an empty source even if files were uploaded from it before.",
        about_default="A source that is suddenly empty is often a lost mount.",
        option=Option("Accept an empty source that had files before.", Panel.FILES),
    )

    delete_after_upload: bool = setting(
        False,
        "Remove each file from its source once its upload is proven and recorded in the journal. Files that are "
        "`unverified`, that have changed since, or that have other hard links stay. So do empty directories.",
        about_default="bulkup changes no source unless you ask for it.",
        option=Option("Remove files from the source once their upload is proven.", Panel.FILES),
    )
    move_to: PathText | None = setting(
        None,
        "Move each file to this directory, in place of removing it as `delete_after_upload` does. Its path below the "
        "source is kept. No file there is overwritten: the new one gets a number before its extension. The directory "
        "is outside every source, and on the same file system.",
        about_default="Files stay in their source.",
        expects="the path of a directory, without delete_after_upload",
        option=Option("Move files there once their upload is proven.", Panel.FILES, metavar="DIR"),
    )

    @classmethod
    @check("delete_after_upload")
    def _identity_is_compared(cls, value: bool, others: Mapping[str, Any]) -> bool:
        if value:
            _require_whole_identity(others)
        return value

    @classmethod
    @check("move_to")
    def _one_way_only(cls, value: str | None, others: Mapping[str, Any]) -> str | None:
        if value is not None:
            if others.get("delete_after_upload"):
                raise ValueError("expected no directory, since delete_after_upload removes the files")
            _require_whole_identity(others)
        return value

    @classmethod
    @check("max_size")
    def _not_below_min_size(cls, value: int | None, others: Mapping[str, Any]) -> int | None:
        smallest = others.get("min_size")
        if value is not None and smallest is not None and value < smallest:
            raise ValueError(f"expected a size not below min_size, which is {smallest} bytes")
        return value


def _require_whole_identity(settings: Mapping[str, Any]) -> None:
    """Raise ValueError where a file is not compared by its whole identity: another file might be removed."""
    identity = settings.get("identity")
    if identity in ("content", "size-mtime"):
        raise ValueError(f"expected identity default or strict with it, which is {identity}")
