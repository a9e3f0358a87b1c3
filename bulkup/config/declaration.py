"""How a setting is declared: once, on the field that holds it.

    min_size: SizeInBytes | None = setting(
        None,
        "Smaller files are left out.",
        about_default="There is no lower limit.",
        option=Option("Smallest file, e.g. 10k.", Panel.FILES),
    )

The field gives the name, the type and the default. Its type carries a `ValueForm`, which says how values are written.
`catalogue` puts both together. The command-line option, the environment variable, the error messages and the entry in
docs/settings.md are made from that.

The classes are named tuples, because every start of a command creates them, and a dataclass takes five times as long.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin


class Panel(enum.Enum):
    """The headings of `bulkup upload --help`, in the order of the help."""

    RUN = None  # the first heading, which is the parser's own
    SERVICES = "Services"
    FILES = "Which files"
    SPEED = "Speed, retries and limits"
    OUTPUT = "Output"


class Option(NamedTuple):
    """The command-line option of a setting.

    `names` replaces the setting's name with dashes, for short forms and pairs. `metavar` replaces that of the type.
    """

    help: str
    panel: Panel
    metavar: str | None = None
    names: tuple[str, ...] = ()


class ValueForm(NamedTuple):
    """How the values of a type are written.

    `expects` completes the sentence "expected ..." in error messages. `metavar` stands for the value in the help.
    `split` takes the text of an environment variable apart, for types that hold a list, and `in_environment` describes
    that to the reader. A "table" is a list of rules, "tables" is a table of keys, which may have further tables.
    """

    expects: str
    metavar: str | None = None
    kind: Literal["plain", "path", "url", "secret", "table", "tables"] = "plain"
    unit: str = ""
    split: Callable[[str], Sequence[str]] | None = None
    in_environment: str = ""


class Declaration(NamedTuple):
    """The parts of a setting that its field holds beside name, type and default."""

    description: str
    about_default: str = ""
    option: Option | None = None
    name: str | None = None
    expects: str | None = None
    not_in_profile: str = ""


class Declared(NamedTuple):
    """The value of a field in its class: the default, an ellipsis if there is none, and the declaration."""

    default: Any
    declaration: Declaration


def setting(
    default: Any,
    description: str,
    *,
    about_default: str = "",
    option: Option | None = None,
    name: str | None = None,
    expects: str | None = None,
    not_in_profile: str = "",
) -> Any:
    """Declare one setting as the value of its field.

    `about_default` gives the meaning of the default or the reason for it, as a sentence. `name` is the name that users
    write, if it differs from that of the field. `expects` replaces the text of the type's `ValueForm`.
    `not_in_profile` is the reason why no profile may hold the setting. A setting without an `option` is set in a
    profile or a variable.
    """
    return Declared(default, Declaration(description, about_default, option, name, expects, not_in_profile))


def form_of(annotation: Any) -> ValueForm:
    """Return how values of a type are written: its `ValueForm`, or one made from its literals."""
    form = _find_form((annotation,))
    assert form is not None, f"{annotation} has no ValueForm"
    return form


def _find_form(parts: Sequence[Any]) -> ValueForm | None:
    """Search the parts of a type, the outer ones first."""
    for part in parts:
        if isinstance(part, ValueForm):
            return part
        if part is bool:
            return ValueForm("true or false")
        if get_origin(part) is Literal:
            return _one_of(get_args(part))
    for part in parts:
        # The metadata of `Annotated` stands behind the type.
        if (form := _find_form(get_args(part)[::-1])) is not None:
            return form
    return None


def _one_of(words: Sequence[str]) -> ValueForm:
    *most, last = words
    return ValueForm(f"{', '.join(most)} or {last}", metavar="|".join(words))
