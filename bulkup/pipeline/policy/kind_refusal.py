"""Whether a refusal is about the kind of a file.

Such a refusal is no sign that the service refuses every file. Files of other kinds may follow, so it concerns the files
of that kind alone, even if none was accepted yet.

Pure.
"""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern

_REFUSES = lazy_pattern(
    r"unsupported|invalid|unknown|unrecogni[sz]ed"
    r"|(?:not|n't) (?:be )?(?:supported|allowed|accepted|permitted|valid|accept|support|allow|take)",
    re.IGNORECASE,
)
_KIND = lazy_pattern(r"\b(?:extension|file[- _]?type|type|format)s?\b", re.IGNORECASE)
_OF_REQUESTS = lazy_pattern(r"\b(?:content|media|mime)[- _]?type\b", re.IGNORECASE)


def refers_to_kind(reason: str, kind: str) -> bool:
    """Return whether a refusal is about files with the extension `kind`, and not about all files or about one.

    It says that a type or an extension is not supported, or it names the extension. A file name that ends in the
    extension does not count, nor does the content type of the request.
    """
    text = _OF_REQUESTS.sub("", reason)
    if not _REFUSES.search(text):
        return False
    return bool(
        _KIND.search(text) or (kind and re.search(rf"(?<![\w.%/-])\.?{re.escape(kind)}(?![\w.-])", text, re.IGNORECASE))
    )
