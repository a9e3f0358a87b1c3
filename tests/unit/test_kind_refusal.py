"""Refusals that are about the kind of a file, and others."""

from __future__ import annotations

import pytest

from bulkup.pipeline.policy.kind_refusal import refers_to_kind


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Magic Hour answered 422: unsupported type", "gif"),
        ("Magic Hour answered 422: items.0.extension: Invalid enum value", "gif"),
        ("Xvid answered 400: .gif files are not supported", "gif"),
        ("the service doesn't accept 'gif'", "gif"),
        ("MetaStudio answered 400 MSS.00000003: file_type GIF is not allowed", "gif"),
        ("a file without an extension is not allowed", ""),
    ],
)
def test_a_refusal_may_refer_to_the_kind(reason: str, kind: str) -> None:
    assert refers_to_kind(reason, kind)


@pytest.mark.parametrize(
    "reason",
    [
        "Xvid answered 404: Requested pipeline does not exist",
        "Magic Hour answered 402: the plan has ended",
        "Magic Hour answered 400: invalid Content-Type, expected application/json",
        "the key 'a.gif' is not allowed",
        "clips/a.gif is invalid",
        "storage answered 403 AccessDenied",
        "the account is not allowed to upload",
    ],
)
def test_other_refusals_do_not(reason: str) -> None:
    """Nor those that name the file, or the type of the request."""
    assert not refers_to_kind(reason, "gif")
