"""Retrying many executions: those that a filter means and that have not completed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

import asyncpg

from db.refusal import refusal_of
from services import connections
from services.caller import Caller
from services.engine.outages import is_away
from services.errors import ServiceError
from services.executions.records import NOT_COMPLETED, NotRetried, Retried
from services.executions.restarting import retry, retry_unless_restarted
from services.executions.selecting import ExecutionFilter, batches, selection_of
from services.executions.steering import SHOWN
from services.paging import Condition

# Each has a history in memory and uses a connection of the pool; as many again are left to others.
_AT_ONCE = 4
# What is waited for is done anew by the retry of whoever waits for it; what is detached is nobody's but its own.
_NOBODY_WAITS = Condition("(execution.parent_execution_id IS NULL OR execution.is_detached)", ())

_Outcome: TypeAlias = bool | NotRetried

_logger = logging.getLogger(__name__)


async def retry_many(caller: Caller, *, filter: ExecutionFilter, again: bool = False, dry_run: bool = False) -> Retried:
    """Retry every execution that matches and has failed, timed out or been cancelled, the oldest first, as `retry`.

    Those that have been restarted already are skipped, unless they are to be `again`; so calling it again does no harm,
    and of several calls at once each execution is restarted by one. Children that a step waits for are not meant: the
    retry of their parent starts new ones. Detached children are. What starts meanwhile, the new executions among it, is
    left out.

    What cannot be retried keeps none of the others from it. When the call breaks off, what was done stays. In a dry run
    nothing is done, and whether each can be retried is not looked at.

    Raises:
        Invalid: the filter says nothing, contradicts itself, or wants another status.
        NotFound: the filter names an orchestration, a version, a role or a tool that there is not.
    """
    caller.require("executions.run")
    selection = await selection_of(filter, NOT_COMPLETED)
    selection = replace(selection, conditions=(*selection.conditions, _NOBODY_WAITS))
    tally = _Tally()
    async for ids in batches(selection):
        done = set[UUID]() if again else await _restarted_among(ids)
        wanted = [id for id in ids if id not in done]
        tally.matched, tally.skipped = tally.matched + len(ids), tally.skipped + len(done)
        tally.first_ids += wanted[: SHOWN - len(tally.first_ids)]
        if not dry_run:
            tally.count(await _each(wanted, lambda id: _retried(caller, id, again=again)))
    return Retried(
        dry_run=dry_run,
        matched=tally.matched,
        skipped=tally.skipped,
        restarted=tally.restarted,
        refused=tally.refused,
        first_ids=tuple(tally.first_ids),
        first_refused=tuple(tally.first_refused),
    )


@dataclass(slots=True)
class _Tally:
    """What has become of those that matched so far."""

    matched: int = 0
    skipped: int = 0
    restarted: int = 0
    refused: int = 0
    first_ids: list[UUID] = field(default_factory=list[UUID])
    first_refused: list[NotRetried] = field(default_factory=list[NotRetried])

    def count(self, outcomes: Sequence[_Outcome]) -> None:
        refused = [outcome for outcome in outcomes if isinstance(outcome, NotRetried)]
        self.restarted += outcomes.count(True)
        self.skipped += outcomes.count(False)
        self.refused += len(refused)
        self.first_refused += refused[: SHOWN - len(self.first_refused)]


async def _restarted_among(executions: list[UUID]) -> set[UUID]:
    """Those of the executions that somebody has restarted."""
    query = "SELECT DISTINCT forked_from FROM execution WHERE forked_from = ANY($1::uuid[])"
    return {row["forked_from"] for row in await connections.pool().fetch(query, executions)}


async def _each(executions: list[UUID], do: Callable[[UUID], Awaitable[_Outcome]]) -> list[_Outcome]:
    """What `do` gives for each, in their order; it is called in that order too, for a few at once."""
    outcomes: dict[UUID, _Outcome] = {}
    waiting = iter(executions)

    async def work() -> None:
        for execution in waiting:
            outcomes[execution] = await do(execution)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [outcomes[execution] for execution in executions]


async def _retried(caller: Caller, execution: UUID, *, again: bool) -> _Outcome:
    """Whether the execution was retried; False when somebody else has restarted it meanwhile."""
    try:
        if not again:
            return await retry_unless_restarted(caller, execution=execution)
        await retry(caller, execution=execution)
    except Exception as error:
        return _refusal(execution, error)
    return True


def _refusal(execution: UUID, error: Exception) -> NotRetried:
    """What `error` says of this one execution; raises it when it would be the same with every other."""
    match error:
        case asyncpg.LockNotAvailableError():
            code, message = "UNAVAILABLE", "somebody holds its row; try it again later"
        case _ if is_away(error) or isinstance(error, OSError):
            raise error
        case ServiceError():
            code, message = error.code, str(error)
        case asyncpg.IntegrityConstraintViolationError() | asyncpg.ObjectNotInPrerequisiteStateError():
            code, message = "CONFLICT", str(refusal_of(error))
        case _:
            _logger.exception("execution %s cannot be retried", execution, exc_info=error)
            code, message = "INTERNAL", "something unforeseen is wrong with it; the log of the server says what"
    return NotRetried(execution=execution, code=code, message=message)
