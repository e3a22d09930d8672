"""Expression strings such as `review.score < input.threshold`: simpleeval behind an allow-list of syntax."""

# simpleeval carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
import ast
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

from simpleeval import InvalidExpression, SimpleEval

from services.expressions.errors import EvaluationError
from services.expressions.functions import FUNCTIONS, OPERATORS
from services.expressions.paths import MISSING, Path, Reference, Scope, Segment, descend, path_of
from services.expressions.syntax import CONSTANTS, parse
from services.json import Json

_MAX_SHOWN = 200


class Expression:
    """A compiled expression. `references` are the paths it reads; a missing one is null."""

    __slots__ = ("_tree", "references", "text")

    def __init__(self, text: str) -> None:
        references: dict[Reference, None] = {}
        self.text = text
        self._tree = _fold(parse(text), references)
        self.references = tuple(references)

    def evaluate(self, scope: Scope) -> Json:
        """The value of the expression.

        Raises:
            EvaluationError: CONDITION_ERROR: an operand has the wrong type or the result is too large.
        """
        try:
            return _Evaluator(scope).value_of(self._tree)
        except EvaluationError as error:
            reason = error.message
        except (InvalidExpression, ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            reason = "it cannot be evaluated"
        shown = self.text if len(self.text) <= _MAX_SHOWN else self.text[: _MAX_SHOWN - 1] + "…"
        raise EvaluationError("CONDITION_ERROR", f"{shown}: {reason}")

    def test(self, scope: Scope) -> bool:
        """Whether the value counts as true: not null, false, zero, or empty."""
        return bool(self.evaluate(scope))


def compile_expression(text: str) -> Expression:
    """The expression that `text` spells.

    >>> compile_expression("context.score >= input.least and not context.flagged").evaluate(
    ...     {"context": {"score": 0.9}, "input": {"least": 0.8}}
    ... )
    True

    Raises:
        ExpressionError: EXPRESSION_INVALID, with the position of what is not allowed.
    """
    return Expression(text)


class _Reference(ast.expr):
    """A chain of names and constant keys, which is looked up in one go."""

    path: Path


class _Evaluator(SimpleEval):
    """One evaluation over one scope.

    Nothing of the base class is set up: its defaults bring random numbers and methods, and after every node it walks
    through the whole value it found, which made an evaluation as slow as the context is large.
    """

    operators = OPERATORS
    functions: Final = {name: function for name, (function, _, _) in FUNCTIONS.items()}

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __del__(self) -> None:
        """There is nothing to break up: no table of bound methods was made."""

    def value_of(self, node: ast.expr) -> Json:
        return self._eval(node)

    def _eval(self, node: ast.AST) -> Any:
        return self.handlers[type(node)](self, node)

    def eval_reference(self, node: _Reference) -> Json:
        value = node.path.resolve(self._scope)
        return None if value is MISSING else value

    def eval_constant(self, node: ast.Constant) -> Json:
        # `parse` let nothing else through.
        assert node.value is None or isinstance(node.value, (bool, int, float, str))
        return node.value

    def eval_list(self, node: ast.List) -> Json:
        return [self.value_of(element) for element in node.elts]

    def eval_attribute(self, node: ast.Attribute) -> Json:
        return _below(self.value_of(node.value), node.attr)

    def eval_subscript(self, node: ast.Subscript) -> Json:
        return _below(self.value_of(node.value), self.value_of(node.slice))

    # What is not here cannot be evaluated, even if it were let through.
    handlers: ClassVar[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {
        _Reference: eval_reference,
        ast.Constant: eval_constant,
        ast.List: eval_list,
        ast.Attribute: eval_attribute,
        ast.Subscript: eval_subscript,
        ast.BoolOp: SimpleEval._eval_boolop,
        ast.UnaryOp: SimpleEval._eval_unaryop,
        ast.BinOp: SimpleEval._eval_binop,
        ast.Compare: SimpleEval._eval_compare,
        ast.IfExp: SimpleEval._eval_ifexp,
        ast.Call: SimpleEval._eval_call,
    }


def _below(value: Json, key: Json) -> Json:
    if isinstance(key, str):
        found = descend(value, (Segment(key=key),))
    elif isinstance(key, int) and not isinstance(key, bool):
        found = descend(value, (Segment(index=key),))
    else:
        return None
    return None if found is MISSING else found


def _fold(node: ast.expr, references: dict[Reference, None]) -> ast.expr:
    """The tree with every chain such as `context.review.score` made one node."""
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return ast.Constant(CONSTANTS[node.id])
    keys = _chain(node)
    if keys is not None:
        folded = _Reference()
        folded.path = path_of(keys)
        references[Reference(path=folded.path, required=False)] = None
        return folded
    for field, child in ast.iter_fields(node):
        if isinstance(node, ast.Call) and field == "func":
            continue
        if isinstance(child, ast.expr):
            setattr(node, field, _fold(child, references))
        elif isinstance(child, list):
            children = cast(list[ast.AST], child)
            setattr(node, field, [_fold(each, references) if isinstance(each, ast.expr) else each for each in children])
    return node


def _chain(node: ast.expr) -> list[str | int] | None:
    match node:
        case ast.Name(id=name) if name not in CONSTANTS:
            return [name]
        case ast.Attribute(value=inner, attr=name):
            key: str | int | None = name
        case ast.Subscript(value=inner, slice=index):
            key = _constant_key(index)
        case _:
            return None
    above = _chain(inner)
    return None if above is None or key is None else [*above, key]


def _constant_key(node: ast.expr) -> str | int | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=(str() | int()) as key):
            return key
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as index)) if not isinstance(index, bool):
            return -index
        case _:
            return None
