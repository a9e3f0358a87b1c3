"""A service that the configuration describes: the provider `http` (docs/providers/http.md)."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from bulkup.config.described_service import (
    ANY_EXTENSION,
    NO_EXTENSION,
    AbandonTable,
    ConfirmTable,
    HttpDescription,
    PresignTable,
)
from bulkup.config.description_names import (
    BASIC,
    BASIC_SECRETS,
    DIGEST_NAMES,
    FILE_NAMES,
    ID,
    ITEMS,
    SECRET_NAMES,
    STATE,
    TOKEN,
    names_used,
    settings_used,
)
from bulkup.config.json_path import JsonPath, JsonPathError
from bulkup.config.template_text import Template, templates_in
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import MASK, Secret, SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.files import Place
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.model.url_ends import end_of_url
from bulkup.providers.answer_parsing import MESSAGE_LIMIT, json_document, malformed, takes_content_md5, upload_url
from bulkup.providers.base import (
    S3_PUT_LIMIT,
    Capabilities,
    Closing,
    FileSpec,
    NotYet,
    Provider,
    ProviderConfig,
    TicketAnswer,
)
from bulkup.providers.client_credentials import ClientCredentials
from bulkup.providers.http.answer_shape import shape_of
from bulkup.providers.http.answers import TicketReader, check_status, path_of, said_in, success_of
from bulkup.providers.http.auth import client_credentials
from bulkup.providers.http.file_values import FileValues, MissingValueError
from bulkup.providers.http.rendering import Compiler, DotSegmentError, RenderTree

_NO_CALL_GROUP = 1000
_NO_LIMIT = 1 << 62
_FIRST_ERROR = 400  # of the statuses
_UNAUTHORIZED = 401
_CONFLICT = 409
_ABOUT_THE_FILE = (404, _CONFLICT, 410)  # the id in the path of a closing call
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_STATES = {FileState.FAILED: "FAILED"}
_CANCELLED = "CANCELLED"
_LATER = frozenset({*DIGEST_NAMES, "uuid"})  # without a value before the file is hashed, or with another each time
_OF_BYTES = ("size", "extension", "content_type", "type")
_DOT_SEGMENT = Rejection("a part of its URL would be `.` or `..`, which servers remove")


@dataclass(frozen=True, slots=True)
class _Call:
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


class DescribedService(Provider):
    """The service of a description. The remote id is the value of `id`, or else the path of the URL."""

    name = "http"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._description: HttpDescription = config.settings["http"]
        one = self._description
        self._service = one.title or urlsplit(config.base_url).netloc
        dynamic = frozenset({TOKEN}) if one.oauth is not None else frozenset[str]()
        self._compiler = Compiler(self._account(), one.extensions, dynamic, one.part_size)
        # The place and the id of a file are printed, so they hold no secret.
        shown = Compiler(self._account(masked=True), one.extensions, dynamic, one.part_size)
        self._place = shown.text(one.place) if one.place is not None else None
        self._tokens: ClientCredentials | None = None
        if one.oauth is not None and config.credentials:
            self._tokens = client_credentials(one.oauth, config, self._service, self._compiler)
        saved = _saved_names(one)
        self._saved = self._compiler.tree({name: Template(f"{{{name}}}") for name in saved})
        self._of_receipt_names = _closing_names(one).intersection(DIGEST_NAMES).difference(saved)
        self._capabilities = self._limits()
        self._item: RenderTree | None = None
        if one.url is not None:
            self._url = self._compiler.url(one.url)
            self._shown_url = shown.url(one.url)
            self._put_headers = self._compiler.headers(one.put.headers)
        if one.presign is not None:
            self._reader = TicketReader(
                one, self._service, config.base_url, self._compiler, self._saved if saved else None
            )
            self._item = self._compiler.tree(one.presign.item) if one.presign.item is not None else None
            body = one.presign.item if one.presign.body is None else one.presign.body
            self._presign = self._call(one.presign, body)
        self._confirm = self._call(one.confirm, one.confirm.body) if one.confirm is not None else None
        self._abandon = self._call(one.abandon, one.abandon.body) if one.abandon is not None else None
        self._poll: _Call | None = None
        if one.confirm is not None and one.confirm.poll is not None and self._confirm is not None:
            self._poll = _Call("GET", self._compiler.url(one.confirm.poll), self._confirm.headers, None)

    def _call(self, table: PresignTable | ConfirmTable | AbandonTable, body: Any) -> _Call:
        compiler, presign = self._compiler, self._description.presign
        headers = table.headers
        if headers is None:
            headers = presign.headers if presign is not None else {}
        rendered = compiler.tree(body) if body is not None else None
        return _Call(table.method, compiler.url(table.path), compiler.headers(headers), rendered)

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs that the description states."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The values of the account that the description names, such as a project, and the URL without a call."""
        one = self._description
        settings = [str(self.config.settings[name]) for name in settings_used(one)]
        where = [str(one.url)] if one.url is not None else []
        return "/".join([*where, *one.values.values(), *settings])

    @property
    def secrets(self) -> Iterable[Secret]:
        """The credentials, the values made of them, and tokens fetched with them."""
        fetched = self._tokens.secrets if self._tokens is not None else ()
        made = [value for name, value in self._account().items() if name == BASIC and isinstance(value, Secret)]
        user = self.config.credentials.get(BASIC_SECRETS[0]) if BASIC_SECRETS[0] in self._description.secrets else None
        return (*(secret for secret in super().secrets if secret is not user), *made, *fetched)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files that the description leaves out, and names that a URL cannot have."""
        one, limits = self._description, self._capabilities
        if one.extensions and not self._takes(spec.extension):
            what = f"the extension {spec.extension!r}" if spec.extension else "a file without an extension"
            return Rejection(f"{self._service} does not accept {what} (extensions in the table http)", unsupported=True)
        if spec.size < limits.min_size:
            return Rejection(f"a size of {spec.size} bytes is below {self._service}'s minimum of {limits.min_size}")
        if spec.size > limits.max_size:
            return Rejection(f"a size of {spec.size} bytes is above {self._service}'s maximum of {limits.max_size}")
        if one.url is not None and not _LATER.intersection(one.url.names):
            try:
                self._url(FileValues(spec))
            except DotSegmentError:
                return _DOT_SEGMENT
        return None

    def place(self, spec: FileSpec) -> Place | None:
        """Return the place of the description, or else the path of the file's URL. Two files must not share it."""
        if not self._capabilities.placed or self.reject(spec) is not None:
            return None
        values = FileValues(spec)
        name = self._place(values) if self._place is not None else path_of(SecretUrl(self._shown_url(values)))
        return Place(name, exclusive=True)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Make the call and read its answer. Without a call, render the URLs."""
        if self._description.url is not None:
            return [self._ticket_without_call(spec) for spec in specs]
        files = [FileValues(spec) for spec in specs]
        if self._reader.key_of is None or len(files) == 1:
            return await self._ask(files, call)
        return await self._ask_by_key(files, call, self._reader.key_of)

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Make the closing call. After an earlier one that may have been received, a conflict means that it was."""
        assert self._confirm is not None  # the capability says so
        values = FileValues(None, {ID: ticket.remote_id, **ticket.remote, **self._of_receipt(receipt)})
        answer = await self._answer(self._confirm, values, call)
        if (again and answer.status == _CONFLICT) or self._was_closed(answer):
            table = self._description.confirm
            # It was received, and may not be done yet.
            return NotYet(table.every) if table is not None and table.poll is not None else {}
        return self._closing(answer)

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask whether the upload is complete, with the call for that, or the closing call again."""
        asked = self._poll or self._confirm
        assert asked is not None  # the same
        return self._closing(await self._answer(asked, _closing_values(ticket), call))

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Make the call for a file that was given up."""
        assert self._abandon is not None  # the same
        values = _closing_values(ticket, **{STATE: _STATES.get(state, _CANCELLED)})
        self._check_closing(await self._answer(self._abandon, values, call))

    async def _ask_by_key(
        self, files: Sequence[FileValues], call: ApiCall, key_of: Callable[[FileValues], str]
    ) -> Sequence[TicketAnswer]:
        """Ask for files whose entries are found by a key. Files that share a key are in calls of their own."""
        answers: dict[FileValues, TicketAnswer] = {}
        left = list(files)
        while left:
            first: dict[str, FileValues] = {}
            for values in left:
                first.setdefault(key_of(values), values)
            group = list(first.values())
            try:
                answers |= zip(group, await self._ask(group, call), strict=True)
            except ProblemError as error:
                if not answers:
                    raise
                raise ProblemError(dataclasses.replace(error.problem, maybe_created=True)) from error.__cause__
            left = [values for values in left if values not in answers]
        return [answers[values] for values in files]

    async def _ask(self, files: Sequence[FileValues], call: ApiCall) -> list[TicketAnswer]:
        """Make one call for files whose entries can be told apart."""
        about = files[0] if self._description.batch_size == 1 else FileValues(None)
        answer = await self._answer(self._presign, about, call, files)
        self._reader.check_status(answer)
        return self._reader.read(answer, files)

    async def _answer(
        self, asked: _Call, values: FileValues, call: ApiCall, files: Sequence[FileValues] = ()
    ) -> ApiAnswer:
        """Make a call. A token that the service refuses is replaced once."""
        for _ in range(2):
            token = await self._tokens.token(call) if self._tokens is not None else None
            if token is not None:
                for one in (values, *files):
                    one.more = {**one.more, TOKEN: token}
            if self._item is not None and files:
                values.more = {**values.more, ITEMS: [self._item(one) for one in files]}
            answer = await call(self._request(asked, values, files))
            if self._tokens is None or token is None or answer.status != _UNAUTHORIZED:
                break
            self._tokens.invalidate(token)
        return answer

    @staticmethod
    def _request(asked: _Call, values: FileValues, files: Sequence[FileValues]) -> ApiRequest:
        try:
            return asked.request(values, urls=max(1, len(files)))
        except DotSegmentError:
            what = "a part of the path of its call would be `.` or `..`, which servers remove"
        except MissingValueError as error:
            what = f"its ticket is of an earlier description, and has no {error} for the closing call"
        raise ProblemError(Problem(ProblemKind.REJECTED if files else ProblemKind.FAILED, what))

    def _ticket_without_call(self, spec: FileSpec) -> TicketAnswer:
        one, values = self._description, FileValues(spec)
        try:
            url = upload_url(self._url(values), self.config.base_url, self._service)
        except DotSegmentError:
            return _DOT_SEGMENT
        remote_id = path_of(SecretUrl(self._shown_url(values)))
        values.more = {ID: remote_id}
        headers = self._put_headers(values)
        return Ticket(
            url=url,
            remote_id=remote_id,
            expires_at=end_of_url(url).at,
            method=one.put.method or "PUT",
            headers=headers,
            remote={ID: remote_id, **self._saved(values)},
            content_md5=takes_content_md5(url) and not any(name.lower() == "content-md5" for name in headers),
            success=success_of(one),
            proof=one.put.checksum or "",
        )

    def _closing(self, answer: ApiAnswer) -> Closing:
        """Return the result of the answer to a closing call or poll. Raises `ProblemError`."""
        self._check_closing(answer)
        table = self._description.confirm
        assert table is not None  # the capability says so
        if table.done is None:
            return {}
        document = json_document(answer, self._service)
        if table.failed is not None and (reason := self._reader_find("failed", table.failed, document)):
            said = f": {shortened(said_in(reason), MESSAGE_LIMIT)}" if said_in(reason) else ""
            raise ProblemError(Problem(ProblemKind.FAILED, f"{self._service} reports the upload as failed{said}"))
        return {} if self._reader_find("done", table.done, document) else NotYet(table.every)

    def _was_closed(self, answer: ApiAnswer) -> bool:
        """Return whether a refusal says that the upload was complete before."""
        table = self._description.confirm
        if table is None or table.already is None or answer.status < _FIRST_ERROR:
            return False
        try:
            return bool(table.already.find(answer.json()))
        except ValueError:  # no JSON, or the expression cannot be applied to it
            return False

    def _reader_find(self, key: str, path: JsonPath, document: Any) -> Any:
        try:
            return path.find(document)
        except JsonPathError as error:
            failure = str(error)
        raise malformed(self._service, f"{shape_of(document)}, in which http.confirm.{key}: {failure}")

    def _check_closing(self, answer: ApiAnswer) -> None:
        """Raise `ProblemError` unless a closing call succeeded. The service accepted the file before."""
        try:
            check_status(self._description.answer, answer, self._service)
        except ProblemError as error:
            problem = error.problem
            if problem.kind is not ProblemKind.REJECTED and answer.status not in _ABOUT_THE_FILE:
                raise
        else:
            return
        raise ProblemError(dataclasses.replace(problem, kind=ProblemKind.FAILED))

    def _of_receipt(self, receipt: Receipt) -> dict[str, str]:
        """Return the MD5 of the bytes that were sent, if the closing call needs it."""
        needed = self._of_receipt_names
        if not needed:
            return {}
        if receipt.digest is None or receipt.digest.algorithm != "md5":
            text = "the closing call needs the file's MD5, which was not computed (checksum)"
            raise ProblemError(Problem(ProblemKind.FAILED, text))
        return {"md5_hex": receipt.digest.hex, "md5_base64": receipt.digest.base64}

    def _takes(self, extension: str) -> bool:
        known = self._description.extensions
        return extension in known or (ANY_EXTENSION in known and extension != NO_EXTENSION)

    def _account(self, *, masked: bool = False) -> dict[str, str | Secret]:
        """Return the values of the account by name. Secrets are empty in a preview, which has none."""
        one, config = self._description, self.config
        names = names_used(one)
        account: dict[str, str | Secret] = {"base_url": config.base_url, **one.values}
        account |= {name: str(config.settings[name]) for name in settings_used(one)}
        for name in (*(name for name in names if name in SECRET_NAMES), *one.secrets):
            if name != TOKEN or one.oauth is None:
                account[name] = Secret(MASK) if masked else config.credentials.get(name, Secret(""))
        if BASIC in names:
            pair = ":".join(config.credentials.get(name, Secret("")).reveal() for name in BASIC_SECRETS)
            account[BASIC] = Secret(MASK if masked else base64.b64encode(pair.encode()).decode())
        return account

    def _limits(self) -> Capabilities:
        one = self._description
        confirms = one.confirm is not None and self.config.settings["confirm"]
        without_call = one.url is not None
        return Capabilities(
            batch_limit=_NO_CALL_GROUP if without_call else one.batch_size,
            batch_size=_NO_CALL_GROUP if without_call else one.batch_size,
            calls_in_flight=32 if one.batch_size == 1 else 4,
            min_size=one.min_size,
            max_size=one.max_size if one.max_size is not None else _largest(one),
            checksum_first=None if one.checksum == "none" else one.checksum,
            confirms=confirms,
            abandons=one.abandon is not None and self.config.settings["confirm"],
            placed=one.place is not None or (one.url is not None and not _LATER.intersection(one.url.names)),
            extensions=frozenset(one.extensions) if one.extensions and ANY_EXTENSION not in one.extensions else None,
            kept_for=one.kept_for,
            creates_ids=not without_call,
            signs_locally=without_call,
            content_addressed=_is_content_addressed(one),
        )


