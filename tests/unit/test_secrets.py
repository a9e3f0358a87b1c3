"""Secrets are never printed: logging, formatting, dumping and raising do not reveal their text."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import re
import traceback
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bulkup.helpers.secrets import MASK, Secret, SecretUrl
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.http import ApiRequest
from bulkup.model.items import Item
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files.small import WholeBody
from bulkup.providers import ProviderConfig
from bulkup.providers.bearer_header import BearerHeader
from bulkup.providers.metastudio.signature import SigningKeys
from bulkup.providers.tokens import Token
from bulkup.transport.form_body import FormBody

# Long enough that no text holds one by chance.
values = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=12, max_size=40)


def url_of(value: str) -> SecretUrl:
    return SecretUrl(f"https://user:{value}@s.example:8443/bucket/a%20b.mp4?X-Sig={value}&{value}#{value}")


def logged(value: object) -> str:
    stream = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001  # of this test alone, not of the process
    logger.addHandler(logging.StreamHandler(stream))
    try:
        raise ValueError(value)
    except ValueError:
        logger.exception("%s %r", value, [value])
    structlog.wrap_logger(structlog.PrintLogger(stream)).info("x", value=value, nested={"a": [value]})
    return stream.getvalue()


def raised(value: object) -> str:
    try:
        try:
            raise ValueError(value)
        except ValueError as error:
            raise RuntimeError(f"because of {value} {value!r}") from error
    except RuntimeError as error:
        return "".join(traceback.format_exception(error)) + repr(error)


WAYS: list[Callable[[Any], object]] = [
    str,
    repr,
    ascii,
    "{}".format,
    "{:>60}".format,
    "{!r:.200}".format,
    lambda value: f"{value} {value!r} {value!s} {value!a}",
    lambda value: "%s %r" % (value, value),  # noqa: UP031  # one of the ways
    lambda value: repr([value]) + repr({"k": value}) + repr((value,)),
    pprint.pformat,
    logged,
    raised,
    lambda value: orjson.dumps({"k": [value]}, default=str),
    lambda value: json.dumps({"k": [value]}, default=repr),
    lambda value: copy.deepcopy([value]),
    lambda value: dir(value),
]
HOLDERS: list[Callable[[Any], object]] = [
    lambda secret: Ticket(url_of(secret.reveal()), "id", 1.0, "PUT", {"Authorization": secret}),
    lambda secret: Ticket(
        SecretUrl("https://s.example/"), "id", form=(("policy", secret),), more_urls=(url_of(secret.reveal()),)
    ),
    lambda secret: ApiRequest("POST", "/x", {"Authorization": secret}),
    lambda secret: ApiRequest("POST", "/x", body=secret.reveal().encode()),
    lambda secret: SigningKeys(secret, secret, secret),
    lambda secret: Token(secret, 1.0, 2.0),
    lambda secret: FormBody([("policy", secret)], WholeBody(b"", Identity(0, 2, 3, 4, 5))),
    lambda secret: ProviderConfig("https://api.example", {"token": secret}),
    lambda secret: Item(
        FoundFile(Source(b"/data"), b"a", Identity(1, 2, 3, 4, 5)), Ticket(url_of(secret.reveal()), "id")
    ),
]


@given(values)
def test_no_way_of_printing_reveals_a_secret(value: str) -> None:
    """As text, in a format, in a container, in a log line, in a traceback or in JSON."""
    for secret in (Secret(value), BearerHeader(Secret(value)), url_of(value)):
        for way in WAYS:
            assert value not in str(way(secret))


@given(values)
def test_values_with_secrets_do_not_print_them(value: str) -> None:
    """Tickets, requests, configurations and items can be logged as a whole."""
    for holder in HOLDERS:
        for way in (str, repr, "{}".format, pprint.pformat, logged, raised):
            assert value not in str(way(holder(Secret(value))))


@given(values)
def test_a_secret_is_neither_pickled_nor_dumped(value: str) -> None:
    """The attempt is an error, which does not quote the secret."""
    for secret in (Secret(value), BearerHeader(Secret(value)), url_of(value)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError) as pickled:
                pickle.dumps(secret, protocol)
            assert value not in str(pickled.value)
        for dump in (orjson.dumps, json.dumps):
            with pytest.raises(TypeError) as dumped:
                dump([secret])
            assert value not in str(dumped.value)


@given(values)
def test_a_ticket_as_a_dictionary_still_holds_secrets_as_secrets(value: str) -> None:
    """Converting values of the pipeline to plain data does not reveal their secrets."""
    ticket = Ticket(url_of(value), "id", headers={"Authorization": Secret(value)})
    assert value not in str(ticket._asdict())
    item = Item(FoundFile(Source(b"/data"), b"a", Identity(1, 2, 3, 4, 5)), ticket)
    assert value not in str(dataclasses.asdict(item))


def test_only_reveal_returns_the_value() -> None:
    """It is unchanged."""
    assert Secret("opensesame").reveal() == "opensesame"
    assert SecretUrl("https://h/?s=1").reveal() == "https://h/?s=1"
    assert not hasattr(Secret("x"), "__dict__")


def test_the_bearer_header() -> None:
    """`Bearer`, a space, and the token."""
    assert BearerHeader(Secret("tok")).reveal() == "Bearer tok"


def test_secrets_are_compared_by_value_and_type() -> None:
    """Two tickets with one URL are equal. A secret never equals its own text."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("https://h/") != SecretUrl("https://h/")
    assert Secret("a") != "a"


