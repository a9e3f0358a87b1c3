"""Choose the journal for a command: the one named, that of a profile or of sources, or the only one there is."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bulkup.cli.given_options import given_options, service_options
from bulkup.cli.run_settings import load_settings
from bulkup.config import ResolvedSettings, Settings, journal_path
from bulkup.config.profile_journal import profile_of_journal
from bulkup.config.provider_declarations import LOCAL
from bulkup.config.provider_plugins import declaration_of, provider_names
from bulkup.config.shard_journals import journals_of_shards, without_shard
from bulkup.config.user_dirs import user_state_dir
from bulkup.errors import BulkupError, MachineError, UsageError
from bulkup.journal import Reader
from bulkup.model.journal_rows import RunRow
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.safe_text import printable, printable_path


class ChosenJournal(NamedTuple):
    """The path of a journal, and the settings that led to it."""

    path: str
    resolved: ResolvedSettings


def chosen_journal(
    source: list[str] | None,
    profile: str | None,
    config: str | None,
    provider: str | None,
    source_id: str | None,
    journal: str | None,
    shard: str | None = None,
) -> str:
    """Return the path of the journal that these options name; see `choose_journal`."""
    return choose_journal(source, profile, config, provider, source_id, journal, shard=shard).path


def choose_journal(
    source: list[str] | None,
    profile: str | None,
    config: str | None,
    provider: str | None,
    source_id: str | None,
    journal: str | None,
    **others: Any,
) -> ChosenJournal:
    """Return the journal that these options name; `others` are further settings.

    Raises UsageError if there is none, or more than one, or if no run of it had one of the sources.
    """
    given = {"source": source or None, "provider": provider, "source_id": source_id, "journal": journal}
    found = load_settings(given | others, profile, config)
    path = _named_journal(found) or _only_journal(found.settings)
    _require_named_shard(path, found.settings)
    if source and os.path.exists(path):
        _require_known(path, source, found.settings.source_id)
    return ChosenJournal(path, found)


def journals_of_files(
    profile: str | None,
    config: str | None,
    provider: str | None,
    source_id: str | None,
    journal: str | None,
    shard: str | None = None,
) -> list[ChosenJournal]:
    """Return the journals that may have a file: the one that the options name, or else all of this user.

    Without the number of a shard, those are the journals of all its shards.
    """
    given = {"provider": provider, "source_id": source_id, "journal": journal, "shard": shard}
    found = load_settings(given, profile, config)
    path = _named_journal(found)
    if path is not None:
        of_shards = journals_of_shards(path) if found.settings.shard is None and not os.path.exists(path) else []
        return [ChosenJournal(one.path, found) for one in of_shards] or [ChosenJournal(path, found)]
    folder = user_state_dir(os.environ)
    paths = _journals_in(folder, found.settings.provider)
    if not paths:
        raise _no_journal(found.settings, folder)
    return [ChosenJournal(path, found) for path in paths]


def options_of(chosen: ChosenJournal, last: RunRow | None) -> JournalOptions:
    """Return the options with which commands find a journal, and a run also its service. `last` is its last run."""
    resolved = _of_its_profile(chosen) or chosen.resolved
    if resolved.profile is not None:
        return given_options(resolved)
    parts, service, sources = _option_parts(chosen, last)
    return JournalOptions(shlex.join([*parts, *sources]), shlex.join([*parts, *service, *sources]))


def options_of_run(chosen: ChosenJournal, last: RunRow | None) -> list[str]:
    """Return the arguments of a run that continues a journal without a profile."""
    parts, service, sources = _option_parts(chosen, last)
    return [*parts, *service, *sources]


def _option_parts(chosen: ChosenJournal, last: RunRow | None) -> tuple[list[str], list[str], list[str]]:
    """Return the options that lead to the journal, those of its service, and the sources."""
    settings = chosen.resolved.settings
    provider = settings.provider or (last.provider if last is not None else None)
    sources = list(settings.source) or [os.fsdecode(root) for root in (last.sources if last is not None else ())]
    parts = [] if _leads_to(chosen, provider, sources) else ["--journal", settings.journal or chosen.path]
    parts += ["--provider", provider] if provider is not None else []
    parts += ["--source-id", settings.source_id] if settings.source_id is not None else []
    shard = settings.shard or (last.shard if last is not None else None)
    parts += ["--shard", str(shard)] if shard is not None else []
    return parts, service_options(chosen.resolved) or _address(last), sources


def settings_of_journal(options: Mapping[str, Any], config: str | None) -> ResolvedSettings:
    """Return the settings of a run that goes on with the journal that some options name without a provider.

    They are those of its profile, or else provider, address and sources of its last run. The options are added. Raises
    UsageError as `choose_journal` does.
    """
    named = {name: options.get(name) for name in ("source", "source_id", "journal", "shard")}
    chosen = choose_journal(
        named["source"], None, config, None, named["source_id"], named["journal"], shard=named["shard"]
    )
    if (owner := _of_its_profile(chosen)) is not None:
        return load_settings(options, owner.profile, owner.config_file)
    with Reader(chosen.path) as reader:
        last = next(reader.runs(), None)
    if last is None:
        return load_settings(options, None, config)
    found: dict[str, Any] = {
        "provider": last.provider,
        "source": list(map(os.fsdecode, last.sources)),
        "shard": last.shard,
    }
    if not _leads_to(chosen, last.provider, named["source"] or found["source"]):
        found["journal"] = chosen.path
    if address := _address(last):
        found[address[0].removeprefix("--").replace("-", "_")] = address[1]
    given = {name: value for name, value in options.items() if value not in (None, [])}
    return load_settings({**found, **given}, None, config)


def _of_its_profile(chosen: ChosenJournal) -> ResolvedSettings | None:
    """Return the settings of the profile whose journal was found without its name, None if there is none."""
    resolved = chosen.resolved
    if resolved.profile is not None or resolved.settings.journal is not None:
        return None
    owner = profile_of_journal(chosen.path)
    if owner is None:
        return None
    try:
        found = load_settings({}, *owner)
        return found if _named_journal(found) == chosen.path else None
    except BulkupError:  # the profile has an error
        return None


def _leads_to(chosen: ChosenJournal, provider: str | None, sources: Sequence[str]) -> bool:
    """Return whether provider and sources alone lead to the journal."""
    settings = chosen.resolved.settings
    if settings.journal is not None or provider is None:
        return False
    try:
        return (
            journal_path(settings.model_copy(update={"provider": provider}), None, sources, os.environ) == chosen.path
        )
    except UsageError:
        return False


def _address(last: RunRow | None) -> list[str]:
    """Return the option for the address of the last run's service, unless it is the public one."""
    if last is None:
        return []
    if last.provider == LOCAL:
        return ["--store", last.base_url.removeprefix("file://")]
    try:
        public = declaration_of(last.provider).base_url
    except UsageError:  # the package of the provider is gone
        public = None
    return ["--base-url", last.base_url] if last.base_url not in ("", public) else []


