"""The next step for a reason."""

from __future__ import annotations

import pytest

from bulkup.model.reason_hints import hint_for


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("magic-hour does not accept the extension 'gif' (it accepts mp4)", "unsupported"),
        ("move-ugc does not accept a file without an extension", "unsupported"),
        ("its place at metastudio, MAIN of asset 7, is taken by extension/a.mp4", "each place takes one file"),
        ("its extension is longer than the 64 characters that metastudio accepts", ""),
        ("storage answered 413", "a limit of size"),
        ("Permission denied", "this user may not read it"),
        ("storage answered 403 AccessDenied: Permission denied", "the service's key"),
        ("its URL expired at 2020-01-01; give a list with a new URL for it", ""),
        ("storage answered 403: Request has expired", "the URLs' leases are too short"),
    ],
)
def test_a_reason_has_the_hint_that_helps(reason: str, hint: str) -> None:
    assert hint_for(reason).startswith(hint)
    assert bool(hint_for(reason)) is bool(hint)


@pytest.mark.parametrize(
    "reason",
    [
        "storage answered 403 SignatureDoesNotMatch: no (check secret_key and region)",
        "storage answered 403 AccessDenied (the keys need the right s3:PutObject on the bucket)",
        "storage answered 404 NoSuchBucket (check bucket, region, addressing and base_url)",
    ],
)
def test_a_reason_that_says_what_to_check_gets_no_hint_of_another_kind(reason: str) -> None:
    assert hint_for(reason) == ""
    assert hint_for(reason.partition(" (")[0]) != ""
