"""Parses and validates GraphQL documents. Results are cached, because a bulk client repeats the same document."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator

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

from bulkup.helpers.quick_dataclass import dataclass

MAX_CACHED = 64  # documents
MAX_CACHED_LENGTH = 64 << 10  # characters; a parsed document takes several times the memory of its text
MAX_FRAGMENTS = 16
MAX_REPETITIONS = 16  # of one field name in one selection
MAX_TOKENS = 400_000  # enough for 10,000 aliases, the limit of the real service
_TOO_DEEP = "the document is nested too deeply"


@dataclass(slots=True)
class MoveDocument:
    """A parsed document. `errors` is the result of its validation, None before it."""

    node: DocumentNode
    errors: tuple[GraphQLError, ...] | None = None

    def selects(self, field: str, operation: str | None) -> bool:
        """Return whether the operation of that name (None: any) has the field at its top level."""
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
    """Parses and validates documents for one schema. Keeps the latest results."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._cache: OrderedDict[str, MoveDocument] = OrderedDict()

    def parse(self, text: str) -> MoveDocument:
        """Return the parsed document. Raises GraphQLSyntaxError."""
        document = self._cache.pop(text, None) or self._parse(text)
        if len(text) <= MAX_CACHED_LENGTH:
            self._cache[text] = document
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return document

    def validation_errors(self, document: MoveDocument) -> tuple[GraphQLError, ...]:
        """Return the validation errors of a document."""
        if document.errors is None:
            try:
                document.errors = tuple(validate(self._schema, document.node))
            except RecursionError:
                document.errors = (_syntax_error(_TOO_DEEP),)
        return document.errors

    def _parse(self, text: str) -> MoveDocument:
        try:
            document = MoveDocument(parse(text, max_tokens=MAX_TOKENS))
            _check_repetitions(document.node)
        except RecursionError:
            raise _syntax_error(_TOO_DEEP) from None
        return document


def _check_repetitions(node: DocumentNode) -> None:
    """Refuse documents whose validation could take hours, because it compares fields and fragments in pairs."""
    if sum(isinstance(definition, FragmentDefinitionNode) for definition in node.definitions) > MAX_FRAGMENTS:
        raise _syntax_error("the document has too many fragments")
    for definition in node.definitions:
        selections = getattr(definition, "selection_set", None)
        if selections is not None:
            _check_names(selections)


def _check_names(selections: SelectionSetNode) -> None:
    named: Counter[str] = Counter()
    for field in _fields(selections):
        name = (field.alias or field.name).value
        named[name] += 1
        if named[name] > MAX_REPETITIONS:
            raise _syntax_error(f"the document asks for {name!r} too often in one place")
        if field.selection_set is not None:
            _check_names(field.selection_set)


def _fields(selections: SelectionSetNode) -> Iterator[FieldNode]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(selection.selection_set)


def _syntax_error(message: str) -> GraphQLSyntaxError:
    return GraphQLSyntaxError(Source(""), 0, message)


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
