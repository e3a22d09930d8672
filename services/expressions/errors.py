"""The two ways an expression fails: it does not compile, or it cannot be evaluated."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from services.json import Json

Place = str | int

# Bounds on what a message quotes: keys come from data, and data may be hostile.
_MAX_CANDIDATES = 200
_MAX_QUOTED = 64


class ExpressionError(Exception):
    """A template, condition, path or expression that cannot be saved.

    `code` is stable; `allowed` lists what may stand there and `suggestion` is the nearest of these; `position` counts
    characters from the start of the string; `at` names the string's place inside the value that was compiled.
    """

    def __init__(
        self,
        code: str,
        message: str,
        allowed: Iterable[str] = (),
        suggestion: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.allowed = tuple(allowed)
        self.suggestion = suggestion
        self.position = position
        self.at: tuple[Place, ...] = ()

    def within(self, place: Place) -> "ExpressionError":
        """This error, seen from the list or object that holds the string at `place`."""
        self.at = (place, *self.at)
        return self


class EvaluationError(Exception):
    """A compiled template, condition or expression that does not fit the data it was given.

    `code` is TEMPLATE_ERROR, CONDITION_ERROR or MAPPING_ERROR. The message names paths and keys, never values.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at: tuple[Place, ...] = ()

    def within(self, place: Place) -> "EvaluationError":
        """This error, seen from the list or object that holds the string at `place`."""
        self.at = (place, *self.at)
        return self

    def __str__(self) -> str:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.at).lstrip(".")
        return f"{place}: {self.message}" if place else self.message


def nearest(word: str, candidates: Iterable[str]) -> list[str]:
    """Up to three of `candidates` that look like `word`, best first.

    >>> nearest("scroe", ["score", "draft"])
    ['score']
    """
    short = [candidate[:_MAX_QUOTED] for candidate in islice(candidates, _MAX_CANDIDATES)]
    by_folded = {candidate.casefold(): candidate for candidate in reversed(short)}
    found = get_close_matches(word[:_MAX_QUOTED].casefold(), list(by_folded), n=3)
    return [by_folded[folded] for folded in found]


def suggestion(word: str, candidates: Iterable[str]) -> str | None:
    """The nearest of `candidates`, when one is near."""
    return next(iter(nearest(word, candidates)), None)


def quoted(words: Iterable[str], *, limit: int = 8) -> str:
    """Some words for a message, at most `limit` of them.

    >>> quoted(["a", "b", "c"], limit=2)
    '"a", "b", …'
    """
    some = list(islice(words, limit + 1))
    text = ", ".join(f'"{word[:_MAX_QUOTED]}"' for word in some[:limit])
    return text + ", …" if len(some) > limit else text


def kind_of(value: Json) -> str:
    """What a message calls a value; never the value itself.

    >>> kind_of([1, 2]), kind_of(True)
    ('a list', 'a boolean')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"
