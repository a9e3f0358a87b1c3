"""Models: classes whose fields have types, and whose values are checked by pydantic's core.

    class Selection(CheckedModel):
        max_size: SizeInBytes | None = setting(None, "Larger files are left out.")

pydantic's own `BaseModel` offers far more, and its import and its classes would take a quarter of the CPU time of a
start. Here the schema is made from the types at the first check, in the form that pydantic's core takes. Checks, errors
and their places are those of pydantic: `ValidationError` is its class.

A type is a plain type, `Literal`, another model, `tuple[X, ...]` or a union. `Annotated` adds the steps below to it,
the inner ones first.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    NoReturn,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson

from bulkup.config.declaration import Declaration, Declared
from bulkup.config.validator_core import SchemaValidator, ValidationError
from bulkup.config.value_text import escape_surrogates

__all__ = ["After", "Before", "CheckedModel", "Limits", "ModelField", "Plain", "ValidationError", "check"]

_Schema = dict[str, Any]
_Method = TypeVar("_Method", bound=Callable[..., Any])
_NAMES: Mapping[Any, str] = {str: "str", int: "int", float: "float", bool: "bool"}


class Before(NamedTuple):
    """A step that converts the given value before its type is checked. Like all steps it may raise ValueError."""

    convert: Callable[[Any], Any]


class After(NamedTuple):
    """A step that checks or converts a value of the right type."""

    convert: Callable[[Any], Any]


class Plain(NamedTuple):
    """A step that replaces all others, and the check of the type.

    It converts the given value. With `named` it also receives the name of the field.
    """

    convert: Callable[..., Any]
    named: bool = False


class Limits(NamedTuple):
    """Limits of a number, or of the length and form of a text; None for none."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    allow_inf_nan: bool | None = None
    min_length: int | None = None
    pattern: str | None = None


class ModelField(NamedTuple):
    """A field of a model. `default` is an ellipsis if a value is required."""

    annotation: Any
    default: Any
    declaration: Declaration


def check(field: str) -> Callable[[_Method], _Method]:
    """Make a class method the last step of a field: it receives the value, and the fields before it by name."""

    def mark(method: _Method) -> _Method:
        method.__dict__["checked_field"] = field
        return method

    return mark


class _PerClass:
    """An attribute of a class that is computed at its first use, for each class anew, and kept in `values`."""

    def __init__(self, compute: Callable[[type[CheckedModel]], Any], values: dict[type, Any]) -> None:
        self._compute = compute
        self._values = values

    def __get__(self, _instance: object, owner: type[CheckedModel]) -> Any:
        if owner not in self._values:
            self._values[owner] = self._compute(owner)
        return self._values[owner]


_FIELDS: dict[type, Mapping[str, ModelField]] = {}
_VALIDATORS: dict[type, SchemaValidator] = {}


# Not `frozen_default`: mypy would take the type of an attribute from `__set__` (see `written_value`).
@dataclass_transform(kw_only_default=True)
class CheckedModel:
    """The base of models. Objects are frozen, and never contain a value that was not checked.

    Raises ValidationError with all errors, whose text holds no values.
    """

    model_fields: ClassVar[Mapping[str, ModelField]]
    model_validator: ClassVar[SchemaValidator]

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(self.model_validator.validate_python(values))

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> Self:
        """Return an object with these values. Raises ValidationError."""
        return cls(**values)

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return a copy with other values, which are not checked."""
        return self._with({**self.__dict__, **update})

    def model_dump(self, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Return the values by name. With mode "json" they are values of JSON, and texts can be encoded."""
        return {name: _as_json(value) for name, value in self.__dict__.items()} if mode == "json" else {**self.__dict__}

    def model_dump_json(self) -> str:
        """Return the values by name, as JSON."""
        return orjson.dumps(self.model_dump(mode="json")).decode()

    @classmethod
    def model_made(cls, given: Any, checked: Callable[[Any], Mapping[str, Any]]) -> Self:
        """Return the value of a field that holds a model: an object, or one made of values that are checked."""
        return given if isinstance(given, cls) else cls._with(checked(given))

    @classmethod
    def _with(cls, values: Mapping[str, Any]) -> Self:
        made = object.__new__(cls)
        made.__dict__.update(values)
        return made

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        self._refuse(name)

    def __delattr__(self, name: str) -> NoReturn:
        self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        frozen: Any = {"type": "frozen_instance", "loc": (name,), "input": None}
        raise ValidationError.from_exception_data(type(self).__name__, [frozen], hide_input=True)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def _fields(model: type[CheckedModel]) -> Mapping[str, ModelField]:
    fields = {}
    for name, annotation in get_type_hints(model, include_extras=True).items():
        if get_origin(annotation) is not ClassVar:
            declared: Declared = getattr(model, name)
            fields[name] = ModelField(annotation, declared.default, declared.declaration)
    return fields


