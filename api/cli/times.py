"""Times as people write them at a terminal."""

import re
from datetime import timedelta

from api.cli.mendable import Unusable

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
