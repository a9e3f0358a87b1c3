"""GraphQL documents, parsed and validated once: a bulk client sends the same text over and over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    parse,
    validate,
)

REMEMBERED = 64
LONGEST_REMEMBERED = 64 << 10  # characters; the memory of a parsed document is a multiple of its text
MOST_TOKENS = 400_000  # enough for 10,000 aliases, the ceiling of the real service


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed document and what validation found."""

    node: DocumentNode
    errors: tuple[GraphQLError, ...]

    def asks_for(self, field: str, operation: str | None) -> bool:
        """Say whether the operation of that name (None: any) has the field at its top level."""
        return any(
            field in _top_level(definition.selection_set, self._fragments(), set())
            for definition in self.node.definitions
            if isinstance(definition, OperationDefinitionNode)
            and operation in (None, definition.name and definition.name.value)
        )

    def _fragments(self) -> dict[str, SelectionSetNode]:
        return {
            definition.name.value: definition.selection_set
            for definition in self.node.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }


class Documents:
    """Reads documents for one schema and keeps the latest."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def read(self, text: str) -> Document:
        """Return the document. Raises GraphQLSyntaxError."""
        document = self._kept.pop(text, None) or self._parse(text)
        if len(text) <= LONGEST_REMEMBERED:
            self._kept[text] = document
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return document

    def _parse(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=MOST_TOKENS)
            return Document(node, tuple(validate(self._schema, node)))
        except RecursionError:
            raise _too_deep() from None


def _too_deep() -> GraphQLSyntaxError:
    return GraphQLSyntaxError(Source(""), 0, "the document is nested too deeply")


def _top_level(selections: SelectionSetNode, fragments: dict[str, SelectionSetNode], seen: set[str]) -> Iterator[str]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection.name.value
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name in fragments and name not in seen:
                seen.add(name)
                yield from _top_level(fragments[name], fragments, seen)
        elif isinstance(selection, InlineFragmentNode):
            yield from _top_level(selection.selection_set, fragments, seen)
