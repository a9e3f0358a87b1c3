"""Targets for what the user gives: lists of names, patterns, proxies, asset maps and the table of extensions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable
from typing import Any

from bulkup.config.asset_lines import AssetLine, read_csv_lines, read_json_lines
from bulkup.config.extension_types import NONE, TYPES, is_extension, parse_extensions
from bulkup.errors import ListError, UsageError
from bulkup.helpers.gitignore import Part, Patterns, compile_pattern
from bulkup.model.problems import ProblemError
from bulkup.pipeline.scan.name_list import LONGEST, listed_names
from bulkup.transport.proxies import Proxies, is_this_machine
from fuzz.invariants import LONGEST_MESSAGE, holds_of_problem, holds_of_steps
from fuzz.references import is_excepted, line_matches, names_of

_SHORT = 10  # characters of a pattern and of a path that the slow reference is asked about
_LONGEST_LINE, _LONGEST_PATH = 300, 4096
_ORDINARY = re.compile(r"[a-z*?_/.-]+")  # without brackets and escapes, about which git has rules of its own


def name_list(data: bytes) -> None:
    """The first byte chooses the end of names and the size of a block, the others are the list."""
    null, block, content = data[:1] < b"\x80", 1 + data[:1][0] % 17 if data else 1, data[1:]
    expected, is_bad = names_of(content, b"\0" if null else b"\n", LONGEST)
    descriptor = os.memfd_create("list")
    got: list[bytes] = []
    error: Exception | None = None
    try:
        os.write(descriptor, content)
        try:
            names = listed_names(f"/proc/self/fd/{descriptor}", null=null, block=block * block * block)
            got.extend(name for name in names if name is not None)
        except (UsageError, ListError) as refused:
            error = refused
    finally:
        os.close(descriptor)
    assert got == expected, "other names than the list has"
    assert (error is not None) == is_bad, "a name that no file can have"
    assert error is None or isinstance(error, ListError) == bool(got), "whether something was started"


def patterns(data: bytes) -> None:
    """The first line is a pattern, the rest a path. Steps are counted, because a machine may be slow."""
    line, _, path = data.decode("utf-8", "surrogateescape").partition("\n")
    line, path = line[:_LONGEST_LINE], path[:_LONGEST_PATH].strip("/") or "x"
    try:
        pattern = compile_pattern(line)
        matcher = Patterns([line])
    except ValueError:
        return
    if pattern is not None:
        steps = 0

        def counted(part: Part) -> Part:
            def step(name: str) -> object:
                nonlocal steps
                steps += 1
                return part(name)

            return step

        for part in pattern.parts:
            if part is not None:
                holds_of_steps(part)
        counting = pattern._replace(parts=tuple(part and counted(part) for part in pattern.parts))
        names = path.split("/")
        for is_directory in (False, True):
            steps = 0
            counting.rank(names, is_directory)
            assert steps <= (len(pattern.parts) + 1) * (len(names) + 1), "a path that is matched more than once"
    for kind in ("", "/"):
        found = matcher.match(path + kind)
        if is_short(line) and is_short(path):
            assert found == line_matches(line, path + kind), f"{line!r} and {path + kind!r}"


def is_short(text: str) -> bool:
    """Return whether the reference may be asked about a pattern or a path: a short one of ordinary characters."""
    ordinary = len(text) <= _SHORT and _ORDINARY.fullmatch(text) is not None
    return ordinary and "//" not in text and text != "/" and "***" not in text and not text.endswith("**/")


def proxies(data: bytes) -> None:
    """The lines are the proxy, the value of no_proxy, and a URL without its scheme."""
    proxy, no_proxy, url = [*data.decode("utf-8", "replace").split("\n", 2), "", ""][:3]
    chosen = Proxies({"http": proxy, "https": proxy, "no": no_proxy})
    for scheme in ("http", "https"):
        try:
            used = chosen.for_url(f"{scheme}://{url}")
        except ProblemError as error:
            _holds_of_refusal(error)
        except ValueError:
            continue  # not a URL
        else:
            assert used is None or used.lower().startswith(("http://", "https://"))
    assert chosen.for_url("http://127.0.0.1:9/") is None or "<-loopback>" in no_proxy


def _holds_of_refusal(error: ProblemError) -> None:
    holds_of_problem(error.problem)
    assert "@" not in error.problem.message, "a message with a part of a proxy's password"


def no_proxy(data: bytes) -> None:
    """The lines are one entry of no_proxy and a host, which is compared with a simple form of the rules."""
    entry, _, host = data.decode("utf-8", "replace").partition("\n")
    if not re.fullmatch(r"[0-9A-Za-z.:/-]{1,60}", entry) or not re.fullmatch(r"[0-9a-z.:-]{1,60}", host):
        return
    excepted = is_excepted(entry.lower(), host)
    if excepted is None or is_this_machine(host):
        return
    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
    got = Proxies({"http": "http://proxy:3128", "no": entry}).for_url(url) is None
    assert got == excepted, f"{host} and {entry}"


def asset_lines(data: bytes) -> None:
    """The first byte chooses CSV or JSON, the others are the file."""
    read = read_csv_lines if data[:1] < b"\x80" else read_json_lines
    last = 0
    for line in read(io.BytesIO(data[1:])):
        assert line.number >= max(1, last), "lines in another order"
        last = line.number
        if isinstance(line, AssetLine):
            assert line.path
            assert re.fullmatch(r"[A-Za-z0-9_-]+", line.asset.asset_id), "an id that breaks a URL"
        else:
            _holds_of_message(line.what)
            _holds_of_message(line.hint or "-")


def _holds_of_message(text: str) -> None:
    assert 0 < len(text) <= LONGEST_MESSAGE, "a message that is empty or without end"
    text.encode()


def extensions(data: bytes) -> None:
    """A JSON value as a profile has it, or a text as the command has it."""
    text = data.decode("utf-8", "surrogateescape")
    for given in (text, text.split(","), _json_of(text)):
        try:
            types = parse_extensions(given)
        except ValueError as error:
            _holds_of_message(str(error))
            continue
        assert all(is_extension(name) for name in types)
        assert set(types.values()) <= {*TYPES, NONE}
        assert parse_extensions(types) == types, "a table that changes when it is read again"


def _json_of(text: str) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


FEEDS: dict[str, Callable[[bytes], None]] = {
    "name-lists": name_list,
    "patterns": patterns,
    "proxies": proxies,
    "no-proxy": no_proxy,
    "asset-lines": asset_lines,
    "extensions": extensions,
}
