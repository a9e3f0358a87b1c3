"""docs/settings.md has an entry for every setting, and the credentials of every provider."""

import os
import re

from bulkup.config import PROVIDER_DECLARATIONS
from bulkup.config.catalogue import SETTINGS
from bulkup.config.settings_page import with_reference

PAGE_PATH = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "settings.md")
with open(PAGE_PATH, encoding="utf-8") as page_file:
    PAGE = page_file.read()


def test_the_page_lists_the_credentials_of_every_provider() -> None:
    told = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert set(told) == set(PROVIDER_DECLARATIONS)
    for name, provider in PROVIDER_DECLARATIONS.items():
        secrets = {one for ways in provider.credentials for one in ways} | set(provider.optional_secrets)
        assert set(re.findall(r"`([a-z_]+)`", told[name])) == secrets


def test_the_page_has_an_up_to_date_entry_for_every_setting() -> None:
    """`make docs` writes the entries."""
    assert with_reference(PAGE) == PAGE
    assert re.findall(r"^### (.*)$", PAGE, re.MULTILINE) == list(SETTINGS)
