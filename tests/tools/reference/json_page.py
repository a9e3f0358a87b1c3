"""docs/reference/json.md: the JSON objects that commands print, from `json_shapes`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from tools.reference.json_shapes import PRINTED

_HEAD = """# JSON output

With `--json`, a command prints one JSON object in each line of standard output. The field `event` names the
kind of a line. [Output of the commands](../output.md) explains the fields. Fields may be added in later versions;
none is removed or renamed.

Paths are text. If a path is not UTF-8, a field with `_b64` at the end of its name has the exact bytes in Base64.
Times are RFC 3339 in UTC, durations are seconds, and sizes are bytes.

"""


def page() -> str:
    """Return the page."""
    return _HEAD + "\n".join(line for shape in PRINTED for line in _section(shape))


def _section(shape: Any) -> Iterator[str]:
    schema = TypeAdapter(shape).json_schema()
    printed_by, _, when = str(shape.__doc__).strip().partition(": ")
    event = schema["properties"].get("event", {})
    names = event.get("enum") or [event["const"]] if event else []
    yield f"## {' or '.join(names) or printed_by.strip('`')} ({printed_by.replace('`', '')})\n"
    yield (when or printed_by)[:1].upper() + (when or printed_by)[1:] + "\n"
    yield "| field | type | |"
    yield "|---|---|---|"
    yield from _rows(schema, schema.get("$defs", {}), "")
    yield ""


def _rows(schema: Any, definitions: Any, start: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        if start == "" and name == "event" and "const" in field:
            continue
        notes = [] if name in required else ["may be missing"]
        inner = _inner(field, definitions)
        recursive = inner is not None and start.count(".") < 1 and "sources" not in inner["properties"]
        if inner is not None and not recursive:
            notes.append("as in `runs`")
        about = _nothing_if_generic(field.get("description", ""))
        yield f"| `{start}{name}` | {_type(field, definitions)} | {'; '.join(filter(None, [*notes, about]))} |"
        if inner is not None and recursive and "reused_tickets" not in inner["properties"]:
            yield from _rows(inner, definitions, f"{start}{name}.")


def _inner(field: Any, definitions: Any) -> Any:
    """Return the object that a field holds, in a list or by itself, None for another value."""
    for one in (field, field.get("items", {}), *field.get("anyOf", ())):
        if "$ref" in one:
            return definitions[one["$ref"].rpartition("/")[2]]
    return None


def _type(field: Any, definitions: Any) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(one, definitions) for one in field["anyOf"])
    if "$ref" in field:
        return "object"
    kind = field.get("type")
    if kind == "array":
        return f"list of {_plural(_type(field['items'], definitions))}"
    if kind == "object":
        return "object of numbers by name"
    return {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null"}.get(
        str(kind), "any"
    )


def _plural(kind: str) -> str:
    return {"text": "texts", "object": "objects", "integer": "integers"}.get(kind, kind)


def _nothing_if_generic(text: str) -> str:
    return "" if text.startswith("A JSON object") else text
