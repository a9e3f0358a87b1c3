"""Answers the requests of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from bulkup._version import __version__
from bulkup.dashboard.dashboard_state import DashboardState
from bulkup.dashboard.event_stream import stream_events
from bulkup.dashboard.guard import RequestError, json_response
from bulkup.dashboard.index_keeper import KeptIndex
from bulkup.dashboard.journal_list import JournalView
from bulkup.dashboard.request_parameters import (
    ListRequest,
    ParameterError,
    chosen_keys,
    list_parameters,
    list_request,
    place_text,
)
from bulkup.dashboard.retry_jobs import RetryJobs
from bulkup.dashboard.run_objects import (
    decoded_key,
    file_object,
    group_object,
    journal_object,
    record_object,
    run_details,
    sorted_runs,
)
from bulkup.journal import Reader
from bulkup.journal.file_record import records_at
from bulkup.journal.file_steps import file_steps
from bulkup.journal.index_rows import FileKey, rows_of, run_names
from bulkup.journal.run_records import read_record
from bulkup.model.journal_rows import RunRow
from bulkup.model.run_record import RunRecord
from bulkup.model.states import NOT_UPLOADED

_PATIENCE = 0.3  # seconds that a request waits for an index before it tells how far the reading is
_LONG_PATIENCE = 10.0
_NO_FILES: dict[str, Any] = {"files": [], "count": 0, "after": None}


class Handlers:
    """The requests for data, below `/api/`."""

    def __init__(self, state: DashboardState, retries: RetryJobs) -> None:
        self._state = state
        self._retries = retries

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        add, post = application.router.add_get, application.router.add_post
        add("/api/session", self._session)
        add("/api/overview", self._overview)
        add("/api/events", self._events)
        add("/api/journals/{journal}", self._journal)
        add("/api/journals/{journal}/runs/{run}", self._run)
        add("/api/journals/{journal}/groups", self._groups)
        add("/api/journals/{journal}/files", self._files)
        add("/api/journals/{journal}/files/{destination}/{source}/{path:.*}", self._file)
        post("/api/journals/{journal}/retry", self._retry)
        post("/api/journals/{journal}/control", self._control)

    async def _session(self, _: web.Request) -> web.Response:
        return json_response({"version": __version__})

    async def _overview(self, _: web.Request) -> web.Response:
        views = list((await self._state.look()).values())
        return json_response(
            {
                "journals": [journal_object(view) for view in views],
                "runs": sorted_runs(views, self._state.options.shown_runs),
                "retries": self._retries.objects(),
            }
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await stream_events(request, self._state.hub, self._state.options)

    async def _journal(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        found = await self._state.indexes.find(view.path, _PATIENCE, running=view.state == "running")
        counts = (
            {state.value: count for state, count in found.index.counts().items()}
            if not isinstance(found, int)
            else None
        )
        value = journal_object(view) | {"counts": counts, "retries": self._retries.objects(view.id)}
        return json_response(value | self._reading(view, found))

    async def _run(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        found = await self._state.read(view, _find_run(request.match_info["run"]))
        if found is None:
            message = "the journal has no such run; it may have been pruned"
            raise RequestError(410, "run", message, "go back to the list of runs")
        newest = bool(view.runs) and view.runs[0].run == found[0].run
        value = {"journal": journal_object(view, with_runs=False), "newest": newest}
        return json_response(value | run_details(*found))

    async def _groups(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        found = await self._state.indexes.find(view.path, _PATIENCE, running=view.state == "running")
        if isinstance(found, int):
            return json_response({"groups": []} | self._reading(view, found))
        run = await self._run_number(view, request.query.get("run"))
        index = found.index
        groups = await self._state.in_thread(lambda: index.groups(run))
        sources = await self._state.read(view, lambda reader: {source.id: source.root for source in reader.sources()})
        return json_response(
            {"groups": [group_object(group, sources) for group in groups]} | self._reading(view, found)
        )

    async def _files(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        wanted = _list_request(dict(request.query), self._state.options.page_rows)
        try:
            running = view.state == "running"
            found = await self._state.indexes.find(view.path, _PATIENCE, wanted.index, running=running)
        except KeyError:
            raise RequestError(410, "list", "the list has changed meanwhile", "it begins anew") from None
        if isinstance(found, int):
            return json_response(_NO_FILES | self._reading(view, found))
        most, first = self._state.options.counted_matches, wanted.index is None
        query = await self._resolved(view, found, wanted)
        if query is None:
            return json_response(_NO_FILES | self._reading(view, found))
        index = found.index
        page = await self._state.in_thread(lambda: index.page(query))
        count = await self._state.in_thread(lambda: index.count(query, most + 1)) if first else None
        return json_response(
            {
                "files": await self._state.read(view, _file_objects(page.keys)),
                "count": count if count is None else min(count, most),
                "more": count is not None and count > most,
                "after": place_text(found.number, page.after),
            }
            | self._reading(view, found)
        )

    async def _file(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        match = request.match_info
        try:
            key = decoded_key(match["destination"], match["source"], match["path"])
        except ValueError:
            raise RequestError(404, "file", "the address of this file is damaged", "search for the file") from None
        value = await self._state.read(view, _file_value(key))
        if value is None:
            message = "the journal has no such file; it may have been pruned"
            raise RequestError(410, "file", message, "search for the file")
        return json_response(value | {"journal": journal_object(view, with_runs=False)})

    async def _retry(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        given = await _json_of(request)
        if given.get("all") is True:
            sources = await self._state.read(view, lambda reader: [source.root for source in reader.sources()])
            found = await self._state.indexes.find(view.path, _LONG_PATIENCE)
            number = 0 if isinstance(found, int) else sum(found.index.counts().get(state, 0) for state in NOT_UPLOADED)
            return json_response(await self._retries.start(view, dict.fromkeys(sources), number), 202)
        keys = await self._chosen(view, given)
        paths = await self._state.read(view, _paths_to_retry(keys))
        if not paths:
            message = "none of these files is left to retry"
            raise RequestError(409, "files", message, "load the list again")
        return json_response(await self._retries.start(view, paths, sum(map(len, paths.values()))), 202)

    async def _control(self, request: web.Request) -> web.Response:
        view = await self._state.view(request.match_info["journal"])
        return json_response(await self._state.live.ask(view, await _json_of(request)))

    async def _chosen(self, view: JournalView, given: dict[str, Any]) -> list[FileKey]:
        """Return the chosen files, or all those of a list."""
        most = self._state.options.chosen_files
        if "list" not in given:
            try:
                return chosen_keys(given.get("files"), most)
            except ParameterError as error:
                raise _bad(error) from None
        try:
            wanted = list_request(list_parameters(given["list"]), most)
        except ParameterError as error:
            raise _bad(error) from None
        found = await self._state.indexes.find(view.path, _LONG_PATIENCE)
        if isinstance(found, int):
            raise RequestError(409, "reading", "the journal is still being read", "try again in a moment")
        query = await self._resolved(view, found, wanted)
        index = found.index
        return await self._state.in_thread(lambda: index.keys(query, most)) if query is not None else []

    async def _resolved(self, view: JournalView, found: KeptIndex, wanted: ListRequest) -> Any:
        """Return the query with the numbers that the index has, None if nothing can match."""
        query = wanted.query
        if wanted.group is not None:
            group = found.index.group_number(*wanted.group)
            if group is None:
                return None
            query = replace(query, group=group)
        if wanted.run is not None:
            query = replace(query, run=await self._run_number(view, wanted.run))
        return query

    def _reading(self, view: JournalView, found: KeptIndex | int) -> dict[str, Any]:
        """Return how current an answer is, or how far the reading of the journal is."""
        if isinstance(found, int):
            return {"reading": found, "read_at": None, "stale": False}
        stale = not self._state.indexes.is_current(view.path, found)
        return {"reading": None, "read_at": found.read_at, "known": len(found.index), "stale": stale}

    async def _run_number(self, view: JournalView, name: str | None) -> int | None:
        if not name:
            return None
        numbers = await self._state.read(view, lambda reader: reader.run_numbers(name))
        return numbers[0] if len(numbers) == 1 else -1


def _find_run(name: str) -> Callable[[Reader], tuple[RunRow, RunRecord | None] | None]:
    def read(reader: Reader) -> tuple[RunRow, RunRecord | None] | None:
        run = next((run for run in reader.runs() if run.run == name), None)
        return (run, read_record(reader, reader.run_numbers(name)[0])) if run is not None else None

    return read


def _file_objects(keys: tuple[FileKey, ...]) -> Callable[[Reader], list[dict[str, Any]]]:
    def read(reader: Reader) -> list[dict[str, Any]]:
        runs = run_names(reader)
        return [file_object(key, row, runs) for key, row in rows_of(reader, keys)]

    return read


def _paths_to_retry(keys: list[FileKey]) -> Callable[[Reader], dict[bytes, list[bytes]]]:
    """Return a function that finds the paths by source. A path that the journal does not have would be a new upload."""

    def read(reader: Reader) -> dict[bytes, list[bytes]]:
        found: dict[bytes, dict[bytes, None]] = {}
        for _, row in rows_of(reader, keys):
            if row.status in NOT_UPLOADED:
                found.setdefault(row.source, {})[row.path] = None
        return {source: list(paths) for source, paths in found.items()}

    return read


def _file_value(key: FileKey) -> Callable[[Reader], dict[str, Any] | None]:
    def read(reader: Reader) -> dict[str, Any] | None:
        runs = run_names(reader)
        found = [record for number, record in records_at(reader, key.source, key.path) if number == key.destination]
        if not found:
            return None
        return record_object(key, found[0], runs) | {"steps": file_steps(reader, key)}

    return read


def _list_request(parameters: dict[str, Any], most: int) -> ListRequest:
    try:
        return list_request(parameters, most)
    except ParameterError as error:
        raise _bad(error) from None


def _bad(error: ParameterError) -> RequestError:
    return RequestError(400, "parameter", f"the dashboard does not understand {error}", "load the page again")


async def _json_of(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise RequestError(415, "parameter", "an action needs a body of JSON", "load the page again")
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise RequestError(400, "parameter", "the body of an action must be an object", "load the page again")
    return value
