"""Follows the paths of the table `http.answer`, and says which of them does not fit an answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from bulkup.config.json_path import JsonPath, JsonPathError
from bulkup.model.problems import ProblemError
from bulkup.providers.answer_parsing import malformed
from bulkup.providers.http.answer_shape import shape_of


class AnswerPaths:
    """Finds values in the answers of one service. The key of a path is its name in the table."""

    def __init__(self, service: str) -> None:
        self._service = service

    def find(self, key: str, path: JsonPath, value: Any) -> Any:
        """Return the value at a path. Raises `ProblemError` if the expression cannot be applied."""
        try:
            return path.find(value)
        except JsonPathError as error:
            failure = str(error)
        raise self.wrong(key, failure, value)

    def finder(self, key: str, path: JsonPath | None) -> Callable[[Any], Any] | None:
        """Return the function for the value at a path, None for no path."""
        if path is None or path.always_applies:
            return path.find if path is not None else None
        return functools.partial(self.find, key, path)

    def wrong(self, key: str, what: str, value: Any) -> ProblemError:
        """Return the error for a path that found something else. It has the shape of the answer and no values."""
        return malformed(self._service, f"{shape_of(value)}, in which http.answer.{key} {what}")
