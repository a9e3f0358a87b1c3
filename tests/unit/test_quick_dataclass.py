"""Dataclasses that are created quickly behave like those of the standard library."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass as standard_dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

import bulkup
from bulkup.helpers.quick_dataclass import dataclass


def _define(decorator: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    @decorator(**parameters)
    class Plain:
        """Has fields with and without defaults."""

        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)
        secret: str = field(default="hidden", repr=False)
        ignored: int = field(default=0, compare=False)

    @decorator(**parameters)
    class Owned:
        a: int
        later: str = field(init=False)
        fixed: int = field(init=False, default=7)
        made: dict[str, int] = field(init=False, default_factory=dict)

        def __post_init__(self) -> None:
            object.__setattr__(self, "later", f"after {self.a}")

    @decorator(**parameters)
    class Empty:
        pass

    @decorator(**parameters)
    class WithMethods:
        a: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    return {"Plain": Plain, "Owned": Owned, "Empty": Empty, "WithMethods": WithMethods}


_PARAMETERS = [
    {"frozen": True, "slots": True},
    {"slots": True},
    {"slots": True, "eq": False},
    {"frozen": True},
]
_ARGUMENTS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Plain", (1,), {}),
    ("Plain", (1, "x", [2]), {"secret": "s", "ignored": 3}),
    ("Plain", (), {"a": 1, "c": [1]}),
    ("Owned", (1,), {}),
    ("Empty", (), {}),
    ("WithMethods", (2,), {}),
]


@pytest.mark.parametrize("parameters", _PARAMETERS, ids=str)
@pytest.mark.parametrize(("name", "positional", "named"), _ARGUMENTS)
def test_values_behave_like_standard_ones(
    parameters: dict[str, Any], name: str, positional: tuple[Any, ...], named: dict[str, Any]
) -> None:
    ours, theirs = _define(dataclass, **parameters)[name], _define(standard_dataclass, **parameters)[name]

    def seen(cls: Any) -> Any:
        value, same = cls(*positional, **named), cls(*positional, **named)
        changed = dataclasses.replace(value, a=9) if name != "Empty" else value
        return (
            repr(value),
            value == same,
            value == changed,
            value == 1,
            _outcome(lambda: hash(value) == hash(same)),
            dataclasses.asdict(value),
            dataclasses.asdict(changed),
            [one.name for one in dataclasses.fields(cls)],
            hasattr(value, "__dict__"),
            list(inspect.signature(cls).parameters),
            cls.__match_args__,
            *_after_changes(value),
        )

    assert seen(ours) == seen(theirs)


def _after_changes(value: Any) -> list[str]:
    """Try to change the value, and return its form after each change."""
    shown = []
    for change in (
        lambda: setattr(value, "a", 5),
        lambda: setattr(value, "other", 5),
        lambda: delattr(value, "ignored"),
    ):
        _outcome(change)
        shown.append(f"{getattr(value, 'a', None)} {hasattr(value, 'other')} {hasattr(value, 'ignored')}")
    return shown


def _outcome(action: Callable[[], Any]) -> Any:
    """Return the result, None if it is refused.

    A standard frozen class with slots refuses an unknown attribute with a TypeError, ours with an AttributeError.
    """
    with contextlib.suppress(AttributeError, TypeError):
        return action()
    return None


@pytest.mark.parametrize("arguments", [(), (1, 2, 3, 4, 5, 6)], ids=["too few", "too many"])
def test_wrong_arguments_are_refused_in_the_same_words(arguments: tuple[Any, ...]) -> None:
    messages = set()
    for decorator in (dataclass, standard_dataclass):
        with pytest.raises(TypeError) as error:
            _define(decorator, frozen=True, slots=True)["Plain"](*arguments)
        messages.add(str(error.value))
    assert len(messages) == 1


def test_a_frozen_value_names_the_field_that_was_to_change() -> None:
    value = _define(dataclass, frozen=True, slots=True)["Plain"](1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        value.a = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
        del value.a


@dataclass(frozen=True, slots=True)
class Point:
    """A value that pickle finds by its name."""

    x: int
    y: list[int] = field(default_factory=list)


def test_a_frozen_value_can_be_pickled_and_copied() -> None:
    point = Point(1, [2])
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.deepcopy(point) == point
    assert copy.copy(point).y is point.y


def test_a_value_that_contains_itself_has_a_representation() -> None:
    point = Point(1, [])
    point.y.append(point)  # type: ignore[arg-type]  # no list of numbers any more
    assert repr(point) == "Point(x=1, y=[...])"


def test_a_parameter_that_is_not_supported_is_refused() -> None:
    with pytest.raises(TypeError, match="order"):
        dataclass(order=True)


def test_every_module_takes_the_decorator_from_here() -> None:
    """Otherwise its classes cost a start five times as much."""
    package = Path(bulkup.__file__).parent
    standard = re.compile(r"^\s*from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass", re.MULTILINE)
    users = {path.name for path in package.rglob("*.py") if standard.search(path.read_text("utf-8"))}
    assert users == {"quick_dataclass.py"}
