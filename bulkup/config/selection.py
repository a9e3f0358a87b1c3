"""The settings that say which files a run is about."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from bulkup.config import kinds, units
from bulkup.config.kinds import setting


class Selection(BaseModel):
    """Which files are looked at, which of them are taken, and which are known to be done."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        defer_build=True,  # of all the classes that settings are put together of, only the last one is ever used
    )

    source: kinds.Paths = setting(
        (),
        "a path or a list of paths",
        "Directories and files to upload. Default: none; one at least is needed for a run, here or on the "
        "command line.",
    )
    source_id: kinds.Name | None = setting(
        None,
        "a name without control characters",
        "A name for the source in the journal, in place of its path: moved, mounted elsewhere or on another "
        "machine it is still the same source, and nothing is uploaded again. For a run with one source. A name "
        "that is new takes over what was uploaded from this path, or from the path that it spells. Default: not "
        "set; a source goes by its real path.",
    )
    include: kinds.Patterns = setting(
        (),
        "patterns in gitignore form",
        "Patterns of files to take, relative to their source; all others are left out. Default: none, "
        "which takes every file.",
    )
    exclude: kinds.Patterns = setting(
        (),
        "patterns in gitignore form",
        "Patterns of files to leave out, relative to their source; stronger than `include`. Default: none.",
    )
    files_from: kinds.PathText | None = setting(
        None,
        "the path of a list, or - for standard input",
        "A list of the files to upload, a path a line, instead of walking the source; paths are relative to the "
        "source, or absolute and inside it. Default: not set.",
    )
    null: bool = setting(
        False,
        "true or false",
        "Paths in the list of `files_from` end in a NUL byte instead of a line end, as `find -print0` "
        "writes them. Default: false.",
    )
    min_size: kinds.Size | None = setting(
        None,
        units.SIZE,
        "Files smaller than this are left out. Bytes; k, M, G and T are powers of 1024. Default: no limit.",
    )
    max_size: kinds.Size | None = setting(
        None,
        f"{units.SIZE}, and not below min_size",
        "Files larger than this are left out. Bytes; k, M, G and T are powers of 1024. Default: no limit "
        "but the service's own.",
    )
    min_age: kinds.Duration = setting(
        0.0,
        units.DURATION,
        "Files changed less than this long ago are left to the next run, because they may still be written "
        "to. Seconds. Default: 0, no wait: a file that changes while it is read is found out anyway.",
    )
    hidden: Literal["include", "skip"] = setting(
        "include",
        "include or skip",
        "Files whose name begins with a dot, and what lies in directories of such a name. "
        "Default: `include`, because nothing is left out unasked.",
    )
    symlinks: Literal["skip", "inside", "follow"] = setting(
        "skip",
        "skip, inside or follow",
        "Symbolic links: `skip` them, follow those that stay `inside` their source, or `follow` all. "
        "Default: `skip`, because a link can lead to files nobody meant to hand out.",
    )
    unsupported: Literal["report", "skip"] = setting(
        "report",
        "report or skip",
        "What becomes of files whose extension the service does not take: `report` rejects them and counts "
        "for exit status 3, `skip` passes over them. Default: `report`, because a file left behind should "
        "be known.",
    )
    identity: Literal["strict", "default", "content"] = setting(
        "default",
        "strict, default or content",
        "What proves that a file is the one uploaded before: `default` believes size and modification time, "
        "and reads the file again where other metadata differs; `strict` sends again where any metadata "
        "differs; `content` reads every file. Default: `default`.",
    )
    reupload_expired: bool = setting(
        False,
        "true or false",
        "Files that were uploaded, and that the service has deleted by now by its own rules, count as not "
        "uploaded and go again. Default: false, because they may have served their purpose; a run and `bulkup "
        "status` say how many there are.",
    )
    allow_empty: bool = setting(
        False,
        "true or false",
        "A source that is empty although files of it were uploaded before is fine. Default: false, because "
        "that is what a lost mount looks like.",
    )

    @field_validator("max_size")
    @classmethod
    def _not_below_min_size(cls, value: int | None, info: ValidationInfo) -> int | None:
        smallest = info.data.get("min_size")
        if value is not None and smallest is not None and value < smallest:
            raise ValueError(f"expected a size not below min_size, which is {smallest} bytes")
        return value
