"""The names that somebody may have meant, out of any number of them."""

import heapq
from collections.abc import Iterable
from functools import lru_cache

from services.expressions.errors import suggestion

_MAX_SHOWN = 20


def nearby(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The names that may stand there: all of a few, or of many the twenty that look most like `name`, best first.

    >>> nearby("Raeder", ["Writer", "Reader"])
    ('Writer', 'Reader')
    """
    names = tuple(known)
    if len(names) <= _MAX_SHOWN:
        return names
    wanted = _pairs(name)
    return tuple(heapq.nsmallest(_MAX_SHOWN, names, key=lambda each: (-_likeness(wanted, _pairs(each)), each)))


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that looks most like `name`, when one is near.

    >>> nearest_of("Raeder", ["Writer", "Reader"]), nearest_of("Quux", ["Writer", "Reader"])
    ('Reader', None)
    """
    return suggestion(name, nearby(name, known))


def _likeness(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b) or 1)


@lru_cache(maxsize=16_384)
def _pairs(name: str) -> frozenset[str]:
    """The letters of a name two by two: cheap to compare, also with many thousand others."""
    padded = f" {name[:100].casefold()} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))
