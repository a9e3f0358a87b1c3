"""Move UGC's schema as released SDKs read it, with any version of graphql-core."""

from __future__ import annotations

import importlib

import graphql
import pytest
from graphql import DirectiveLocation, GraphQLDirective, build_client_schema, introspection_from_schema

from bulkup.localserver.move_ugc.schema import move_schema


def test_the_schema_has_only_the_directives_that_every_sdk_knows() -> None:
    """gql 3.5 refuses a schema whose directives have a location that is newer than itself."""
    directives = introspection_from_schema(move_schema())["__schema"]["directives"]
    assert {directive["name"]: {str(place) for place in directive["locations"]} for directive in directives} == {
        "include": {"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"},
        "skip": {"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"},
        "deprecated": {"FIELD_DEFINITION", "ENUM_VALUE"},
    }


def test_a_directive_that_graphql_core_adds_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version of graphql-core may specify more of them."""
    later = GraphQLDirective("later", [DirectiveLocation.FIELD])
    # The package has a function of the module's name.
    builder = importlib.import_module("graphql.utilities.build_ast_schema")
    monkeypatch.setattr(builder, "specified_directives", (*graphql.specified_directives, later))
    assert "later" in {directive.name for directive in graphql.build_schema("type Query { a: Int }").directives}
    assert move_schema().get_directive("later") is None


def test_an_sdk_can_rebuild_the_schema() -> None:
    """The types of the calls are the same after introspection."""
    rebuilt = build_client_schema(introspection_from_schema(move_schema()))
    create = rebuilt.mutation_type
    assert create is not None
    assert str(create.fields["createFile"].type) == "File!"
    assert create.fields["createFile"].args.keys() == {"type", "metadata", "name"}
