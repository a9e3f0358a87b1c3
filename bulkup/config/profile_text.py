"""The text of a profile in TOML, from values by setting. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def profile_lines(name: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Return the table of a profile. Every value is text, or a list of texts (TOML 1.0, "basic strings")."""
    lines = [f"[profiles.{name}]", *(f"{setting} = {_value(value)}" for setting, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return f'"{"".join(_character(one) for one in value)}"'
    return f"[{', '.join(_value(one) for one in value)}]"


def _character(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    return f"\\u{ord(one):04x}" if one < " " or one == "\x7f" else one
