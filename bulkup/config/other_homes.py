"""Journals of the same name in the state folders of other homes: with another HOME, a new journal would be begun."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterable, Iterator, Mapping

from bulkup.config.loading import ResolvedSettings
from bulkup.config.paths import journal_path
from bulkup.config.user_dirs import user_state_dir
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import BulkupError


def other_homes_warnings(
    resolved: ResolvedSettings, environ: Mapping[str, str], homes: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Return a warning if a run would begin a new journal while another home has one of its name.

    Looks in `homes`, by default that of this user in the system's list of users, that of the user who started sudo, and
    that of the owner of the configuration file. A journal that is named, or whose folder is, does not depend on HOME.
    """
    settings = resolved.settings
    if settings.journal is not None or os.path.isabs(environ.get("XDG_STATE_HOME", "")):
        return ()
    try:
        folder = user_state_dir(environ)
        journal = journal_path(settings, resolved.profile, settings.source, environ, resolved.config_file)
    except BulkupError:  # the run will report it
        return ()
    here = os.path.expanduser("~") + "/"
    if os.path.lexists(journal) or not folder.startswith(here):
        return ()
    for home in _homes(environ, resolved.config_file) if homes is None else homes:
        other = os.path.join(home, folder.removeprefix(here), os.path.basename(journal))
        if other != journal and os.path.isfile(other):
            warning = (
                f"this run begins a new journal, {escape_surrogates(journal)}, so everything is uploaded again; the "
                f"home {home} has one of the same name: to continue it, use --journal {escape_surrogates(other)}"
            )
            return (warning,)
    return ()


def _homes(environ: Mapping[str, str], config_file: str | None) -> Iterator[str]:
    with contextlib.suppress(KeyError):
        yield pwd.getpwuid(os.geteuid()).pw_dir
    with contextlib.suppress(KeyError):
        yield pwd.getpwnam(environ["SUDO_USER"]).pw_dir
    if config_file is not None:
        with contextlib.suppress(KeyError, OSError):
            yield pwd.getpwuid(os.stat(config_file).st_uid).pw_dir
