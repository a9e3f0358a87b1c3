"""Models behave like those of pydantic, whose core checks their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
import pytest

from bulkup.config.checked_model import After, Before, CheckedModel, Limits, Plain, ValidationError, check
from bulkup.config.declaration import setting


def _doubled(value: Any) -> Any:
    return value * 2 if isinstance(value, str) else value


def _short(value: str) -> str:
    if len(value) > 6:
        raise ValueError("expected a short text")
    return value


def _spelt(value: Any) -> str:
    return f"spelt {value}"


class Ours(CheckedModel):
    """The same fields as `Theirs`."""

    number: Annotated[int, Limits(ge=1, le=9)] = setting(1, "A number.")
    text: Annotated[str, Before(_doubled), After(_short)] = setting("t", "A text.")
    word: Literal["a", "b"] | None = setting(None, "A word.")
    either: Literal["auto"] | Annotated[int, Limits(ge=2)] = setting("auto", "A word or a number.")
    several: tuple[Annotated[str, Plain(_spelt)], ...] = setting((), "Texts.")
    share: Annotated[float, Limits(gt=0, allow_inf_nan=False)] | None = setting(None, "A share.")
    flag: bool = setting(False, "A flag.")

    @classmethod
    @check("share")
    def _not_with_flag(cls, value: float | None, others: Mapping[str, Any]) -> float | None:
        if others["number"] == 3:
            raise ValueError("expected another share")
        return value


class Theirs(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, title="Ours")

    number: Annotated[int, pydantic.Field(ge=1, le=9)] = 1
    text: Annotated[str, pydantic.BeforeValidator(_doubled), pydantic.AfterValidator(_short)] = "t"
    word: Literal["a", "b"] | None = None
    either: Literal["auto"] | Annotated[int, pydantic.Field(ge=2)] = "auto"
    several: tuple[Annotated[str, pydantic.PlainValidator(_spelt)], ...] = ()
    share: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    flag: bool = False

    @pydantic.field_validator("share")
    @classmethod
    def _not_with_flag(cls, value: float | None, info: pydantic.ValidationInfo) -> float | None:
        if info.data["number"] == 3:
            raise ValueError("expected another share")
        return value


_VALUES: list[dict[str, Any]] = [
    {},
    {"number": "7", "text": "abc", "word": "a", "either": "auto", "several": ["x", 3], "share": "0.5", "flag": "yes"},
    {"number": 0, "text": "abcd", "word": "c", "either": 1, "several": "x", "share": 0, "flag": "maybe"},
    {"number": 1.5, "text": 3, "word": None, "either": "12", "share": float("nan"), "flag": None},
    {"number": None, "either": None, "several": None, "share": "x", "unknown": 1},
    {"number": 3, "share": 1.0},
    {"several": ({}, None)},
    {"text": "\udcff"},
]


@pytest.mark.parametrize("values", _VALUES, ids=str)
def test_values_and_errors_are_those_of_pydantic(values: dict[str, Any]) -> None:
    def outcome(model: Any) -> Any:
        try:
            made = model.model_validate(values)
        except ValidationError as error:
            return str(error), [(one["loc"], one["type"], one["msg"]) for one in error.errors()]
        return made.model_dump(), repr(made).partition("(")[2]

    assert outcome(Ours) == outcome(Theirs)


def test_the_error_is_that_of_pydantic_and_repeats_no_value() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Ours(number=12345)
    assert "12345" not in str(caught.value)


def test_objects_are_frozen_and_compared_by_their_values() -> None:
    one = Ours(number=2)
    assert one == Ours(number="2")  # type: ignore[arg-type]  # text is converted
    assert one != Ours(number=3)
    assert one != {"number": 2}
    assert hash(one) == hash(Ours(number=2))
    with pytest.raises(ValidationError, match="frozen"):
        one.number = 3
    with pytest.raises(ValidationError, match="frozen"):
        del one.number
    assert one.number == 2


class Inner(CheckedModel):
    """A model without a default."""

    name: Annotated[str, Limits(min_length=1)] = setting(..., "A name.")


class Outer(CheckedModel):
    """A model with others in it."""

    inner: tuple[Inner, ...] = setting((), "Others.")


class MoreOuter(Outer):
    """A field more, and the fields of its base before it."""

    more: bool = setting(True, "One more.")


def test_models_hold_models() -> None:
    made = Outer.model_validate({"inner": [{"name": "a"}, Inner(name="b")]})
    assert [one.name for one in made.inner] == ["a", "b"]
    assert made.model_dump(mode="json") == {"inner": [{"name": "a"}, {"name": "b"}]}
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": [{"name": ""}, {}, {"name": "a", "other": 1}, 3]})
    assert [error["loc"] for error in caught.value.errors()] == [
        ("inner", 0, "name"),
        ("inner", 1, "name"),
        ("inner", 2, "other"),
        ("inner", 3),
    ]


def test_a_model_has_the_fields_of_its_bases() -> None:
    assert list(MoreOuter.model_fields) == ["inner", "more"]
    assert list(Outer.model_fields) == ["inner"]
    assert MoreOuter(inner=({"name": "a"},)).more  # type: ignore[arg-type]  # a table is converted


def test_a_copy_has_other_values() -> None:
    one = Ours(number=2, word="a")
    two = one.model_copy(update={"number": 5})
    assert (one.number, two.number, two.word) == (2, 5, "a")


def test_json_has_texts_that_can_be_encoded() -> None:
    made = Ours(several=("\udcff",), share=0.5)
    assert '"several":["spelt \\\\udcff"]' in made.model_dump_json()
