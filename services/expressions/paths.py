"""Paths such as `context.plan.tasks[0]`: read once, then looked up in a scope."""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from services.expressions.errors import ExpressionError, kind_of, nearest, quoted
from services.json import Json

Scope: TypeAlias = Mapping[str, Json]

ROOTS: Final = ("context", "input", "output", "step", "steps", "item", "loop", "error", "execution", "vars")

MAX_PATH: Final = 512

_MAX_DIGITS = 15
_NAME = re.compile(r"\w+(?:[ \-]+\w+)*")
_INDEX = re.compile(r"0|-?[1-9][0-9]*")
_STRING = re.compile(r""" '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*" """, re.VERBOSE)
_BLANKS = re.compile(r"[ \t]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\", "/": "/"}


class Missing(Enum):
    """What a path gives that does not exist, as distinct from null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Segment(msgspec.Struct, frozen=True):
    """One step down: into an object by `key`, into a list by `index`. `a.0` has both, and the value decides."""

    key: str | None = None
    index: int | None = None


class Path(msgspec.Struct, frozen=True):
    """A path as it was written, and its segments. The first is a root, or else a key of the context."""

    text: str
    segments: tuple[Segment, ...]

    @property
    def is_classic(self) -> bool:
        """Whether the path leaves its root out, as in `Critic.score`."""
        return self.segments[0].key not in ROOTS

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The segments with the root written out.

        >>> parse_path("Critic.notes[0]").keys
        ('context', 'Critic', 'notes', 0)
        """
        keys = tuple(s.key if s.key is not None else s.index or 0 for s in self.segments)
        return ("context", *keys) if self.is_classic else keys

    def resolve(self, scope: Scope) -> Json | Missing:
        """The value at this path, or `MISSING`.

        >>> parse_path("plan.tasks[-1]").resolve({"context": {"plan": {"tasks": ["a", "b"]}}})
        'b'
        """
        segments = self.segments
        first = segments[0].key or ""
        value: Json | Missing = scope.get(first, MISSING)
        if value is MISSING and first not in ROOTS:
            return descend(scope.get("context", MISSING), segments)
        return descend(value, segments[1:]) if len(segments) > 1 else value

    def missing(self, scope: Scope) -> str:
        """Why this path gives nothing, with the keys that are near."""
        first = self.segments[0].key or ""
        if first in scope:
            return explain(self.text, first, scope[first], self.segments[1:])
        if first in ROOTS:
            return f"{self.text} does not exist: there is no {first} here; there is {quoted(scope)}"
        context = scope.get("context")
        keys = list(context) if isinstance(context, dict) else []
        if first in keys:
            return explain(self.text, "context", context, self.segments)
        return (
            f"{self.text} does not exist: {first} is neither a root nor a key of the context"
            f"{_near(first, [*keys, *scope])}"
        )


class Reference(msgspec.Struct, frozen=True):
    """A path that a compiled value reads. A `required` one fails when it is missing."""

    path: Path
    required: bool


def parse_path(text: str) -> Path:
    """The path that `text` spells.

    Raises:
        ExpressionError: PATH_INVALID, with the position of the first character that does not fit.
    """
    path, end = read_path(text, _skip(text, 0))
    end = _skip(text, end)
    if end < len(text):
        raise _invalid(text, end, f"unexpected {text[end]!r}", _hint(text))
    return path


def read_path(text: str, start: int) -> tuple[Path, int]:
    """The path that starts at `start` of `text`, and where it ends."""
    name = _NAME.match(text, start)
    if name is None:
        raise _invalid(text, start, "a path starts with a name", _hint(text))
    segments = [Segment(key=name[0])]
    end = name.end()
    while True:
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == ".":
            segment, end = _read_dotted(text, _skip(text, at + 1))
        elif mark == "[":
            segment, end = _read_bracketed(text, _skip(text, at + 1))
        else:
            break
        segments.append(segment)
        if end - start > MAX_PATH:
            raise _invalid(text, start, f"a path has at most {MAX_PATH} characters")
    if end - start > MAX_PATH:
        raise _invalid(text, start, f"a path has at most {MAX_PATH} characters")
    return Path(text=text[start:end], segments=tuple(segments)), end


def path_of(segments: Iterable[str | int]) -> Path:
    """The path with these keys and indices, written the plain way.

    >>> path_of(["context", "Search A", "hits", 0]).text
    "context['Search A'].hits[0]"
    """
    parts = [Segment(key=s) if isinstance(s, str) else Segment(index=s) for s in segments]
    return Path(text="".join(map(_written, parts)).lstrip("."), segments=tuple(parts))


def descend(value: Json | Missing, segments: Iterable[Segment]) -> Json | Missing:
    """The value below `value`. Keys lead only into objects and indices only into lists."""
    for segment in segments:
        if isinstance(value, dict):
            value = MISSING if segment.key is None else value.get(segment.key, MISSING)
        elif isinstance(value, list):
            index = segment.index
            value = value[index] if index is not None and -len(value) <= index < len(value) else MISSING
        else:
            return MISSING
    return value


def explain(text: str, walked: str, value: Json, segments: Iterable[Segment]) -> str:
    """Why the path written `text` ends below `value`, which was reached by `walked`."""
    for segment in segments:
        below = descend(value, (segment,))
        if below is MISSING:
            return f"{text} does not exist: {walked} {_why(value, segment)}"
        walked, value = walked + _written(segment), below
    return f"{text} does not exist"


def unquote(literal: str) -> str | None:
    """The text of a quoted string with JSON's escapes (and `\\'`), or None when an escape is unknown."""
    known = True

    def plain(match: re.Match[str]) -> str:
        nonlocal known
        if match[1]:
            return chr(int(match[1], 16))
        known = known and match[2] in _ESCAPED
        return _ESCAPED.get(match[2], "")

    text = _ESCAPE.sub(plain, literal[1:-1])
    try:
        # Two escapes may spell one character; a half of one is no character at all.
        # And no text here holds U+0000, which Postgres cannot keep.
        is_text = known and "\0" not in text
        return text.encode("utf-16", "surrogatepass").decode("utf-16") if is_text else None
    except UnicodeError:
        return None


def read_string(text: str, start: int) -> tuple[str, int]:
    """The quoted string that starts at `start` of `text`, and where it ends."""
    match = _STRING.match(text, start)
    value = None if match is None else unquote(match[0])
    if match is None or value is None:
        raise _invalid(text, start, "the quoted text does not end, or has an unknown escape")
    return value, match.end()


def _read_dotted(text: str, at: int) -> tuple[Segment, int]:
    name = _NAME.match(text, at)
    if name is None:
        raise _invalid(text, at, "a name or a number must follow the dot; other keys are written ['like this']")
    key = name[0]
    is_index = _INDEX.fullmatch(key) is not None and len(key) <= _MAX_DIGITS
    return Segment(key=key, index=int(key) if is_index else None), name.end()


def _read_bracketed(text: str, at: int) -> tuple[Segment, int]:
    number = _INDEX.match(text, at)
    if number is not None:
        if len(number[0]) > _MAX_DIGITS:
            raise _invalid(text, at, f"an index has at most {_MAX_DIGITS} digits")
        segment, end = Segment(index=int(number[0])), number.end()
    elif text[at : at + 1] in ("'", '"'):
        key, end = read_string(text, at)
        segment = Segment(key=key)
    else:
        name = _NAME.match(text, at)
        better = None if name is None else f"['{name[0]}']"
        raise _invalid(text, at, "brackets hold an index or a quoted key", better)
    end = _skip(text, end)
    if text[end : end + 1] != "]":
        raise _invalid(text, end, "a closing bracket is missing")
    return segment, end + 1


def _skip(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def _invalid(text: str, position: int, reason: str, better: str | None = None) -> ExpressionError:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return ExpressionError("PATH_INVALID", f"{shown!r} is not a path: {reason}", suggestion=better, position=position)


def _hint(text: str) -> str | None:
    if len(text) > MAX_PATH:
        return None
    bare = text.strip().removeprefix("<<").removesuffix(">>").removeprefix("{{").removesuffix("}}").strip()
    bare = bare.removeprefix("$.").removesuffix("?").strip()
    return bare if bare != text and _NAME.match(bare) else None


def _why(value: Json, segment: Segment) -> str:
    if isinstance(value, dict):
        if segment.key is None:
            return f"is an object and has no index {segment.index}"
        return f'has no key "{segment.key}"{_near(segment.key, value)}'
    if isinstance(value, list):
        if segment.index is None:
            return f'is a list and has no key "{segment.key}"'
        return f"has {len(value)} item{'' if len(value) == 1 else 's'} and none at [{segment.index}]"
    return f"is {kind_of(value)} and has nothing below it"


def _near(word: str, candidates: Iterable[str]) -> str:
    keys = list(candidates)
    near = nearest(word, keys)
    if near:
        return f"; nearest: {quoted(near)}"
    return f"; it has {quoted(keys)}" if keys else "; it is empty"


def _written(segment: Segment) -> str:
    if segment.key is None:
        return f"[{segment.index}]"
    if segment.key.replace("_", "a").isalnum():
        return f".{segment.key}"
    escaped = segment.key.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"
