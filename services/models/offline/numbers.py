"""Numbers within the bounds a JSON Schema sets."""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import msgspec


class Range(msgspec.Struct, frozen=True):
    """Which numbers a schema allows: bounds (None: none), whether these are excluded, whole ones or multiples only."""

    low: Fraction | None
    high: Fraction | None
    low_excluded: bool
    high_excluded: bool
    step: Fraction | None

    def holds(self, number: float) -> bool:
        """Whether `number` is allowed."""
        value = exact(number)
        above = self.low is None or value > self.low or (value == self.low and not self.low_excluded)
        below = self.high is None or value < self.high or (value == self.high and not self.high_excluded)
        return above and below and (self.step is None or value % self.step == 0)


def range_of(schema: dict[str, Any], *, whole: bool) -> Range:
    """The range of a number schema; with `whole`, of an integer schema."""
    low, low_excluded = _tightest(schema.get("minimum"), schema.get("exclusiveMinimum"), max)
    high, high_excluded = _tightest(schema.get("maximum"), schema.get("exclusiveMaximum"), min)
    step = exact(schema["multipleOf"]) if "multipleOf" in schema else None
    if whole:
        # The whole multiples of p/q, in lowest terms, are the multiples of p.
        step = Fraction(step.numerator if step else 1)
    return Range(low, high, low_excluded, high_excluded, step)


def nearest(target: float, allowed: Range) -> int | float | None:
    """An allowed number near `target`; None when there is none to be found.

    >>> nearest(7.4, range_of({"minimum": 0, "maximum": 5}, whole=True))
    5
    >>> nearest(0.5, range_of({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, whole=False))
    1.5
    """
    wanted = exact(target)
    inside = _clamped(wanted, allowed)
    candidates = _multiples(inside, allowed) if allowed.step is not None else _between(inside, allowed)
    return next((number for number in map(_shown, candidates) if allowed.holds(number)), None)


def exact(number: float) -> Fraction:
    """`number` as people write it: 0.1 is a tenth."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def _tightest(inclusive: Any, exclusive: Any, pick: Any) -> tuple[Fraction | None, bool]:
    bounds = [exact(bound) for bound in (inclusive, exclusive) if bound is not None]
    if not bounds:
        return None, False
    bound = pick(bounds)
    return bound, exclusive is not None and bound == exact(exclusive)


def _clamped(wanted: Fraction, allowed: Range) -> Fraction:
    raised = wanted if allowed.low is None else max(wanted, allowed.low)
    return raised if allowed.high is None else min(raised, allowed.high)


def _multiples(near: Fraction, allowed: Range) -> Iterable[Fraction]:
    step = allowed.step or Fraction(1)
    middle = round(near / step)
    return (step * (middle + offset) for offset in (0, 1, -1, 2, -2))


def _between(near: Fraction, allowed: Range) -> Iterable[Fraction]:
    yield near
    if allowed.low is not None and allowed.high is not None:
        yield (allowed.low + allowed.high) / 2
    for distance in (1, Fraction(1, 2), Fraction(1, 100)):
        yield near + distance
        yield near - distance
    yield exact(math.nextafter(float(near), math.inf))
    yield exact(math.nextafter(float(near), -math.inf))


def _shown(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)
