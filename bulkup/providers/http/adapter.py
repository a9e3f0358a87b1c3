"""A service that the configuration describes: the provider `http` (docs/providers/http.md)."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from bulkup.config.described_service import HttpDescription
from bulkup.config.description_names import BASIC, BASIC_SECRETS, SECRET_NAMES, TOKEN, names_used, settings_used
from bulkup.config.template_text import Template
from bulkup.helpers.secrets import MASK, Secret
from bulkup.model.files import Place
from bulkup.model.http import ApiCall
from bulkup.model.problems import ProblemError
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Rejection, Ticket
from bulkup.providers.base import Capabilities, Closing, FileSpec, Provider, ProviderConfig, TicketAnswer
from bulkup.providers.client_credentials import ClientCredentials
from bulkup.providers.http.answers import TicketReader
from bulkup.providers.http.auth import client_credentials
from bulkup.providers.http.calls import DescribedCalls
from bulkup.providers.http.closing import ClosingCalls, saved_names
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.limits import capabilities_of, takes_extension
from bulkup.providers.http.rendering import Compiler
from bulkup.providers.http.url_tickets import UrlTickets


class DescribedService(Provider):
    """The service of a description. The remote id is the value of `id`, or else the path of the URL."""

    name = "http"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._description: HttpDescription = config.settings["http"]
        one = self._description
        self._service = one.title or urlsplit(config.base_url).netloc
        dynamic = frozenset({TOKEN}) if one.oauth is not None else frozenset[str]()
        compiler = Compiler(self._account(), one.extensions, dynamic, one.part_size)
        # The place and the id of a file are printed, so they hold no secret.
        shown = Compiler(self._account(masked=True), one.extensions, dynamic, one.part_size)
        self._place = shown.text(one.place) if one.place is not None else None
        self._tokens: ClientCredentials | None = None
        if one.oauth is not None and config.credentials:
            self._tokens = client_credentials(one.oauth, config, self._service, compiler)
        self._capabilities = capabilities_of(one, closes=config.settings["confirm"])
        self._calls = DescribedCalls(one, compiler, self._tokens)
        self._closing = ClosingCalls(one, self._service, self._calls, compiler)
        names = saved_names(one)
        saved = compiler.tree({name: Template(f"{{{name}}}") for name in names})
        self._urls: UrlTickets | None = None
        if one.url is not None:
            self._urls = UrlTickets(one, one.url, self._service, config.base_url, compiler, shown, saved)
        if one.presign is not None:
            self._reader = TicketReader(one, self._service, config.base_url, compiler, saved if names else None)
            body = one.presign.item if one.presign.body is None else one.presign.body
            self._presign = self._calls.compiled(one.presign, body)

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
        limits = self._capabilities
        if not takes_extension(self._description, spec.extension):
            what = f"the extension {spec.extension!r}" if spec.extension else "a file without an extension"
            return Rejection(f"{self._service} does not accept {what} (extensions in the table http)", unsupported=True)
        if spec.size < limits.min_size:
            return Rejection(f"a size of {spec.size} bytes is below {self._service}'s minimum of {limits.min_size}")
        if spec.size > limits.max_size:
            return Rejection(f"a size of {spec.size} bytes is above {self._service}'s maximum of {limits.max_size}")
        return self._urls.rejection(spec) if self._urls is not None else None

    def place(self, spec: FileSpec) -> Place | None:
        """Return the place of the description, or else the path of the file's URL. Two files must not share it."""
        name_of = self._place or (self._urls.path if self._urls is not None else None)
        if name_of is None or not self._capabilities.placed or self.reject(spec) is not None:
            return None
        return Place(name_of(FileValues(spec)), exclusive=True)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        """Make the call and read its answer. Without a call, render the URLs."""
        if self._urls is not None:
            return [self._urls.ticket(spec) for spec in specs]
        files = [FileValues(spec) for spec in specs]
        if self._reader.key_of is None or len(files) == 1:
            return await self._ask(files, call)
        return await self._ask_by_key(files, call, self._reader.key_of)

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Make the closing call."""
        return await self._closing.confirm(ticket, receipt, call, again=again)

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask whether the upload is complete."""
        return await self._closing.poll(ticket, call)

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Make the call for a file that was given up."""
        await self._closing.abandon(ticket, state, call)

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
        answer = await self._calls.make(self._presign, about, call, files)
        self._reader.check_status(answer)
        return self._reader.read(answer, files)

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
