"""The interface for providers of other packages, version 1 (docs/plugins.md).

All that such a provider needs is here. These names and their meaning change only with the version of the interface,
`INTERFACE`. Other modules of bulkup may change with every release.
"""

from __future__ import annotations

from bulkup.config.provider_declarations import ProviderDeclaration
from bulkup.config.provider_plugins import INTERFACE, ProviderPlugin
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, Place
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, StorageAnswer, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import AlreadyThere, ChecksumHeader, Download, Receipt, Rejection, Ticket
from bulkup.providers.answer_parsing import (
    check_distinct_tickets,
    error_message,
    json_object,
    lease_from,
    lease_of_url,
    malformed,
    raise_for_status,
    takes_content_md5,
    text_field,
    unix_time,
    upload_url,
)
from bulkup.providers.base import Capabilities, Closing, FileSpec, NotYet, Provider, ProviderConfig, TicketAnswer
from bulkup.providers.bearer_header import BearerHeader

__all__ = [
    "INTERFACE",
    "AlreadyThere",
    "ApiAnswer",
    "ApiCall",
    "ApiRequest",
    "BearerHeader",
    "Capabilities",
    "ChecksumHeader",
    "Closing",
    "Digest",
    "Download",
    "FileSpec",
    "FileState",
    "NotYet",
    "Place",
    "Problem",
    "ProblemError",
    "ProblemKind",
    "Provider",
    "ProviderConfig",
    "ProviderDeclaration",
    "ProviderPlugin",
    "Receipt",
    "Rejection",
    "Secret",
    "SecretUrl",
    "StorageAnswer",
    "StoredObject",
    "Ticket",
    "TicketAnswer",
    "Upload",
    "check_distinct_tickets",
    "error_message",
    "json_object",
    "json_request",
    "lease_from",
    "lease_of_url",
    "malformed",
    "raise_for_status",
    "takes_content_md5",
    "text_field",
    "unix_time",
    "upload_url",
]
