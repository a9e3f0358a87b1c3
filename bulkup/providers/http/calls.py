"""The calls of a description: compiled once for an account, and made with its token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from bulkup.config.described_service import AbandonTable, ConfirmTable, HttpDescription, PresignTable
from bulkup.config.description_names import ITEMS, TOKEN
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.client_credentials import ClientCredentials
from bulkup.providers.http.file_values import FileValues, MissingValueError
from bulkup.providers.http.rendering import Compiler, DotSegmentError, RenderTree

_UNAUTHORIZED = 401
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class CompiledCall:
    """One compiled call."""

    method: str
    target: Callable[[FileValues], str]
    headers: Callable[[FileValues], dict[str, str | Secret]]
    body: RenderTree | None

    def request(self, values: FileValues, *, urls: int = 1) -> ApiRequest:
        """Return the request for a file, or for several."""
        headers = self.headers(values)
        if self.body is None:
            return ApiRequest(self.method, self.target(values), headers, urls=urls)
        body = self.body(values)
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
        if kind is None:
            headers["Content-Type"] = _JSON
        is_form = isinstance(kind, str) and kind.startswith(_FORM) and isinstance(body, dict)
        raw = urlencode(body).encode() if is_form else orjson.dumps(body)
        return ApiRequest(self.method, self.target(values), headers, raw, urls=urls)


class DescribedCalls:
    """Compiles and makes the calls of one description. `tokens` are None where it has no table `oauth`."""

    def __init__(self, description: HttpDescription, compiler: Compiler, tokens: ClientCredentials | None) -> None:
        presign = description.presign
        self._compiler = compiler
        self._tokens = tokens
        self._headers = presign.headers if presign is not None else {}
        self._item = compiler.tree(presign.item) if presign is not None and presign.item is not None else None

    def compiled(self, table: PresignTable | ConfirmTable | AbandonTable, body: Any) -> CompiledCall:
        """Return the call of a table. Without headers of its own it has those of the presign call."""
        compiler = self._compiler
        headers = self._headers if table.headers is None else table.headers
        rendered = compiler.tree(body) if body is not None else None
        return CompiledCall(table.method, compiler.url(table.path), compiler.headers(headers), rendered)

    async def make(
        self, asked: CompiledCall, values: FileValues, call: ApiCall, files: Sequence[FileValues] = ()
    ) -> ApiAnswer:
        """Make a call. A token that the service refuses is replaced once. Raises `ProblemError`."""
        for _ in range(2):
            token = await self._tokens.token(call) if self._tokens is not None else None
            if token is not None:
                for one in (values, *files):
                    one.more = {**one.more, TOKEN: token}
            if self._item is not None and files:
                values.more = {**values.more, ITEMS: [self._item(one) for one in files]}
            answer = await call(_request(asked, values, files))
            if self._tokens is None or token is None or answer.status != _UNAUTHORIZED:
                break
            self._tokens.invalidate(token)
        return answer


def _request(asked: CompiledCall, values: FileValues, files: Sequence[FileValues]) -> ApiRequest:
    try:
        return asked.request(values, urls=max(1, len(files)))
    except DotSegmentError:
        what = "a part of the path of its call would be `.` or `..`, which servers remove"
    except MissingValueError as error:
        what = f"its ticket is of an earlier description, and has no {error} for the closing call"
    raise ProblemError(Problem(ProblemKind.REJECTED if files else ProblemKind.FAILED, what))
