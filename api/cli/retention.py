"""`rolecall prune`: delete what finished long ago."""

from datetime import timedelta

import click

from api.cli.process import settings, with_runtime
from api.cli.times import duration_of
from services import retention


def prune(older_than: str | None, batch: int) -> int:
    """Delete the executions that finished longer ago than that, and say how many they were."""
    age = timedelta(days=settings().retention_days) if older_than is None else duration_of("--older-than", older_than)
    pruned = with_runtime(lambda _: retention.prune(older_than=age, batch=batch))
    click.echo(f"deleted {pruned} executions with their history")
    return 0
