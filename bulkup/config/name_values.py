"""Settings that give names a value each, such as metadata: as a table of a profile, or as texts `name=value`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NameValueRules:
    """Which names and values are allowed, as patterns. `expects` completes the sentence "expected ...".

    Names become lower case, unless `keeps_case`.
    """

    name: re.Pattern[str]
    value: re.Pattern[str]
    expects: str
    keeps_case: bool = False

    def parse(self, value: object) -> Mapping[str, str]:
        """Return the values by name. Takes a mapping, or texts `name=value`. Raises ValueError."""
        found: dict[str, str] = {}
        for given, kept in self._pairs(value):
            name = given if self.keeps_case else given.lower()
            if not self.name.fullmatch(name) or not self.value.fullmatch(kept):
                raise ValueError(f"expected {self.expects}")
            if name in found:
                raise ValueError(f"expected {self.expects}: {name} is given twice")
            found[name] = kept
        return found

    def _pairs(self, value: object) -> Iterable[tuple[str, str]]:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, Mapping):
            pairs = list(value.items())
        elif isinstance(value, list | tuple) and all(isinstance(text, str) and "=" in text for text in value):
            pairs = [(name.strip(), kept.strip()) for name, _, kept in (text.partition("=") for text in value)]
        else:
            raise ValueError(f"expected {self.expects}")
        if not all(isinstance(part, str) for pair in pairs for part in pair):
            raise ValueError(f"expected {self.expects}")
        return pairs


# S3 puts metadata into headers, and all headers of a request have a limit of 8 KiB.
METADATA = NameValueRules(
    re.compile(r"[a-z0-9!#$&^_.+-]{1,128}"),
    re.compile(r"[!-~]([ -~]{0,1022}[!-~])?"),
    "metadata such as project=x7: names of letters, digits, - and _, values of printable ASCII",
)
TAGS = NameValueRules(
    re.compile(r"[^\x00-\x1f\x7f]{1,128}"),
    re.compile(r"[^\x00-\x1f\x7f]{0,256}"),
    "tags such as project=x7: names of up to 128 characters, values of up to 256",
    keeps_case=True,
)
CONTENT_TYPES = NameValueRules(
    re.compile(r"[a-z0-9]{1,32}"),
    re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( ?; ?[!-~]+)*"),
    "content types by extension, such as mp4=video/mp4",
)
