"""Executions, to look at: one with its context, what happened to its steps."""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from services import budgets, connections, plans
from services.caller import Caller
from services.engine import journal
from services.engine.core.events import AnyEvent
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.engine.core.trace import StepTrace, trace
from services.errors import Conflict, NotFound
from services.executions.records import SETTLED, ExecutionDetail, LoggedCall, StepLog
from services.executions.rows import one

_log = logging.getLogger(__name__)


async def get(caller: Caller, *, execution: UUID) -> ExecutionDetail:
    """An execution as it stands, with its context; also of a failed one, as it was when it failed.

    Raises:
        NotFound: there is none.
    """
    return (await get_with_steps(caller, execution=execution))[0]


async def steps(caller: Caller, *, execution: UUID) -> list[StepLog]:
    """What happened to each step of an execution, in the order of the plan, each before those inside it.

    Steps of the main sequence are there from the start, those inside others once they have begun.

    Raises:
        NotFound: there is no such execution.
    """
    return (await get_with_steps(caller, execution=execution))[1]


async def get_with_steps(caller: Caller, *, execution: UUID) -> tuple[ExecutionDetail, list[StepLog]]:
    """An execution as it stands, and what happened to its steps, both of one reading of its journal.

    Raises:
        NotFound: there is none.
    """
    caller.require("executions.read")
    base = await one(execution)
    plan, history = await history_of(execution)
    state, traces = traced(execution, plan, history)
    tokens = [step.tokens for step in traces.values()]
    costs = [step.cost_usd for step in traces.values()]
    main = [traces[name] for name in plan.main_names]
    detail = ExecutionDetail(
        **msgspec.structs.asdict(base),
        context=state.context,
        steps_total=len(main),
        steps_settled=sum(step.status in SETTLED for step in main),
        input_tokens=sum(tokens_in for tokens_in, _ in tokens),
        output_tokens=sum(tokens_out for _, tokens_out in tokens),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        budget=await budgets.of_execution(execution),
    )
    return detail, [_step_log(plan, state, step) for step in traces.values()]


def traced(
    execution: UUID, plan: Plan, history: Sequence[tuple[AnyEvent, datetime]]
) -> tuple[State, dict[str, StepTrace]]:
    """How an execution stands by its history, and what happened to each of its steps, by path.

    Raises:
        Conflict: it is the history of something else: somebody has written events of their own into the journal.
    """
    try:
        return trace(plan, history)
    except Exception as error:  # nothing but the history is to blame, for nothing else is looked at
        _log.warning("the journal of execution %s does not fit its version", execution, exc_info=error)
        state = "has a journal that does not fit its version"
        raise Conflict("execution", str(execution), state=state, allowed="a journal that a worker wrote") from None


async def history_of(id: UUID) -> tuple[Plan, list[tuple[AnyEvent, datetime]]]:
    """The plan of an execution, and its history with the time of each event.

    Raises:
        NotFound: there is no such execution.
        Conflict: a later version of the program wrote its journal.
    """
    version = await connections.pool().fetchval("SELECT version_id FROM execution WHERE id = $1", id)
    if version is None:
        raise NotFound("execution", str(id), hint="`execution.list` shows those there are")
    plan = await plans.of_version(version)
    rows = await connections.pool().fetch(
        "SELECT payload, recorded_at FROM journal WHERE execution_id = $1 ORDER BY seq", id
    )
    try:
        return plan, [(journal.decode(row["payload"]), row["recorded_at"]) for row in rows]
    except journal.Unreadable as error:
        state = f"has a journal that this version of Rolecall cannot read ({error})"
        raise Conflict("execution", str(id), state=state, allowed="the version that wrote it") from None


def _step_log(plan: Plan, state: State, step: StepTrace) -> StepLog:
    tokens_in, tokens_out = step.tokens
    definition = plan.steps[name_of(step.path)].definition
    assigned = state.role_assignments.get(definition.name)
    return StepLog(
        path=step.path,
        name=definition.name,
        kind=definition.kind,
        stage=step.stage,
        role=assigned.role if assigned is not None else definition.role_name,
        status=step.status,
        attempts=step.attempts,
        input=step.input,
        output=step.output,
        error=step.failure,
        overridden_by=step.overridden_by,
        started_at=step.started_at,
        finished_at=step.finished_at,
        duration_ms=step.duration_ms,
        child=step.child,
        model=step.spent[-1].model if step.spent else None,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=step.cost_usd,
        calls=tuple([LoggedCall(attempt=attempt, **msgspec.structs.asdict(call)) for attempt, call in step.calls]),
    )
