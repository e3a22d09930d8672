"""What an expression string may consist of: an allow-list over Python's syntax tree, and its limits."""

import ast
import re
import warnings
from collections.abc import Iterable
from typing import Final, NoReturn

from services.expressions.errors import ExpressionError, suggestion
from services.expressions.functions import FUNCTIONS, MAX_INTEGER

MAX_CHARACTERS: Final = 2_000
MAX_NODES: Final = 200
MAX_DEPTH: Final = 24

# Names that mean what they mean in JSON; Python's True, False and None do as well.
CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
)  # fmt: skip
_NODES = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.List,
    ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.IfExp, ast.Call,
)  # fmt: skip
_ALLOWED = (
    "paths", "texts", "numbers", "[lists]", "true", "false", "null", "and", "or", "not", "in", "a if b else c",
    "+ - * / // %", "== != < <= > >=", *(f"{name}()" for name in FUNCTIONS),
)  # fmt: skip
# What people try, by the name they know it by, and what does it here.
_FORBIDDEN: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.Slice: ("slices", "one index, or a $path"),
    ast.Tuple: ("tuples", "a list in brackets"),
    ast.Set: ("sets", "a list in brackets"),
    ast.Dict: ("objects", "a mapping with an $expr for each value"),
    ast.ListComp: ("comprehensions", "a map step or a $path"),
    ast.GeneratorExp: ("comprehensions", "a map step or a $path"),
    ast.JoinedStr: ("f-strings", "+ and string()"),
    ast.Lambda: ("functions of its own", None),
    ast.NamedExpr: ("assignments", "=="),
    ast.Starred: ("unpacking", None),
    ast.Pow: ("powers", None),
    ast.BitAnd: ("&", "and"),
    ast.BitOr: ("|", "or"),
    ast.LShift: ("<<", "a path without << and >>"),
    ast.Invert: ("~", "not"),
}
# What other languages write for what is meant here, the longer spelling first.
_HABITS = (
    ("===", "=="), ("!==", "!="), ("&&", "and"), ("||", "or"), ("<<", "a path without << and >>"),
    ("{{", "a path without {{ and }}"), ("?", "a if b else c"), ("=", "=="), ("!", "not"),
)  # fmt: skip
_LINE_END = re.compile(r"\r\n?|\n")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def parse(text: str) -> ast.expr:
    """The syntax tree of an expression of which every part is allowed.

    Raises:
        ExpressionError: EXPRESSION_INVALID, with the position of the first part that is not allowed.
    """
    if len(text) > MAX_CHARACTERS:
        _refuse(f"an expression has at most {MAX_CHARACTERS} characters")
    bare = _TEXT.sub("''", text)
    if _bracket_depth(bare) > MAX_DEPTH:
        _refuse(f"an expression is nested at most {MAX_DEPTH} deep")
    stripped = text.strip()
    try:
        with warnings.catch_warnings(action="error"):
            tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        _refuse("this is not an expression", better=_habit(bare), position=_position(text, error.lineno, error.offset))
    except (ValueError, MemoryError, RecursionError, Warning):
        _refuse("this is not an expression", better=_habit(bare))
    _check_tree(text, tree)
    return tree


def _check_tree(text: str, tree: ast.expr) -> None:
    pending: list[tuple[ast.AST, int]] = [(tree, 1)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += isinstance(node, ast.expr)
        if count > MAX_NODES:
            _refuse(f"an expression has at most {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            _refuse(f"an expression is nested at most {MAX_DEPTH} deep")
        try:
            pending.extend((child, depth + 1) for child in _checked_children(node))
        except ExpressionError as error:
            error.position = _position_of(text, node)
            raise


def _checked_children(node: ast.AST) -> list[ast.AST]:
    """The nodes below an allowed one, which are still to be checked."""
    match node:
        case ast.Load() | ast.And() | ast.Or():
            return []
        case ast.Constant(value=value):
            _check_constant(value)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name.startswith("_"):
            _refuse(f"names do not start with an underscore here; {name[:64]!r} does", better=f"['{name[:64]}']")
        case ast.Call():
            return _checked_arguments(node)
        case ast.BinOp(left=left, op=operator, right=right) if not isinstance(operator, ast.Add):
            if any(isinstance(side, ast.Constant) and not _is_number(side.value) for side in (left, right)):
                _refuse("arithmetic takes numbers")
        case _:
            if not isinstance(node, _NODES + _OPERATORS):
                name, better = _FORBIDDEN.get(type(node), (type(node).__name__, None))
                _refuse(f"an expression has no {name}", allowed=_ALLOWED, better=better)
    return list(ast.iter_child_nodes(node))


def _checked_arguments(call: ast.Call) -> list[ast.AST]:
    if not isinstance(call.func, ast.Name):
        _refuse("values have no methods; functions are called by their name", allowed=FUNCTIONS)
    name = call.func.id
    if name not in FUNCTIONS:
        _refuse(f"there is no function {name[:64]!r}", allowed=FUNCTIONS, better=suggestion(name, FUNCTIONS))
    _, least, most = FUNCTIONS[name]
    if call.keywords or not least <= len(call.args) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        _refuse(f"{name} takes {count} argument{'' if most == 1 else 's'}, without names")
    return list(call.args)


def _check_constant(value: object) -> None:
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        _refuse(f"integers go up to {MAX_INTEGER:.0e}")
    if isinstance(value, float) and not abs(value) < float("inf"):
        _refuse("the number is too large")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeError:
            _refuse("the text holds half a character")
        if "\0" in value:
            _refuse("the text holds the character U+0000, which no text here may hold")
    elif value is not None and not isinstance(value, (int, float)):
        _refuse(f"a {type(value).__name__} is no JSON", allowed=_ALLOWED)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bracket_depth(text: str) -> int:
    """How deep brackets nest: the parser drops them from the tree, and far down it gives up on them."""
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _habit(bare: str) -> str | None:
    return next((better for habit, better in _HABITS if habit in bare), None)


def _position_of(text: str, node: ast.AST) -> int | None:
    if not isinstance(node, ast.expr):
        return None
    start = _position(text, node.lineno, 1)
    # Python counts bytes here.
    return start + len(text[start:].encode()[: node.col_offset].decode(errors="ignore"))


def _position(text: str, line: int | None, column: int | None) -> int:
    """The place in `text` of a one-based line and column of it without its outer blanks."""
    shift = len(text) - len(text.lstrip())
    starts = [shift, *(match.end() for match in _LINE_END.finditer(text, shift))]
    return min(starts[min(line or 1, len(starts)) - 1] + max((column or 1) - 1, 0), len(text))


def _refuse(
    reason: str, *, allowed: Iterable[str] = (), better: str | None = None, position: int | None = None
) -> NoReturn:
    raise ExpressionError("EXPRESSION_INVALID", reason, allowed=allowed, suggestion=better, position=position)
