"""Simple forms of the functions under test. They take any time, so they are only asked about short inputs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Sequence

PLAIN_NAME = re.compile(r"\.?[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")


def names_of(content: bytes, end: bytes, longest: int) -> tuple[list[bytes], bool]:
    """Return the names of a list up to the first one that no file can have, and whether there is such a name."""
    names: list[bytes] = []
    for name in content.split(end):
        if len(name) > longest or b"\0" in name:
            return names, True
        if name:
            names.append(name)
    return names, False


def glob_matches(glob: str, name: str) -> bool:
    """Return whether a part of a pattern matches a part of a path, by trying every length of every star."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(glob_matches(glob[1:], name[at:]) for at in range(len(name) + 1))
    if not name:
        return False
    if glob[0] == "[":
        end = glob.index("]", 2 + (glob[1] in "!^"))
        return _in_bracket(glob[1:end], name[0]) and glob_matches(glob[end + 1 :], name[1:])
    if glob[0] == "\\":
        return name[0] == glob[1] and glob_matches(glob[2:], name[1:])
    return glob[0] in ("?", name[0]) and glob_matches(glob[1:], name[1:])


def _in_bracket(content: str, character: str) -> bool:
    negated = content[0] in "!^"
    rest, found = content[negated:], False
    while rest:
        if len(rest) > 2 and rest[1] == "-":
            found = found or rest[0] <= character <= rest[2]
            rest = rest[3:]
        else:
            found = found or rest[0] == character
            rest = rest[1:]
    return found is not negated


def parts_match(globs: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether the parts of a pattern match all parts of a path. `**` stands for any number of parts."""
    if not globs:
        return not names
    if globs[0] == "**":
        return any(parts_match(globs[1:], names[at:]) for at in range(len(names) + 1))
    return bool(names) and glob_matches(globs[0], names[0]) and parts_match(globs[1:], names[1:])


def line_matches(line: str, path: str) -> bool:
    """Return whether a line without `!` matches a path, or a directory above it. A directory ends with `/`."""
    is_directory, names = path.endswith("/"), path.strip("/").split("/")
    only_directories, globs = line.endswith("/"), line.rstrip("/").split("/")
    if not globs[0]:
        del globs[0]
    elif len(globs) == 1 and globs != ["**"]:
        globs.insert(0, "**")
    below = globs[-1] == "**"  # the content, not the directory itself
    if below and globs != ["**"]:
        globs[-1:] = ["*", "**"] if not only_directories else ["*"]
    for count in range(1, len(names) + 1):
        if only_directories and count == len(names) and not is_directory:
            continue
        if parts_match(globs, names[:count]):
            return True
    return False


def is_excepted(entry: str, host: str) -> bool | None:
    """Return whether an entry of no_proxy names a host, None if one of them has an unusual form."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if not PLAIN_NAME.fullmatch(host) or not PLAIN_NAME.fullmatch(entry):
            return None
        return f".{host}".endswith("." + entry.removeprefix("."))
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
    return address in network


def end_of(url: str) -> float | None:
    """Return the end that a URL states as S3 does, in either version, None for a URL of another form."""
    query = url.partition("?")[2]
    if "?" in query or any(query.lower().count(word) > 1 for word in ("expires", "date")):
        return None
    values = {name: value for name, _, value in (pair.partition("=") for pair in query.split("&"))}
    if re.fullmatch("[0-9]{1,12}", values.get("Expires", "")):
        return float(values["Expires"])
    lifetime, date = values.get("X-Amz-Expires", ""), values.get("X-Amz-Date", "")
    if not re.fullmatch("[0-9]{1,12}", lifetime) or not re.fullmatch("[0-9]{8}T[0-9]{6}Z", date):
        return None
    try:
        return dt.datetime.strptime(f"{date}+0000", "%Y%m%dT%H%M%SZ%z").timestamp() + int(lifetime)
    except (ValueError, OverflowError):
        return None
