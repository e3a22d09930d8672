"""`rolecall cancel`: end executions, by their ids or by what they have in common."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from api.cli.mendable import Unusable
from api.cli.process import with_runtime
from api.cli.times import instant_of
from services import executions
from services.caller import OPERATOR
from services.executions import ExecutionFilter, Steered


def cancel(
    ids: Sequence[UUID],
    started_before: str | None,
    started_after: str | None,
    reason: str,
    *,
    is_dry: bool,
    **meant: Any,
) -> int:
    """Cancel what is meant, or only list it, and say how many executions that were; the exit code is 0.

    `meant` are further fields of the filter.
    """
    filter = ExecutionFilter(
        ids=tuple(ids) or None,
        started_before=None if started_before is None else instant_of("--started-before", started_before),
        started_after=None if started_after is None else instant_of("--started-after", started_after),
        **meant,
    )
    if filter == ExecutionFilter():
        raise Unusable("say which executions are meant: by their ids, by an option such as --role, or --all")
    done = with_runtime(lambda _: executions.cancel_many(OPERATOR, filter=filter, reason=reason, dry_run=is_dry))
    if done.dry_run:
        _list(done)
    else:
        finished = f"; {done.finished_meanwhile} had finished meanwhile" if done.finished_meanwhile else ""
        click.echo(f"cancelled {_counted(done.asked)}{finished}")
    if done.matched < len(set(ids)):
        click.echo(f"{len(set(ids)) - done.matched} of the ids name no execution that goes on", err=True)
    return 0


def _list(done: Steered) -> None:
    click.echo(f"would cancel {_counted(done.matched)}")
    for id in done.first_ids:
        click.echo(f"  {id}")
    if done.matched > len(done.first_ids):
        click.echo(f"  and {done.matched - len(done.first_ids)} more")


def _counted(number: int) -> str:
    return "1 execution" if number == 1 else f"{number} executions"
