"""The types of a setting for type checkers: of the values that it accepts, and of the value that it has.

    min_age: Seconds      # Settings(min_age="5m") is right, and settings.min_age is a float

`CheckedModel` has `dataclass_transform`, by which a checker takes the type of a parameter from `__set__` and that of an
attribute from `__get__`. At run time a type is `Annotated`, and nothing here is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

Value_co = TypeVar("Value_co", covariant=True)
Given_contra = TypeVar("Given_contra", contravariant=True)

if TYPE_CHECKING:

    class WrittenValue(Generic[Value_co, Given_contra]):
        """A setting with a value of one type, for which values of another type may be given."""

        @overload
        def __get__(self, instance: None, owner: type) -> Any: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Value_co: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...
        def __set__(self, instance: object, value: Given_contra) -> None: ...
