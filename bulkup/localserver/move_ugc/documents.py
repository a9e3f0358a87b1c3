"""GraphQL documents, parsed and validated once: a bulk client sends the same text over and over."""

from __future__ import annotations

from collections import Counter, OrderedDict
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
MOST_FRAGMENTS = 16
MOST_REPETITIONS = 16  # of a field of one name among the fields of one object
MOST_TOKENS = 400_000  # enough for 10,000 aliases, the ceiling of the real service
_TOO_DEEP = "the document is nested too deeply"


@dataclass(slots=True)
class MoveDocument:
    """One parsed document; `errors` is what validation found, None before it was validated."""

    node: DocumentNode
    errors: tuple[GraphQLError, ...] | None = None

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


class DocumentCache:
    """Reads documents for one schema and keeps the latest."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, MoveDocument] = OrderedDict()

    def read(self, text: str) -> MoveDocument:
        """Return the document. Raises GraphQLSyntaxError."""
        document = self._kept.pop(text, None) or self._parse(text)
        if len(text) <= LONGEST_REMEMBERED:
            self._kept[text] = document
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return document

    def errors_of(self, document: MoveDocument) -> tuple[GraphQLError, ...]:
        """Return what is wrong with a document."""
        if document.errors is None:
            try:
                document.errors = tuple(validate(self._schema, document.node))
            except RecursionError:
                document.errors = (_refused(_TOO_DEEP),)
        return document.errors

    def _parse(self, text: str) -> MoveDocument:
        try:
            document = MoveDocument(parse(text, max_tokens=MOST_TOKENS))
            _check_repetitions(document.node)
        except RecursionError:
            raise _refused(_TOO_DEEP) from None
        return document


def _check_repetitions(node: DocumentNode) -> None:
    """Refuse what validation would need hours for: it compares fields of one name, and fragments, in pairs."""
    if sum(isinstance(definition, FragmentDefinitionNode) for definition in node.definitions) > MOST_FRAGMENTS:
        raise _refused("the document has too many fragments")
    for definition in node.definitions:
        selections = getattr(definition, "selection_set", None)
        if selections is not None:
            _check_names(selections)


def _check_names(selections: SelectionSetNode) -> None:
    named: Counter[str] = Counter()
    for field in _fields(selections):
        name = (field.alias or field.name).value
        named[name] += 1
        if named[name] > MOST_REPETITIONS:
            raise _refused(f"the document asks for {name!r} too often in one place")
        if field.selection_set is not None:
            _check_names(field.selection_set)


def _fields(selections: SelectionSetNode) -> Iterator[FieldNode]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(selection.selection_set)


def _refused(why: str) -> GraphQLSyntaxError:
    return GraphQLSyntaxError(Source(""), 0, why)


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
