"""The embedded server against its own OpenAPI document: whatever schemathesis makes of it is answered as it says.

Requests go over real sockets, to a server in a thread of its own: the client of schemathesis blocks.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from bulkup.localserver import LocalServer, ServerConfig, routes
from bulkup.localserver.server_storage import ServerStorage

load_all_checks()
DOCUMENT = json.loads(routes.openapi_document())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
LABELS = [
    f"{method} {path}"
    for path, item in DOCUMENT["paths"].items()
    for method in (name.upper() for name in item)
    if method in METHODS
]
# Of two spellings of a path one is fed in the quick tests, and what takes nothing has nothing that does not fit.
QUICK = [label for label in LABELS if f"{label}/" not in LABELS and not label.endswith("upload_id}/")]
WITH_INPUT = [label for label in QUICK if "/-/" not in label]
CREDENTIALS = {
    "token": {"Authorization": "Bearer local-token"},
    "apiKey": {"Authorization": "local-api-key-0001"},
    "authToken": {"X-Auth-Token": "local-token"},
}
# The document cannot say what a GraphQL document is, how long a text is in UTF-8, or which signature is a good one.
NOT_ALL_GOOD = ("/ugc/graphql", "/v1/files/uploads", "/{bucket}/")
LONGEST_LINE = 8190  # bytes; beyond it a request is none, whoever it was for
SOME = {"project_id": "local-project", "file_id": "f", "upload_id": "u", "bucket": "api-assets", "key": "k"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: Any) -> Iterator[LocalServer]:
    config = ServerConfig(store=str(tmp_path_factory.mktemp("store")))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(LocalServer(config)) as running:
        yield running


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def operation_of(label: str) -> Any:
    method, path = label.split(" ")
    return SCHEMA[path][method]


def headers_of(label: str) -> dict[str, str]:
    ways = [name for way in operation_of(label).definition.raw["security"] for name in way]
    return next((CREDENTIALS[name] for name in ways if name in CREDENTIALS), {})


def a_path(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: SOME[match[1]], template)


def check(label: str, answer: Any) -> None:
    """Hold an answer against the document: its status, headers and body, and XML is XML."""
    operation_of(label).validate_response(answer)
    assert answer.status_code < 500
    if answer.content.startswith(b"<?xml"):
        ET.fromstring(answer.content)


def feed(label: str, mode: GenerationMode, server: LocalServer, http: requests.Session, examples: int) -> None:
    operation = operation_of(label)
    excluded = [checks.positive_data_acceptance] if operation.path.startswith(NOT_ALL_GOOD) else []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # what schemathesis tells is short enough, and shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode))
    def one(case: Any) -> None:
        if mode.is_positive and "project_id" in case.path_parameters:
            case.path_parameters["project_id"] = SOME["project_id"]
        answer = case.call(base_url=server.url, session=http, headers=headers_of(label), timeout=30)
        if len(answer.request.url) < LONGEST_LINE:
            case.validate_response(answer, excluded_checks=[checks.ignored_auth, *excluded])
            check(label, answer)

    one()


@pytest.mark.parametrize("label", QUICK)
def test_what_fits_the_document_is_answered_as_told(label: str, server: LocalServer, http: requests.Session) -> None:
    """Statuses, headers and bodies are those of the document, and no good request is refused for its shape."""
    feed(label, GenerationMode.POSITIVE, server, http, examples=3)


@pytest.mark.parametrize("label", WITH_INPUT)
def test_what_does_not_fit_is_refused_as_told(label: str, server: LocalServer, http: requests.Session) -> None:
    """With a 4xx, in the service's own shape."""
    feed(label, GenerationMode.NEGATIVE, server, http, examples=3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("label", [label for label in LABELS if "/-/" not in label])
def test_many_requests_are_answered_as_told(
    label: str, mode: GenerationMode, server: LocalServer, http: requests.Session
) -> None:
    """The same with many more of them, and for every spelling of a path."""
    feed(label, mode, server, http, examples=60)


@pytest.mark.parametrize("template", DOCUMENT["paths"])
def test_other_methods_are_refused_by_name(template: str, server: LocalServer, http: requests.Session) -> None:
    """With 405, the methods that there are, and in the shape of the service whose path it is."""
    labels = [label for label in LABELS if label.endswith(f" {template}")]
    have = {label.split(" ")[0] for label in labels}
    have |= {"HEAD"} if "GET" in have else set()
    for method in sorted(set(METHODS) - have):
        answer = http.request(method, server.url + a_path(template), timeout=30)
        assert answer.status_code == 405
        assert answer.headers["Allow"].split(", ") == sorted(have)
        if method != "HEAD":
            check(labels[0], answer)


@pytest.mark.parametrize("label", [label for label in QUICK if "POST" in label or "PUT" in label])
@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a":"\\ud800"}', b"a=%ff"])
def test_bodies_of_any_bytes_are_refused_as_told(
    label: str, body: bytes, server: LocalServer, http: requests.Session
) -> None:
    """Whatever type they say that they are of."""
    method, template = label.split(" ")
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""):
        headers = {**headers_of(label), "Content-Type": kind}
        answer = http.request(method, server.url + a_path(template), data=body, headers=headers, timeout=30)
        assert 400 <= answer.status_code < 500
        check(label, answer)


