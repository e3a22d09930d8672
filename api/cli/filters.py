"""Which executions a command means: the options that say so, and the filter that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from uuid import UUID

    from services.executions import ExecutionFilter

Command = TypeVar("Command", bound=Callable[..., Any])


def filtered(*statuses: str) -> Callable[[Command], Command]:
    """Give a command the ids and the options of a filter among these statuses; it gets them as `filter_of` does."""

    def decorate(command: Command) -> Command:
        for option in reversed(_options(statuses)):
            command = option(command)
        return command

    return decorate


def filter_of(
    ids: Sequence[UUID], started_before: str | None, started_after: str | None, is_all: bool, **others: Any
) -> ExecutionFilter:
    """The filter that the options say; `others` are its fields as they are.

    Raises:
        Unusable: nothing is said, or no instant.
    """
    from api.cli.mendable import Unusable
    from api.cli.times import instant_of
    from services.executions import ExecutionFilter

    filter = ExecutionFilter(
        ids=tuple(ids) or None,
        started_before=None if started_before is None else instant_of("--started-before", started_before),
        started_after=None if started_after is None else instant_of("--started-after", started_after),
        all=is_all,
        **others,
    )
    if filter == ExecutionFilter():
        raise Unusable("say which executions are meant: by their ids, by an option such as --role, or --all")
    return filter


def _options(statuses: Sequence[str]) -> list[Callable[[Command], Command]]:
    return [
        click.argument("ids", nargs=-1, type=click.UUID, metavar="[ID]..."),
        click.option("--orchestration", help="Those of this one, by name or id."),
        click.option(
            "--version", type=click.IntRange(1, 2**31 - 1), help="Those of this version of the orchestration."
        ),
        click.option("--role", help="Those that use this role."),
        click.option("--tool", help="Those that may call this tool."),
        click.option("--status", type=click.Choice(statuses)),
        click.option("--started-by", metavar="NAME", help="Those that this principal started."),
        click.option("--started-before", metavar="INSTANT", help="Such as 2026-01-31T12:00:00Z."),
        click.option("--started-after", metavar="INSTANT"),
        click.option("--all", "is_all", is_flag=True, help="Every one; on its own."),
    ]
