"""`bulkup retry`: upload the files that the journal has as not uploaded, without walking the sources."""

from __future__ import annotations

import os
import sys
from typing import Any

from bulkup.cli import entry
from bulkup.cli.journal_choice import settings_of_journal
from bulkup.cli.run_settings import load_settings, load_upload_settings
from bulkup.cli.setting_options import setting_options
from bulkup.cli.shared_options import Config, Json, Profile
from bulkup.cli.upload import Sources
from bulkup.config import journal_path
from bulkup.config.catalogue import settings_in
from bulkup.config.declaration import Panel
from bulkup.errors import UsageError


@setting_options(*settings_in(*Panel))
def retry(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    json: Json = None,
    **options: Any,
) -> None:
    """Upload again files that failed, changed or were unreadable, and those that an interrupted run left.

    The files come from the journal, so the sources are not walked. The settings are those of `bulkup upload`, and so
    are the exit codes. With --retry-rejected, rejected files are asked for again too. Without a provider, the service
    is that of the journal's last run.

    Examples:
    bulkup retry --profile nightly
    bulkup retry /data/media --provider s3 --bucket media --retry-rejected
    """
    given = {"source": source or None, "json": json, **options}
    if profile is None and load_settings(given, profile, config).settings.provider is None:
        resolved = settings_of_journal(given, config)
    else:
        resolved = load_upload_settings(given, profile, config)
    settings = resolved.settings
    if settings.watch:
        raise UsageError("a retry ends, so it has no --watch", hint="`bulkup upload --watch` looks at all files first")
    path = journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
    if not os.path.exists(path):
        hint = "run `bulkup upload` first, or give the options of that run"
        raise UsageError(f"there is nothing to retry: there is no journal {path}", hint=hint)
    sys.exit(entry.upload(resolved, retry=True))
