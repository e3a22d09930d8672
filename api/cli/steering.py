"""`rolecall cancel` and `retry`: end executions, or try them again, by their ids or by what they have in common."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from api.cli.filters import filter_of
from api.cli.process import with_runtime
from services import executions
from services.caller import OPERATOR


def cancel(reason: str, *, is_dry: bool, **meant: Any) -> int:
    """Cancel what is meant, or only list it, and say how many executions that were; the exit code is 0.

    `meant` is what `filter_of` takes.
    """
    filter = filter_of(**meant)
    done = with_runtime(lambda _: executions.cancel_many(OPERATOR, filter=filter, reason=reason, dry_run=is_dry))
    if done.dry_run:
        _list("cancel", done.matched, done.first_ids)
    else:
        finished = f"; {done.finished_meanwhile} had finished meanwhile" if done.finished_meanwhile else ""
        click.echo(f"cancelled {_counted(done.asked)}{finished}")
    _say_what_is_missing(meant["ids"], done.matched, "that goes on")
    return 0


def retry(*, again: bool, is_dry: bool, **meant: Any) -> int:
    """Retry what is meant, or only list it, and say what became of it; the exit code is 0 when all could be retried.

    `meant` is what `filter_of` takes.
    """
    filter = filter_of(**meant)
    done = with_runtime(lambda _: executions.retry_many(OPERATOR, filter=filter, again=again, dry_run=is_dry))
    skipped = f"; {done.skipped} had been restarted before" if done.skipped else ""
    if done.dry_run:
        _list("retry", done.matched - done.skipped, done.first_ids, skipped)
    else:
        click.echo(f"retried {_counted(done.restarted)}{skipped}")
    for refused in done.first_refused:
        click.echo(f"  {refused.execution}: {refused.code}: {refused.message}", err=True)
    if done.refused:
        click.echo(f"{_counted(done.refused)} could not be retried", err=True)
    _say_what_is_missing(meant["ids"], done.matched, "that can be retried: one that did not complete, and no child")
    return 1 if done.refused else 0


def _list(verb: str, number: int, first: Sequence[UUID], remark: str = "") -> None:
    click.echo(f"would {verb} {_counted(number)}{remark}")
    for id in first:
        click.echo(f"  {id}")
    if number > len(first):
        click.echo(f"  and {number - len(first)} more")


def _say_what_is_missing(ids: Sequence[UUID], matched: int, what: str) -> None:
    if matched < len(set(ids)):
        click.echo(f"{len(set(ids)) - matched} of the ids name no execution {what}", err=True)


def _counted(number: int) -> str:
    return "1 execution" if number == 1 else f"{number} executions"