def _closing_values(ticket: Ticket, **more: str) -> FileValues:
    return FileValues(None, {ID: ticket.remote_id, **ticket.remote, **more})


def _largest(one: HttpDescription) -> int:
    """Return the largest file that a service takes which states no limit."""
    in_parts = one.answer is not None and one.answer.parts is not None
    return _NO_LIMIT if one.url is not None or in_parts else S3_PUT_LIMIT


def _closing_names(one: HttpDescription) -> set[str]:
    """Return the names in the templates of the closing calls."""
    templates: list[Template] = []
    for table in (one.confirm, one.abandon):
        if table is not None:
            templates += [table.path, *(table.headers or {}).values(), *templates_in(table.body)]
    if one.confirm is not None and one.confirm.poll is not None:
        templates.append(one.confirm.poll)
    return {name for template in templates for name in template.names}


def _saved_names(one: HttpDescription) -> tuple[str, ...]:
    """Return the names of a file's values that the closing calls need, so that the ticket keeps them."""
    known = _closing_names(one)
    return tuple(name for name in FILE_NAMES if name in known and DIGEST_NAMES.get(name, one.checksum) == one.checksum)


def _is_content_addressed(one: HttpDescription) -> bool:
    """Return whether all that the service learns of a file follows from its bytes."""
    templates = [one.url] if one.url is not None else []
    if one.presign is not None:
        call = one.presign
        templates += [call.path, *call.headers.values(), *templates_in(call.item), *templates_in(call.body)]
    names = {name for template in templates for name in template.names}.intersection(FILE_NAMES)
    return bool(names.intersection(DIGEST_NAMES)) and names <= {*DIGEST_NAMES, *_OF_BYTES}
