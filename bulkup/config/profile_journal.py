"""The journal of a profile, if several configuration files have a profile of that name.

Beside a journal, a file with the end `.config` says which configuration file it belongs to, and what was uploaded with
it. A run writes it. Journals from before have none: every configuration file with that profile uses them, as before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from bulkup.config.settings import Settings
from bulkup.config.shard_journals import without_shard
from bulkup.config.toml_file import read
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import BulkupError, UsageError
from bulkup.helpers.private_files import make_private_folder, open_private
from bulkup.helpers.quick_dataclass import dataclass

_END = ".sqlite3"
_RECORD_END = ".config"
_LARGEST_RECORD = 1024**2  # bytes
_MOST_SOURCES = 100  # that are remembered
_NEW = os.O_WRONLY | os.O_EXCL


@dataclass(frozen=True, slots=True)
class JournalOwner:
    """The configuration file that a journal belongs to; provider and real paths of the sources of its runs."""

    config_file: str
    provider: str | None
    sources: frozenset[str]


def profile_journal(common: str, settings: Settings, profile: str, config_file: str) -> str:
    """Return the path of the journal of a profile in a configuration file.

    `common` is the path that the name of the profile alone gives. It belongs to the first configuration file that uses
    it. Another one gets a path with a hash in it. Raises UsageError if that one uploads what is in another journal
    already: then perhaps the file was copied, and with a new journal everything would be uploaded again.
    """
    owners = dict(_owners(common))
    for journal, owner in owners.items():
        if _same_file(owner.config_file, config_file):
            return journal
    if common not in owners:
        return common
    wanted = _roots(settings.source)
    for journal, owner in owners.items():
        if owner.provider == settings.provider and _overlap(owner.sources, wanted):
            if _has_profile(owner.config_file, profile):
                raise _copied(journal, owner.config_file, profile, config_file)
            return journal  # the configuration file was moved, or the profile was
    if not _has_profile(owners[common].config_file, profile):
        return common
    digest = hashlib.sha256(os.fsencode(os.path.realpath(config_file))).hexdigest()
    return f"{common.removesuffix(_END)}@{digest[:8]}{_END}"  # no name of a profile gives `@`


def claim_journal(journal: str, settings: Settings, profile: str, config_file: str) -> bool:
    """Record that a journal belongs to a configuration file, unless it is older than such records.

    Return False if another configuration file has claimed a new journal in the meantime.
    """
    owner = _owner(journal)
    if owner is None and os.path.lexists(journal):
        return True
    sources = _roots(settings.source)
    if (
        owner is not None
        and not _same_file(owner.config_file, config_file)
        and _has_profile(owner.config_file, profile)
    ):
        return False
    if owner is not None and owner.provider == settings.provider:
        sources |= owner.sources
    kept = frozenset(sorted(sources)[:_MOST_SOURCES])
    new = JournalOwner(os.path.realpath(config_file), settings.provider, kept)
    return new == owner or _write(journal + _RECORD_END, new, is_new=owner is None)


def profile_of_journal(journal: str) -> tuple[str, str] | None:
    """Return the profile whose runs wrote a journal, and its configuration file; None if it is not known or is gone."""
    common, _ = without_shard(journal)
    owner, name = _owner(common), os.path.basename(common).removesuffix(_END).partition("@")[0]
    return (name, owner.config_file) if owner is not None and _has_profile(owner.config_file, name) else None


def _write(path: str, owner: JournalOwner, *, is_new: bool) -> bool:
    """Write a record as a whole, and return False if `is_new` and there is one by now."""
    texts = {"config_file": owner.config_file, "provider": owner.provider, "sources": sorted(owner.sources)}
    unfinished = f"{path}.{secrets.token_hex(8)}"
    try:
        make_private_folder(os.path.dirname(path))
        with open(open_private(unfinished, _NEW), "wb") as file:
            file.write(orjson.dumps(_encoded(texts)) + b"\n")
        try:
            (os.link if is_new else os.rename)(unfinished, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
    except FileExistsError:
        return False
    except OSError:
        pass  # the journal cannot be written there either, which its own error explains
    return True


def _owners(common: str) -> Iterator[tuple[str, JournalOwner]]:
    """Yield the journals of profiles with this name that have a record, the common one first."""
    folder, name = os.path.split(common)
    start, end = f"{name.removesuffix(_END)}@", _END + _RECORD_END
    try:
        others = sorted(one for one in os.listdir(folder) if one.startswith(start) and one.endswith(end))
    except OSError:
        others = []
    for one in (name, *(other.removesuffix(_RECORD_END) for other in others)):
        journal = os.path.join(folder, one)
        if (owner := _owner(journal)) is not None:
            yield journal, owner


def _owner(journal: str) -> JournalOwner | None:
    """Return the record of a journal, None if there is none that can be read."""
    try:
        with open(journal + _RECORD_END, "rb") as file:
            found: Any = _decoded(orjson.loads(file.read(_LARGEST_RECORD)))
        return JournalOwner(str(found["config_file"]), found["provider"], frozenset(map(str, found["sources"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _encoded(value: Any) -> Any:
    """Return a record for JSON, in which names that are not UTF-8 are replaced by their bytes as Latin-1."""
    if isinstance(value, str):
        return os.fsencode(value).decode("latin-1")
    if isinstance(value, list):
        return [_encoded(part) for part in value]
    return {key: _encoded(part) for key, part in value.items()} if isinstance(value, dict) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, str):
        return os.fsdecode(value.encode("latin-1"))
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    return {key: _decoded(part) for key, part in value.items()} if isinstance(value, dict) else value


def _same_file(path: str, other: str) -> bool:
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    with contextlib.suppress(OSError):
        return os.path.samefile(path, other)
    return False


def _has_profile(config_file: str, profile: str) -> bool:
    try:
        return profile in read(config_file, shown=config_file).profiles
    except BulkupError:  # it was moved, or cannot be used
        return False


def _roots(sources: Iterable[str]) -> frozenset[str]:
    return frozenset(os.path.realpath(source).rstrip("/") + "/" for source in sources)


def _overlap(roots: Iterable[str], others: frozenset[str]) -> bool:
    """Return whether one of the sources is, contains or is inside one of the others."""
    return any(root.startswith(other) or other.startswith(root) for root in roots for other in others)


def _copied(journal: str, owner: str, profile: str, config_file: str) -> UsageError:
    shown = escape_surrogates(journal)
    return UsageError(
        f"the profile {profile} is in {escape_surrogates(owner)} too, with the same source, whose uploads are in the "
        f"journal {shown}",
        hint=f'to continue that journal, write `journal = "{shown}"` into the profile in '
        f"{escape_surrogates(config_file)}; for a journal of its own, name another file there, and all files are "
        "uploaded again",
    )
