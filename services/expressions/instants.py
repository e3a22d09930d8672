"""RFC 3339 instants as numbers that can be compared; reading text needs no clock."""

import re
from typing import TypeAlias

# Whole seconds since 1970 and the digits of the fraction, without its trailing zeros: any precision, exactly.
Instant: TypeAlias = tuple[int, str]

_PATTERN = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAYS_IN = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def instant(text: str) -> Instant | None:
    """The instant that `text` spells, or None when it is not RFC 3339 with an offset.

    >>> instant("1970-01-01T01:00:00.50+01:00")
    (0, '5')
    >>> instant("2026-02-30T00:00:00Z") is None
    True
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    offset_hour, offset_minute = int(match[9] or 0), int(match[10] or 0)
    if not 1 <= month <= 12 or not 1 <= day <= _days_in(year, month):
        return None
    # A leap second is written :60.
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    offset = (offset_hour * 60 + offset_minute) * (-60 if match[8] == "-" else 60)
    seconds = _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
    return seconds, (match[7] or "").rstrip("0")


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 instant.

    >>> seconds_of("1970-01-01T00:00:01.5Z")
    1.5

    Raises:
        ValueError: `text` is none.
    """
    found = instant(text)
    if found is None:
        raise ValueError(f"{text!r} is no RFC 3339 instant with an offset")
    return found[0] + float(f"0.{found[1] or 0}")


def _days_in(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and is_leap else _DAYS_IN[month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. The year is taken to begin in March, so the leap day comes last."""
    year -= month <= 2
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719_468
