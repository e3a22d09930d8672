"""The grammar of RFC 9535, as far as this language accepts it: no filters, no mixed unions."""

import re
from typing import Final, NoReturn, TypeAlias

import msgspec

from services.expressions.errors import ExpressionError

MAX_QUERY: Final = 512
MAX_SELECTORS: Final = 32
_MAX_INTEGER = 2**53 - 1

_BLANKS = re.compile(r"[ \t\n\r]*")
_NAME = re.compile("[A-Za-z_\x80-\ud7ff\ue000-\U0010ffff][A-Za-z0-9_\x80-\ud7ff\ue000-\U0010ffff]*")
_INTEGER = re.compile(r"-?[0-9]+")
_CANONICAL = re.compile(r"0|-?[1-9][0-9]*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _quoted(quote: str) -> re.Pattern[str]:
    unit = r"[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}"
    pair = r"[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    escape = rf"\\(?:[bfnrt/\\{quote}]|u(?:{unit}|{pair}))"
    return re.compile(rf"{quote}((?:[^{quote}\\\x00-\x1f\ud800-\udfff]|{escape})*){quote}")


_STRINGS = {quote: _quoted(quote) for quote in ("'", '"')}


class Slice(msgspec.Struct, frozen=True):
    """`[start:end:step]`; what is left out is None."""

    start: int | None
    end: int | None
    step: int | None


class Wildcard(msgspec.Struct, frozen=True):
    """`*`, every child."""


Selector: TypeAlias = str | int | Slice | Wildcard


class Selection(msgspec.Struct, frozen=True):
    """One segment: what it selects from each child, or from every `descendant`."""

    selectors: tuple[Selector, ...]
    descendant: bool = False

    @property
    def single(self) -> str | int | None:
        """The name or index, when this segment selects one child at most."""
        only = self.selectors[0]
        return only if len(self.selectors) == 1 and not self.descendant and isinstance(only, (str, int)) else None


def parse_query(text: str) -> tuple[Selection, ...]:
    """The segments of a query.

    Raises:
        ExpressionError: JSONPATH_INVALID, when it is none; JSONPATH_UNSUPPORTED, when this language leaves it out.
    """
    if len(text) > MAX_QUERY:
        _unsupported(MAX_QUERY, f"a JSONPath has at most {MAX_QUERY} characters")
    if not text.startswith("$"):
        _invalid(0, "a JSONPath starts with $")
    selections: list[Selection] = []
    at = 1
    while at < len(text):
        selection, at = _read_segment(text, _skip(text, at))
        selections.append(selection)
    _check(selections)
    return tuple(selections)


def _check(selections: list[Selection]) -> None:
    """Refuse what could visit the same value again and again."""
    descendants = [i for i, selection in enumerate(selections) if selection.descendant]
    if len(descendants) > 1:
        _unsupported(None, "a JSONPath holds '..' once at most")
    before = selections[: descendants[0]] if descendants else []
    if any(_may_repeat(selection.selectors) for selection in before):
        _unsupported(None, "before '..' the members of a union must differ and their indices have the same sign")


def _may_repeat(selectors: tuple[Selector, ...]) -> bool:
    signs = {selector < 0 for selector in selectors if isinstance(selector, int)}
    return len(set(selectors)) < len(selectors) or len(signs) > 1


def _read_segment(text: str, at: int) -> tuple[Selection, int]:
    descendant = text.startswith("..", at)
    dotted = text.startswith(".", at)
    at += 2 if descendant else int(dotted)
    if text.startswith("[", at) and (descendant or not dotted):
        selectors, at = _read_brackets(text, _skip(text, at + 1))
        return Selection(selectors=selectors, descendant=descendant), at
    if not dotted:
        _invalid(at, "a segment starts with a dot or a bracket")
    if text.startswith("*", at):
        return Selection(selectors=(Wildcard(),), descendant=descendant), at + 1
    name = _NAME.match(text, at)
    if name is None:
        _invalid(at, "a name or * must follow the dot; other names are written ['like this']")
    return Selection(selectors=(name[0],), descendant=descendant), name.end()


def _read_brackets(text: str, at: int) -> tuple[tuple[Selector, ...], int]:
    selectors: list[Selector] = []
    while True:
        selector, at = _read_selector(text, at)
        selectors.append(selector)
        at = _skip(text, at)
        if not text.startswith(",", at):
            break
        at = _skip(text, at + 1)
    if not text.startswith("]", at):
        _invalid(at, "a closing bracket is missing")
    kinds = {type(selector) for selector in selectors}
    if len(selectors) > 1 and kinds not in ({str}, {int}):
        _unsupported(at, "a union holds names only, or indices only")
    if len(selectors) > MAX_SELECTORS:
        _unsupported(at, f"a union has at most {MAX_SELECTORS} members")
    return tuple(selectors), at + 1


def _read_selector(text: str, at: int) -> tuple[Selector, int]:
    mark = text[at : at + 1]
    if mark == "*":
        return Wildcard(), at + 1
    if mark == "?":
        _unsupported(at, "filters are not offered; use a map with a condition")
    if mark in _STRINGS:
        match = _STRINGS[mark].match(text, at)
        if match is None:
            _invalid(at, "the quoted name does not end, or has an unknown escape")
        return _unescaped(match[1]), match.end()
    start, at = _read_integer(text, at)
    after = _skip(text, at)
    if not text.startswith(":", after):
        if start is None:
            _invalid(at, "brackets hold a quoted name, an index, a slice or *")
        return start, at
    end, at = _read_integer(text, _skip(text, after + 1))
    step = None
    after = _skip(text, at)
    if text.startswith(":", after):
        step, at = _read_integer(text, _skip(text, after + 1))
    return Slice(start=start, end=end, step=step), at


def _read_integer(text: str, at: int) -> tuple[int | None, int]:
    match = _INTEGER.match(text, at)
    if match is None:
        return None, at
    if _CANONICAL.fullmatch(match[0]) is None or len(match[0]) > 17 or abs(int(match[0])) > _MAX_INTEGER:
        _invalid(at, "a number has no leading zero and lies within ±(2^53 - 1)")
    return int(match[0]), match.end()


def _unescaped(text: str) -> str:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _PLAIN.get(match[2], match[2]), text)
    # Two escapes may spell one character.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16")


def _skip(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def _invalid(position: int, reason: str) -> NoReturn:
    raise ExpressionError("JSONPATH_INVALID", reason, position=position)


def _unsupported(position: int | None, reason: str) -> NoReturn:
    raise ExpressionError("JSONPATH_UNSUPPORTED", reason, position=position)
