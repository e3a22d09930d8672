"""Tags: how `<<path | filter>>` and `{{path | filter}}` are found in a text and read."""

import json
import re
from typing import Final, NoReturn, TypeAlias

import msgspec

from services.expressions.errors import EvaluationError, ExpressionError
from services.expressions.filters import Filter, filter_of
from services.expressions.paths import ROOTS, Path, read_path, read_string
from services.expressions.text import compact
from services.json import Json, holds_nul

MAX_TAG: Final = 4_000
MAX_FILTERS: Final = 16
MAX_OPENERS: Final = 2_000

_CLOSERS = {"<": ">>", "{": "}}"}
# A run of backslashes is read from its first one only, or long runs would take quadratic time.
_OPENER = re.compile(r"(?<!\\)(\\*)(<{2,}|\{{2,})")
_BLANKS = re.compile(r"[ \t]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER_FIRST = re.compile(r"[ \t]*-?[0-9]+\b")
_ONLY_PATH = re.compile(r"[\w \t\-.\[\]'\"?]*")
_PATH_FIRST = re.compile(r"[ \t]*\w[\w \t\-]*[.\[|?]")
_ROOT_FIRST = re.compile(rf"[ \t]*(?:{'|'.join(ROOTS)})[ \t]*[^\w \t:;,-]")


# A filter's name, its arguments, and where it stands.
_Call: TypeAlias = tuple[str, list[Json], int]


class Tag(msgspec.Struct, frozen=True):
    """A tag as it was read: a path, whether it may be missing, and filters."""

    source: str
    path: Path
    optional: bool
    filters: tuple[Filter, ...]

    @property
    def required(self) -> bool:
        """Whether a missing value is an error: neither `?` nor `default` stands in for it."""
        return not self.optional and not any(each.is_default for each in self.filters)


def split(text: str) -> list[str | Tag]:
    """The text as it is between the tags, and the tags.

    >>> [part if isinstance(part, str) else part.path.text for part in split("see <<input.url>>, a << b")]
    ['see ', 'input.url', ', a << b']

    Raises:
        ExpressionError: something looks like a tag and is none; escape it with a backslash if it is meant as text.
    """
    parts: list[str | Tag] = []
    plain: list[str] = []
    copied = 0
    openers = 0
    opener = _OPENER.search(text)
    while opener is not None:
        openers += 1
        if openers > MAX_OPENERS:
            _refuse(opener.start(), f"a text has at most {MAX_OPENERS:,} tags")
        slashes, mark = len(opener[1]), opener[2]
        end = opener.end()
        if slashes % 2 == 1:
            plain += [text[copied : opener.start()], "\\" * (slashes // 2), mark]
            copied = end
        elif len(mark) == 2 and (tag := _tag_at(text, end, _CLOSERS[mark[0]])) is not None:
            plain += [text[copied : opener.start()], "\\" * (slashes // 2)]
            end += len(tag.source) - 2
            copied = end
            if between := "".join(plain):
                parts.append(between)
            plain = []
            parts.append(tag)
        opener = _OPENER.search(text, end)
    if rest := "".join([*plain, text[copied:]]):
        parts.append(rest)
    return parts


def _tag_at(text: str, start: int, closer: str) -> Tag | None:
    """The tag whose content starts at `start`, or None where the opener is just text."""
    end = text.find(closer, start, start + MAX_TAG)
    if end < 0 or not _looks_like_a_reference(text[start:end]):
        return None
    try:
        path, optional, calls, end = _read(text, start, closer)
    except ExpressionError as error:
        error.suggestion = error.suggestion or "\\" + text[start - 2 : start]
        raise
    filters = tuple(filter_of(*call) for call in calls)
    return Tag(source=text[start - 2 : end], path=path, optional=optional, filters=filters)


def _looks_like_a_reference(content: str) -> bool:
    """Whether somebody meant a tag. Every tag looks like one; what does and is none is refused rather than ignored."""
    if "\n" in content or not content:
        return False
    if _NUMBER_FIRST.match(content):
        # `1 << 2 >> 1` is arithmetic in somebody's code.
        return False
    if any(opener in content.partition("|")[0] for opener in ("<<", "{{")):
        # The inner opener is the one that this closer belongs to.
        return False
    return (
        _ONLY_PATH.fullmatch(content) is not None
        or _PATH_FIRST.match(content) is not None
        or _ROOT_FIRST.match(content) is not None
    )


def _read(text: str, start: int, closer: str) -> tuple[Path, bool, list[_Call], int]:
    """The path, whether it may be missing, the filters as they are called, and where the tag ends."""
    path, at = read_path(text, _skip(text, start))
    at = _skip(text, at)
    optional = text.startswith("?", at)
    at = _skip(text, at + optional)
    calls: list[_Call] = []
    while text.startswith("|", at):
        call, at = _read_call(text, _skip(text, at + 1))
        calls.append(call)
        at = _skip(text, at)
        if len(calls) > MAX_FILTERS:
            _refuse(at, f"a tag has at most {MAX_FILTERS} filters")
    if not text.startswith(closer, at):
        _refuse(at, 'a tag holds a path and filters, and no expressions; write {"$expr": …} for these')
    end = at + len(closer)
    if end - start > MAX_TAG:
        _refuse(start, f"a tag has at most {MAX_TAG} characters")
    return path, optional, calls, end


def _read_call(text: str, start: int) -> tuple[_Call, int]:
    name = _WORD.match(text, start)
    if name is None:
        _refuse(start, "a filter must follow the bar")
    at = _skip(text, name.end())
    if not text.startswith("(", at):
        return (name[0], [], start), name.end()
    at = _skip(text, at + 1)
    arguments: list[Json] = []
    if not text.startswith(")", at):
        argument, at = _read_argument(text, at)
        arguments.append(argument)
        at = _skip(text, at)
    if not text.startswith(")", at):
        _refuse(at, "a filter takes one argument and a closing parenthesis")
    return (name[0], arguments, start), at + 1


def _read_argument(text: str, at: int) -> tuple[Json, int]:
    """A JSON value; text may also stand in single quotes."""
    if text.startswith("'", at):
        return read_string(text, at)
    # No value is longer than its tag, and a tag ends with its line.
    window = text[at : at + MAX_TAG].partition("\n")[0]
    try:
        value, length = _DECODER.raw_decode(window)
        written = compact(value).encode()
    except (ValueError, RecursionError, EvaluationError):
        # Half a surrogate pair, for one, is an escape that JSON allows and UTF-8 does not.
        _refuse(at, "the argument is not JSON; put text into quotes")
    if holds_nul(written):
        _refuse(at, "the argument holds the character U+0000, which no text here may hold")
    return value, at + length


def _skip(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def _refuse(position: int, reason: str) -> NoReturn:
    raise ExpressionError("TEMPLATE_INVALID", reason, position=position)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_number, parse_float=_finite)
