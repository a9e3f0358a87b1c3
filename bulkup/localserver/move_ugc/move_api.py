"""Move UGC's GraphQL API (docs/contracts.md section 2), answered as AWS AppSync does. Imports graphql-core."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from graphql import ExecutionResult, GraphQLError, GraphQLSyntaxError, execute_sync

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.api_common import ApiError, apply_fault, read_json
from bulkup.localserver.context import ServerContext, credentials_match, request_origin
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.move_ugc.api_errors import UNAUTHORIZED
from bulkup.localserver.move_ugc.documents import DocumentCache, MoveDocument
from bulkup.localserver.move_ugc.file_records import MoveError, MoveFileRegistry
from bulkup.localserver.move_ugc.schema import ResolverContext, move_schema
from bulkup.localserver.record_log import RecordLog


@dataclass(frozen=True, slots=True)
class GraphQLOperation:
    """A parsed GraphQL request."""

    document: MoveDocument
    variables: dict[str, Any] | None
    name: str | None

    @property
    def point(self) -> FaultPoint:
        """Whether the request asks for upload URLs."""
        return FaultPoint.PRESIGN if self.document.selects("createFile", self.name) else FaultPoint.API


class MoveApi:
    """The Move API of one server."""

    def __init__(self, context: ServerContext, files: RecordLog) -> None:
        self._context = context
        self._schema = move_schema()
        self._documents = DocumentCache(self._schema)
        self._files = MoveFileRegistry(context, files)

    async def call(self, request: web.Request) -> dict[str, Any]:
        """Return the body of an answer with status 200. Raises ApiError for a refusal."""
        return self._answer(request, await self._read(request))

    async def _read(self, request: web.Request) -> GraphQLOperation:
        """Parse the request, count it as a presign call if it is one, and check the API key.

        Validation comes later: it can take long, so only a caller with the key may cause it.
        """
        problem: ApiError | None = None
        try:
            operation = self._operation(await read_json(request, self._context.limits))
            self._context.counters.add(presign_calls=operation.point is FaultPoint.PRESIGN)
        except ApiError as error:
            problem = error
        if not credentials_match(request.headers.get("Authorization"), self._context.config.api_key):
            raise ApiError(401, UNAUTHORIZED)
        if problem:
            raise problem
        return operation

    def _operation(self, body: Any) -> GraphQLOperation:
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise ApiError(400, "The body must be an object with a string 'query'")
        variables, name = body.get("variables"), body.get("operationName")
        if not isinstance(variables, dict | None) or not isinstance(name, str | None):
            raise ApiError(400, "'variables' must be an object and 'operationName' a string")
        try:
            return GraphQLOperation(self._documents.parse(body["query"]), variables, name or None)
        except GraphQLSyntaxError as error:
            raise ApiError(400, f"Unable to parse the GraphQL query: {error.message}") from None

    def _answer(self, request: web.Request, operation: GraphQLOperation) -> dict[str, Any]:
        if errors := self._documents.validation_errors(operation.document):
            return _result_body(ExecutionResult(None, list(errors)))
        now = self._context.clock.now()
        short = apply_fault(self._context.draw_fault(operation.point, now))
        call = ResolverContext(self._files, request_origin(request), now)
        result = self._execute(operation, call)
        if short and result.data:
            result.data.popitem()
        self._context.counters.add(tickets=len(call.created & (result.data or {}).keys()))
        return _result_body(result)

    def _execute(self, operation: GraphQLOperation, call: ResolverContext) -> ExecutionResult:
        return execute_sync(
            self._schema,
            operation.document.node,
            context_value=call,
            variable_values=operation.variables,
            operation_name=operation.name,
        )


def _result_body(result: ExecutionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error_body(error) for error in result.errors]
    return body


def _error_body(error: GraphQLError) -> dict[str, Any]:
    """Return an error in AppSync's shape: `errorType` beside the message, not under extensions."""
    locations = [{"line": place.line, "column": place.column, "sourceName": None} for place in error.locations or ()]
    return {
        "path": error.path,
        "data": None,
        "errorType": _error_type(error.original_error),
        "errorInfo": None,
        "locations": locations,
        "message": error.message,
    }


def _error_type(cause: Exception | None) -> str:
    if isinstance(cause, MoveError):
        return cause.error_type
    return "MoveInternalError" if isinstance(cause, OSError) else "ValidationError"