def _validator(model: type[CheckedModel]) -> SchemaValidator:
    config: Any = {"title": model.__name__, "hide_input_in_errors": True}
    schema: Any = _values_schema(model)
    return SchemaValidator(schema, config)


CheckedModel.model_fields = _PerClass(_fields, _FIELDS)  # type: ignore[assignment]  # it yields such a value
CheckedModel.model_validator = _PerClass(_validator, _VALIDATORS)  # type: ignore[assignment]  # the same


def _values_schema(model: type[CheckedModel]) -> _Schema:
    """Return the schema of a model's values by name."""
    checks = {
        method.__func__.checked_field: getattr(model, name)
        for base in reversed(model.__mro__)
        for name, method in vars(base).items()
        if isinstance(method, classmethod) and hasattr(method.__func__, "checked_field")
    }
    fields = {}
    for name, field in model.model_fields.items():
        schema = _schema(field.annotation, name)
        if name in checks:
            schema = {"type": "function-after", "schema": schema, "function": _with_values(checks[name])}
        required = field.default is ...
        if not required:
            schema = {"type": "default", "schema": schema, "default": field.default}
        fields[name] = {"type": "typed-dict-field", "schema": schema, "required": required}
    return {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid"}


def _with_values(method: Callable[[Any, Mapping[str, Any]], Any]) -> _Schema:
    return {"type": "with-info", "function": lambda value, info: method(value, info.data)}


def _schema(kind: Any, field: str) -> _Schema:
    """Return the schema of a type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated_schema(parts[0], parts[1:], field)
    if origin is Literal:
        return {"type": "literal", "expected": list(parts)}
    if origin in (Union, types.UnionType):
        return _union_schema(parts, field)
    if origin is tuple:
        return {"type": "tuple", "items_schema": [_schema(parts[0], field)], "variadic_item_index": 0}
    if isinstance(kind, type) and issubclass(kind, CheckedModel):
        return {"type": "function-wrap", "schema": _values_schema(kind), "function": _no_info(kind.model_made)}
    return {"type": _NAMES[kind]}


def _union_schema(parts: tuple[Any, ...], field: str) -> _Schema:
    choices = [_schema(part, field) for part in parts if part is not types.NoneType]
    schema = choices[0] if len(choices) == 1 else {"type": "union", "choices": choices}
    return {"type": "nullable", "schema": schema} if types.NoneType in parts else schema


def _annotated_schema(kind: Any, steps: tuple[Any, ...], field: str) -> _Schema:
    if plain := next((step for step in steps if isinstance(step, Plain)), None):
        convert = functools.partial(plain.convert, name=field) if plain.named else plain.convert
        return {"type": "function-plain", "function": _no_info(convert)}
    schema = _schema(kind, field)
    for step in steps:  # limits belong to the type itself, so they come first
        if isinstance(step, Limits):
            schema |= {name: limit for name, limit in step._asdict().items() if limit is not None}
    for step in steps:
        if isinstance(step, Before | After):
            when = "before" if isinstance(step, Before) else "after"
            schema = {"type": f"function-{when}", "schema": schema, "function": _no_info(step.convert)}
    return schema


def _no_info(function: Callable[..., Any]) -> _Schema:
    return {"type": "no-info", "function": function}


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, CheckedModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    return escape_surrogates(str(value))
