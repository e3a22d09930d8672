"""`rolecall prune`: delete what finished long ago."""

import re
from datetime import timedelta

import click

from api.cli.mendable import Unusable
from api.cli.process import settings, with_runtime
from services import retention

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def prune(older_than: str | None, batch: int) -> int:
    """Delete the executions that finished longer ago than that, and say how many they were."""
    age = timedelta(days=settings().retention_days) if older_than is None else age_of(older_than)
    pruned = with_runtime(lambda _: retention.prune(older_than=age, batch=batch))
    click.echo(f"deleted {pruned} executions with their history")
    return 0


def age_of(text: str) -> timedelta:
    """The time that such a text says.

    >>> age_of("36h")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        Unusable: it says none.
    """
    found = re.fullmatch(r"(\d{1,6})([dhm])", text)
    if found is None:
        raise Unusable(
            f"--older-than is {text!r}; write a number and d, h or m for days, hours or minutes, such as 30d"
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