def run_number(reader: Reader, name: str) -> int:
    """Return the number of the run that an option names: by its id, by the beginning of its id, or as the last one."""
    found = reader.run_numbers(name) if name else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"several runs have ids that begin with {printable(name)}", hint="give more of the id")
    if name == "last":
        raise UsageError("the journal has no runs yet", hint="`bulkup upload` makes the first one")
    raise UsageError(f"the journal has no run {printable(name)}", hint="`bulkup runs` lists them; `last` is the newest")


def _named_journal(found: ResolvedSettings) -> str | None:
    settings = found.settings
    if settings.journal is not None:
        return settings.journal
    named = settings.source or settings.source_id is not None
    if found.profile is not None or (settings.provider is not None and named):
        return journal_path(settings, found.profile, settings.source, os.environ, found.config_file)
    return None


def _require_named_shard(path: str, settings: Settings) -> None:
    """Raise UsageError where only shards have journals, and the options name none of them."""
    if settings.journal is not None or os.path.exists(path):
        return
    common, _ = without_shard(path)
    if shards := [str(one.shard) for one in journals_of_shards(common)]:
        raise UsageError(
            f"there is no journal {path}, but there are journals of the shards {', '.join(shards)}",
            hint="name one of them with --shard K/N; `bulkup manifest merge` makes one manifest of several journals",
        )


def _require_known(path: str, sources: Sequence[str], name: str | None) -> None:
    """Raise UsageError for a source that no run of the journal had: its spelling may be wrong."""
    with Reader(path) as reader:
        for source in sources:
            if not _knows(reader, source, name):
                known = ", ".join(printable_path(one.root) for one in reader.sources()) or "none"
                shown = printable(source)
                raise UsageError(f"the journal {path} knows no source {shown}", hint=f"its sources are: {known}")


def _knows(reader: Reader, source: str, name: str | None) -> bool:
    real = os.path.realpath(os.fsencode(source))
    if reader.knows_source(real, name):
        return True
    folder, file = os.path.split(real)  # a single file belongs to the source that its folder is
    if os.path.isdir(real) or not reader.knows_source(folder, name):
        return False
    return os.path.exists(real) or reader.knows_file(folder, file)


def _only_journal(settings: Settings) -> str:
    """Return the only journal of the given sources and provider.

    Raises UsageError if there is none, or more than one.
    """
    folder = user_state_dir(os.environ)
    if settings.source or settings.source_id is not None:
        every = (settings.model_copy(update={"provider": name}) for name in provider_names())
        named = dict.fromkeys(journal_path(one, None, one.source, os.environ) for one in every)
        of_shards = [one.path for path in named for one in journals_of_shards(path)]
        paths = [path for path in named if os.path.exists(path)] or of_shards
    else:
        paths = _journals_in(folder, settings.provider)
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise _no_journal(settings, folder)
    shown = "\n".join(f"  --journal {shlex.quote(path)}{_description(path)}" for path in paths)
    raise UsageError(
        f"there are several journals; name one:\n{shown}", hint="or give --profile, or --provider and the sources"
    )


def _no_journal(settings: Settings, folder: str) -> UsageError:
    which = " for these options" if settings.source or settings.provider or settings.source_id else ""
    return UsageError(
        f"there is no journal{which} in {folder} yet", hint="run `bulkup upload` first, or give --journal FILE"
    )


def _description(path: str) -> str:
    """Return the provider and the sources of the last run, to tell journals apart."""
    try:
        with Reader(path) as reader:
            run = next(reader.runs(), None)
    except BulkupError:
        return "  (cannot be read)"
    return "" if run is None else f"  ({run.provider}: {', '.join(map(printable_path, run.sources))})"


def _journals_in(folder: str, provider: str | None) -> list[str]:
    start = f"{provider}-" if provider is not None else ""
    return [os.path.join(folder, name) for name in _names(folder) if name.startswith(start)]


def _names(folder: str) -> list[str]:
    """Return the names of the journals in a folder. A link is only another name for one of them."""
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for one in entries if one.name.endswith(".sqlite3") and not one.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MachineError(f"cannot read the folder of the journals {folder}: {error.strerror or error}") from error
