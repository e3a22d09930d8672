"""Templates: a JSON value whose tags are filled in from a scope, once and in one pass."""

from typing import Final

from services.expressions.errors import EvaluationError, ExpressionError, Place
from services.expressions.expression import compile_expression
from services.expressions.jsonpath import JsonPath, compile_jsonpath, read_as_jsonpath
from services.expressions.nodes import Constant, Found, ListOf, Node, ObjectOf, Room, Text, Value
from services.expressions.paths import MISSING, Reference, Scope
from services.expressions.tags import split
from services.json import Json

MAX_DEPTH: Final = 64


class Template:
    """A JSON value compiled for rendering. It holds no state and can be rendered any number of times.

    `references` are the paths it reads. `is_constant` says that it reads nothing and always gives the same value,
    which belongs to the template and must not be changed.
    """

    __slots__ = ("_node", "is_constant", "references")

    def __init__(self, node: Node, references: tuple[Reference, ...]) -> None:
        self._node = node
        self.references = references
        self.is_constant = isinstance(node, Constant)

    def render(self, scope: Scope) -> Json:
        """The value with every tag filled in.

        What is exactly one tag keeps the JSON type it finds; anything else becomes text. Inserted values are neither
        copied nor scanned for tags.

        Raises:
            EvaluationError: TEMPLATE_ERROR when a path is missing, a filter does not fit or the texts exceed 1 MiB;
                MAPPING_ERROR when a `$expr` or `$path` cannot be evaluated.
        """
        return self._node.render(scope, Room())


def compile_template(value: Json, *, jsonpath: bool = False) -> Template:
    """The template that `value` spells.

    With `jsonpath`, as in `items`, `inputMapping` and `outputMapping`, a string that starts with `$.` or `$[` and
    parses as a JSONPath is one.

    >>> greet = compile_template({"text": "Hi <<input.name | default('you')>>", "n": "<<input.n>>"})
    >>> greet.render({"input": {"n": 3}})
    {'text': 'Hi you', 'n': 3}
    >>> [(reference.path.text, reference.required) for reference in greet.references]
    [('input.name', False), ('input.n', True)]

    Raises:
        ExpressionError: with the place of the string in `at`.
    """
    references: list[Reference] = []
    node = _compile(value, jsonpath, references, MAX_DEPTH)
    return Template(node, tuple(dict.fromkeys(references)))


def _compile(value: Json, jsonpath: bool, references: list[Reference], depth: int) -> Node:
    if depth < 0:
        raise ExpressionError("TEMPLATE_INVALID", f"the value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, str):
        return _compile_string(value, jsonpath, references)
    if isinstance(value, list):
        items = [_compile_at(i, item, jsonpath, references, depth) for i, item in enumerate(value)]
        constants = [item.value for item in items if isinstance(item, Constant)]
        return Constant(constants) if len(constants) == len(items) else ListOf(items)
    if isinstance(value, dict):
        if len(value) == 1 and (special := _compile_special(*next(iter(value.items())), references)) is not None:
            return special
        members = {key: _compile_at(key, item, jsonpath, references, depth) for key, item in value.items()}
        fixed: dict[str, Json] = {key: item.value for key, item in members.items() if isinstance(item, Constant)}
        return Constant(fixed) if len(fixed) == len(members) else ObjectOf(members)
    return Constant(value)


def _compile_at(place: Place, value: Json, jsonpath: bool, references: list[Reference], depth: int) -> Node:
    try:
        return _compile(value, jsonpath, references, depth - 1)
    except ExpressionError as error:
        raise error.within(place) from None


def _compile_string(text: str, jsonpath: bool, references: list[Reference]) -> Node:
    if jsonpath and text.startswith(("$.", "$[")) and (query := read_as_jsonpath(text)) is not None:
        return _query(query, references)
    parts = split(text)
    references += [Reference(path=tag.path, required=tag.required) for tag in parts if not isinstance(tag, str)]
    match parts:
        case []:
            return Constant("")
        case [str(plain)]:
            return Constant(plain)
        case [tag] if not isinstance(tag, str):
            return Value(tag)
        case _:
            return Text(parts)


def _compile_special(key: str, value: Json, references: list[Reference]) -> Node | None:
    """What `{"$literal": …}`, `{"$path": …}` and `{"$expr": …}` stand for; None for any other object."""
    if key == "$literal":
        return Constant(value)
    if key not in ("$path", "$expr"):
        return None
    if not isinstance(value, str):
        raise ExpressionError("TEMPLATE_INVALID", f"{key} takes a text").within(key)
    try:
        return _query(compile_jsonpath(value), references) if key == "$path" else _expression(value, references)
    except ExpressionError as error:
        raise error.within(key) from None


def _query(query: JsonPath, references: list[Reference]) -> Node:
    references += query.references

    def find(scope: Scope) -> Json:
        value = query.find(scope)
        if value is MISSING:
            raise EvaluationError("TEMPLATE_ERROR", query.missing(scope))
        return value

    return Found(find)


def _expression(text: str, references: list[Reference]) -> Node:
    expression = compile_expression(text)
    references += expression.references

    def find(scope: Scope) -> Json:
        try:
            return expression.evaluate(scope)
        except EvaluationError as error:
            raise EvaluationError("MAPPING_ERROR", error.message) from None

    return Found(find)
