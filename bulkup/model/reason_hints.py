"""The next step for a reason why files failed or were rejected, by the words of services and stores.

Pure.
"""

from __future__ import annotations

import re

HINTS = (
    # A provider whose user owns keys and bucket has said what to check: `s3`.
    (r"\((check|set|the keys need) [^()]*\)", ""),
    (r"give a list with a new URL", ""),  # it has the next step
    (
        r"\b413\b|EntityTooLarge|too large|above .* maximum",
        "a limit of size at the store or the service",
    ),
    (r"NoSuchBucket", "the bucket that the service's URLs name does not exist; report it to the service"),
    (r"SignatureDoesNotMatch", "the service signs with a wrong key, or signs headers that are not sent; report it"),
    (r"InvalidAccessKeyId", "the service signs with a key that the store does not know; report it to the service"),
    (r"RequestTimeTooSkewed", "the clock of the store or of the service is wrong"),
    (r"(Request|Policy|URL) (has )?expired", "the URLs' leases are too short, or a clock is wrong"),
    (r"AccessDenied|answered 403", "the service's key may not write to the store, or a proxy refuses; report it"),
    (r"its place at .* is taken", "each place takes one file: change the rules for places, or exclude files"),
    (r"does not accept .*extension", 'unsupported = "skip" skips these'),
    (r"pipeline", "check pipeline_id"),
    (
        r"received other bytes than were read",
        "bytes were changed on the way: look at proxies, at memory, and at a store that encrypts or transforms objects",
    ),
    (r"Permission denied|not permitted", "this user may not read it: change its rights, or run as another user"),
    (
        r"changed after it was found",
        "another program still writes it: retry when that has ended, or set min_age to leave fresh files alone",
    ),
    (
        r"inode",
        'if that concerns all files, the file system has no stable inodes or change times: identity = "size-mtime"',
    ),
)
_COMPILED = [(re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in HINTS]


def hint_for(reason: str) -> str:
    """Return the hint for a reason, empty if there is none."""
    return next((hint for pattern, hint in _COMPILED if pattern.search(reason)), "")
