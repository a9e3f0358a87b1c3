"""The paths derived from the settings: the journal and the embedded server's store, both outside every source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping, Sequence

from bulkup.config.requirements import require_provider
from bulkup.config.settings import Settings
from bulkup.config.shard_journals import shard_journal, without_shard
from bulkup.config.user_dirs import user_data_dir, user_state_dir
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import UsageError

AnyPath = str | bytes

_LONGEST_NAME = 100  # characters of a profile's name in a file name; file systems allow 255 bytes


def journal_path(
    settings: Settings,
    profile: str | None,
    sources: Sequence[AnyPath],
    environ: Mapping[str, str],
    config_file: str | None = None,
) -> str:
    """Return the path of the journal: the one named, else that of the profile in its configuration file.

    Else it depends on the provider and on the name of the source, or on the paths of the sources. A shard has a journal
    of its own beside that. Raises UsageError if
    it would be inside a source, if it depends on the provider and there is none, or if another configuration file has
    the journal (see `profile_journal`).
    """
    if settings.journal is not None:
        return outside_sources(settings.journal, sources, "journal")
    path = _by_source_id(settings, profile, sources, environ)
    if path is None:
        path = os.path.join(user_state_dir(environ), _journal_name(settings, profile, sources))
        if profile is not None and config_file is not None:
            from bulkup.config.profile_journal import profile_journal  # noqa: PLC0415  # few runs have a profile

            path = profile_journal(path, settings, profile, config_file)
    return outside_sources(shard_journal(path, settings.shard), sources, "journal")


def claimed_journal(
    settings: Settings, profile: str | None, environ: Mapping[str, str], config_file: str | None
) -> str:
    """Return the path of the journal for a run, and record that it belongs to the configuration file of its profile.

    Raises UsageError like `journal_path`.
    """
    path = journal_path(settings, profile, settings.source, environ, config_file)
    if settings.journal is not None or profile is None or config_file is None:
        return path
    from bulkup.config.profile_journal import claim_journal  # noqa: PLC0415  # few runs have a profile

    # All shards of a profile belong to the same configuration file.
    if not claim_journal(without_shard(path)[0], settings, profile, config_file):  # another run has begun it meanwhile
        path = journal_path(settings, profile, settings.source, environ, config_file)
        claim_journal(without_shard(path)[0], settings, profile, config_file)
    return path


def source_id_path(settings: Settings, profile: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the path of the journal if the name of the source decides it, else None."""
    if settings.source_id is None or settings.journal is not None or profile is not None:
        return None
    path = _by_name(settings, settings.source_id, environ)
    return shard_journal(path, settings.shard)


def store_path(settings: Settings, sources: Sequence[AnyPath], environ: Mapping[str, str]) -> str:
    """Return the directory of the embedded server's store. Raises UsageError if a source contains it, or reversed."""
    path = settings.store or os.path.join(user_data_dir(environ), "store")
    for source in sources:
        if _is_below(source, path):
            shown = escape_surrogates(os.fsdecode(source))
            raise UsageError(
                f"the source {shown} is inside the store {escape_surrogates(path)}, so each run would upload what the "
                "runs before have stored",
                hint="name another store with --store, or another source",
            )
    return outside_sources(path, sources, "store")


def inside_any(path: AnyPath, sources: Sequence[AnyPath]) -> str | None:
    """Return the source that `path` is or that contains it, by real paths. Return None if there is none."""
    real = os.path.realpath(os.fsencode(path))
    for source in sources:
        root = os.path.realpath(os.fsencode(source))
        if real == root or real.startswith(root.rstrip(b"/") + b"/"):
            return os.fsdecode(source)
    return None


def _by_source_id(
    settings: Settings, profile: str | None, sources: Sequence[AnyPath], environ: Mapping[str, str]
) -> str | None:
    """Return the path of the journal if the name of the source decides it, else None.

    A journal from before the source had its name is used further: that of the path which the name spells, or that of
    the source's present path.
    """
    name = settings.source_id
    if name is None or profile is not None:
        return None
    by_name = _by_name(settings, name, environ)
    roots: list[Sequence[AnyPath]] = [[name]] if os.path.isabs(name) else []
    folder = user_state_dir(environ)
    by_path = [os.path.join(folder, _journal_name(settings, None, paths)) for paths in (*roots, sources)]
    return os.path.realpath(next(filter(os.path.exists, (by_name, *by_path)), by_name))


def _by_name(settings: Settings, name: str, environ: Mapping[str, str]) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return os.path.join(user_state_dir(environ), f"{require_provider(settings)}-id-{digest[:12]}.sqlite3")


def _is_below(path: AnyPath, folder: str) -> bool:
    """Return whether a path is `folder` or lies below it. Compares inodes, because mounts give folders other names."""
    with contextlib.suppress(OSError):
        wanted, at = os.stat(folder), os.path.realpath(os.fsencode(path))
        while not os.path.samestat(os.stat(at), wanted):
            above = os.path.dirname(at)
            if above == at:
                return False
            at = above
        return True
    return False


def outside_sources(path: str, sources: Sequence[AnyPath], setting: str) -> str:
    """Return a path. Raises UsageError, which names the setting, if it is inside a source."""
    source = inside_any(path, sources)
    if source is not None:
        raise UsageError(
            f"{setting}: {escape_surrogates(path)} is inside the source {escape_surrogates(source)}, "
            "so it would be uploaded and change while it is read",
            hint=f"name a path outside every source with --{setting.replace('_', '-')}",
        )
    return path


def _journal_name(settings: Settings, profile: str | None, sources: Sequence[AnyPath]) -> str:
    if profile is not None:
        return f"{_file_name(profile)}.sqlite3"
    roots = sorted({os.path.realpath(os.fsencode(source)) for source in sources})
    digest = hashlib.sha256(b"\0".join(roots)).hexdigest()
    return f"{require_provider(settings)}-{digest[:12]}.sqlite3"


def _file_name(profile: str) -> str:
    """Return a file name for a profile. A name with special characters is replaced, and a hash keeps it distinct."""
    plain = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", profile)[:_LONGEST_NAME] or "_"
    if plain == profile:
        return plain
    digest = hashlib.sha256(profile.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{plain}-{digest[:8]}"
