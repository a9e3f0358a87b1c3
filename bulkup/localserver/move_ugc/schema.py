"""The part of Move UGC's GraphQL schema that concerns files (docs/contracts.md section 2), and its resolvers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema, build_schema

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.move_ugc.file_records import MoveFile, MoveFileRegistry
from bulkup.localserver.signing_types import ServerOrigin

# Released SDKs read the schema by introspection, and refuse it if a directive has a location that they do not know.
# So the directives are defined here, and newer versions of graphql-core add none.
_SDL = """
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @deprecated(reason: String = "No longer supported") on FIELD_DEFINITION | ENUM_VALUE

scalar AWSJSON
scalar AWSDateTime
scalar AWSURL

type Client {
  id: ID!
  name: String
  created: AWSDateTime
  metadata: AWSJSON
  portal: AWSURL
}

type File {
  id: ID!
  type: String!
  created: AWSDateTime
  metadata: AWSJSON
  name: String
  presignedUrl: AWSURL
  thumbnailUrl: AWSURL
  client: Client
}

type Query {
  getFile(fileId: ID!): File!
}

type Mutation {
  createFile(type: String!, metadata: AWSJSON, name: String): File!
  updateFile(id: String!, metadata: AWSJSON, name: String): File!
}
"""

_CLIENT = {
    "id": "client-00000000-0000-4000-8000-000000000000",
    "name": "local",
    "created": "2024-01-01T00:00:00.000Z",
    "metadata": "{}",
    "portal": "http://localhost/",
}


@dataclass(slots=True)
class ResolverContext:
    """The context of one request's resolvers. `created` has the keys of the answer under which files were created."""

    files: MoveFileRegistry
    origin: ServerOrigin
    now: float
    created: set[str | int] = field(default_factory=set)


def move_schema() -> GraphQLSchema:
    """Return the schema with its resolvers. It is executed with a `ResolverContext`."""
    schema = _own_directives_only(build_schema(_SDL))
    json_text = schema.type_map["AWSJSON"]
    json_text.parse_value = _parse_json_text  # type: ignore[attr-defined]
    _resolve(schema, "Query", getFile=_get_file)
    _resolve(schema, "Mutation", createFile=_create_file, updateFile=_update_file)
    return schema


def _own_directives_only(schema: GraphQLSchema) -> GraphQLSchema:
    """Return the schema without the directives that graphql-core added to those of the SDL."""
    fields = schema.to_kwargs()
    fields["directives"] = tuple(directive for directive in schema.directives if directive.ast_node is not None)
    return GraphQLSchema(**fields)


def _resolve(schema: GraphQLSchema, type_name: str, **resolvers: Any) -> None:
    fields = schema.type_map[type_name].fields  # type: ignore[attr-defined]
    for name, resolver in resolvers.items():
        fields[name].resolve = resolver


def _parse_json_text(value: Any) -> str:
    try:
        if not isinstance(value, str):
            raise TypeError
        orjson.loads(value)
    except (TypeError, ValueError):
        raise GraphQLError("AWSJSON must be a string that holds JSON") from None
    return value


# The names of the arguments are those of the schema.
def _create_file(
    _root: Any,
    info: GraphQLResolveInfo,
    type: str,  # noqa: A002
    metadata: str | None = None,
    name: str | None = None,
) -> Mapping[str, Any]:
    context: ResolverContext = info.context
    file = context.files.create(type, name, metadata, context.now)
    context.created.add(info.path.key)
    return _file_fields(file, context.files.upload_url(file, context.origin, context.now))


def _get_file(_root: Any, info: GraphQLResolveInfo, fileId: str) -> Mapping[str, Any]:  # noqa: N803
    context: ResolverContext = info.context
    file = context.files.get(fileId)
    return _file_fields(file, context.files.download_url(file, context.origin, context.now))


def _update_file(
    _root: Any,
    info: GraphQLResolveInfo,
    id: str,  # noqa: A002
    metadata: str | None = None,
    name: str | None = None,
) -> Mapping[str, Any]:
    context: ResolverContext = info.context
    file = context.files.update(id, name, metadata)
    return _file_fields(file, context.files.download_url(file, context.origin, context.now))


def _file_fields(file: MoveFile, url: str) -> Mapping[str, Any]:
    return {
        "id": file.id,
        "type": file.type,
        "created": file.created,
        "metadata": file.metadata,
        "name": file.name,
        "presignedUrl": url,
        "client": _CLIENT,
    }