@pytest.mark.parametrize("target", ["/b/%c3%b7%0ak", "/v1/files/uploads/a%0ab", "/v1/a%0a/b", "/b/\xff", "/v1/\xff"])
def test_paths_with_odd_bytes_are_answered_by_whose_they_are(target: str, server: LocalServer) -> None:
    """Line breaks, and bytes that have no business in a request line."""
    status, headers, body = raw(server, f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert 400 <= status < 500
    assert ("xml" in headers) == (target.startswith("/b/") and target.isascii())
    assert body


@pytest.mark.parametrize(
    "lines",
    [
        "POST /v1/p/files HTTP/1.1\r\nAuthorization: SDK-HMAC-SHA256 Access=LOCALACCESSKEY000001, "
        "SignedHeaders=\xff;host;x-sdk-date, Signature=" + "0" * 64,
        "POST /v1/p/files HTTP/1.1\r\nX-Auth-Token: \xff",
        "POST /v1/files/uploads/?object_key=\xff&pipeline_id=p HTTP/1.1\r\nAuthorization: Bearer local-token",
        "POST /v1/files/uploads/?object_key=a%0ab&pipeline_id=\xff HTTP/1.1\r\nAuthorization: Bearer local-token",
        "POST /v1/files/upload-urls HTTP/1.1\r\nAuthorization: Bearer \xff",
        "POST /api-assets/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=\xff",
        "PUT /api-assets/k?X-Amz-Signature=%ff&X-Amz-Credential=\xff HTTP/1.1\r\nx-amz-\xe9: 1",
        "PUT /api-assets/k?Signature=%ff&Expires=9&AWSAccessKeyId=%00 HTTP/1.1\r\nContent-MD5: \xff",
    ],
)
def test_bytes_that_are_no_text_are_refused_where_they_stand(lines: str, server: LocalServer) -> None:
    """Not with a 500: what cannot be written in JSON or XML is not repeated in a refusal."""
    status, _, _ = raw(server, f"{lines}\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert 400 <= status < 500


def test_the_document_is_of_all_the_paths_that_there_are(server: LocalServer, tmp_path: Any) -> None:
    """And of no others; what answers for everything else stands in its text."""
    storage = ServerStorage.open(str(tmp_path / "objects"), str(tmp_path / "state"), 1)
    found: dict[str, set[str]] = {}
    for route in routes.create_application(server._running, storage).router.routes():
        assert route.resource is not None
        found.setdefault(re.sub(r":[^}]*", "", route.resource.canonical), set()).add(route.method)
    storage.close()
    told = {path: {name.upper() for name in item} & set(METHODS) for path, item in DOCUMENT["paths"].items()}
    catch_all = {path: methods for path, methods in found.items() if path.endswith("/{rest}")}
    assert catch_all.keys() == {"/v1/{rest}", "/v3/{rest}", "/ugc/{rest}", "/local/v1/{rest}", "/-/{rest}", "/{rest}"}
    served = {path: methods - {"*", "HEAD"} for path, methods in found.items() if path not in catch_all}
    assert served == {path: methods for path, methods in told.items() if "{bucket}" not in path}


def raw(server: LocalServer, request: str) -> tuple[int, str, bytes]:
    """Send bytes that no client would; return status, headers and body."""
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.decode("latin-1").lower(), body