def test_an_empty_secret_is_false() -> None:
    """So that code can test whether it is set."""
    assert not Secret("")
    assert Secret("x")


def test_a_deep_copy_is_the_secret_itself() -> None:
    """It is immutable, so it is not copied."""
    secret = Secret("x")
    assert copy.deepcopy([secret])[0] is secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://s.example/b/k.mp4?sig=1", f"https://s.example/b/k.mp4?{MASK}"),
        ("https://s.example:8443/k", "https://s.example:8443/k"),
        ("https://u:p@s.example/k#frag", "https://s.example/k"),
        ("http://[::1]:9000/k?x", f"http://[::1]:9000/k?{MASK}"),
        ("http://[::1]/k", "http://[::1]/k"),
    ],
)
def test_a_url_shows_host_and_path(url: str, shown: str) -> None:
    """Scheme, host, port and path are shown; the rest is masked."""
    assert str(SecretUrl(url)) == shown


@pytest.mark.parametrize(
    "url", ["", "token-and-no-url", "/token", "https:user:token@h/x", "http://[token", "h://a:tok/"]
)
def test_a_text_that_is_no_url_is_masked(url: str) -> None:
    """Without a host, any part may be secret."""
    assert str(SecretUrl(url)) == MASK


@given(st.text(), values)
def test_every_text_can_be_printed(text: str, value: str) -> None:
    """An invalid URL raises no error when it is printed, and its query stays masked."""
    assert str(SecretUrl(text))
    assert value not in str(SecretUrl(f"https://s.example/k?{text}{value}"))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example:444/b?X-Amz-Signature=secret", "https://a.example:444"),
        ("http://00", "http://00"),
        ("https://a.example?secret=/b", "https://a.example"),
        ("https://user:secret@a.example/b", "https://a.example"),
        ("https://a.example#secret", "https://a.example"),
        ("secret", ""),
    ],
)
def test_the_origin_of_a_url_is_complete_and_contains_no_secret(url: str, origin: str) -> None:
    """The origin decides which host is checked."""
    assert SecretUrl(url).origin == origin


@given(st.lists(st.sampled_from(["a", "b", ":", "/", "?", "#", "@", "://", "http://", "https://"]), max_size=12))
def test_the_origin_of_a_url_is_found_up_to_its_path(parts: list[str]) -> None:
    """The rest of the URL is not read, and changes nothing."""
    text = "".join(parts)
    whole = re.match(r"([^:/?#]*://)(?:[^/?#@]*@)*([^/?#@]*)", text)
    assert SecretUrl(text).origin == ("".join(whole.groups()) if whole else "")
