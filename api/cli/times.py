"""Times as people write them at a terminal."""

import re
from datetime import datetime, timedelta

import msgspec

from api.cli.mendable import Unusable
from services.listing import Instant

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def duration_of(option: str, text: str) -> timedelta:
    """The time that such a text says.

    >>> duration_of("--older-than", "36h")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        Unusable: it says none.
    """
    found = re.fullmatch(r"(\d{1,6})([dhms])", text, re.ASCII)
    if found is None:
        units = "d, h, m or s for days, hours, minutes or seconds"
        raise Unusable(f"{option} is {text!r}; write a number and {units}, such as 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def instant_of(option: str, text: str) -> datetime:
    """The instant that such a text says.

    >>> instant_of("--started-after", "2026-01-31T12:00:00+01:00").hour
    12

    Raises:
        Unusable: it says none.
    """
    try:
        return msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        raise Unusable(
            f"{option} is {text!r}; write an instant with its offset, such as 2026-01-31T12:00:00Z"
        ) from None
