"""Dataclasses that take a fifth of the time to create. Every module of bulkup takes `dataclass` from here.

A run imports about a hundred dataclasses. The standard decorator compiles six methods for each of them, one by one,
which was a tenth of the CPU time of a start. Here only `__init__` is compiled. The other methods are shared code: they
are called far less often, or are as fast as compiled ones.

Everything else is the standard library's: `field`, `fields`, `replace` and `asdict` accept these classes. Only the
parameters that bulkup uses are supported.
"""

from __future__ import annotations

import dataclasses
import operator
import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

_Getter = Callable[[Any], Any]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
        """Return a decorator like that of the standard library, with these of its parameters."""

        def decorate(declared: type) -> type:
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(declared)
            methods = {"__init__": _init(cls, frozen=frozen), "__repr__": _repr}
            if eq:
                get = _getter(cls)
                methods |= {"__eq__": _eq(get), "__hash__": _hash(get) if frozen else None}
            if frozen:
                methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
                methods |= {"__getstate__": _state, "__setstate__": _set_state}
            for name, method in methods.items():
                if name not in vars(declared):
                    setattr(cls, name, method)
            return cls

        return decorate


def _init(cls: type, *, frozen: bool) -> Callable[..., None]:
    """Compile the constructor: one assignment for each field, in the order of the class."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_unset": object()}
    slots = frozen and "__slots__" in vars(cls)
    parameters, lines = ["self"], []
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _unset else {name}" if field.init else f"_make_{name}()"
            default = "=_unset"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            value = name if field.init else f"_default_{name}"
            default = f"=_default_{name}"
        elif field.init:
            default = ""
        else:
            continue  # the owner sets it later
        if field.init:
            parameters.append(name + default)
        if slots:  # a slot is set in half of the time of an attribute
            names[f"_set_{name}"] = getattr(cls, name).__set__
            lines.append(f"_set_{name}(self, {value})")
        else:
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]), names)  # noqa: S102  # names of fields
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _getter(cls: type) -> _Getter:
    """Return a function that returns the compared values of an object, as one value."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return operator.attrgetter(*names) if names else lambda _: ()


def _eq(get: _Getter) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:  # noqa: N807  # it becomes this method
        return bool(get(self) == get(other)) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(get: _Getter) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807  # the same
        return hash(get(self))

    return __hash__


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr]
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(_self: Any, name: str, _value: Any) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: Any, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
