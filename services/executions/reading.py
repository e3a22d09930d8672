"""Executions, to look at: the list, one with its context, what happened to its steps."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from services import connections, plans
from services.caller import Caller
from services.engine import journal
from services.engine.core.events import AnyEvent
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.state import State
from services.engine.core.trace import StepTrace, trace
from services.errors import Conflict, NotFound
from services.executions.records import SETTLED, Execution, ExecutionDetail, Instant, Status, StepLog
from services.executions.rows import SELECT, execution_of, one
from services.executions.selecting import Condition, ExecutionFilter, conditions_of, where
from services.listing import Limit


async def list_(
    caller: Caller,
    *,
    orchestration: str | None = None,
    status: Status | None = None,
    role: str | None = None,
    tool: str | None = None,
    started_by: str | None = None,
    started_before: Instant | None = None,
    started_after: Instant | None = None,
    parent: UUID | None = None,
    restart_of: UUID | None = None,
    limit: Limit = 50,
    before: UUID | None = None,
) -> list[Execution]:
    """Executions, the newest first; those older than the execution `before`, those that the steps of `parent` started,
    the restarts of `restart_of`.

    Each of the others means what it does in an `ExecutionFilter`. Orchestration, status, times, parent and origin are
    ranges of an index; role, tool and starter are looked for in one execution after the other, newest first, so that
    what is rare takes long to find unless times narrow it.

    Raises:
        NotFound: there is no such orchestration, role or tool.
    """
    caller.require("executions.read")
    filter = ExecutionFilter(
        orchestration=orchestration,
        role=role,
        tool=tool,
        started_by=started_by,
        started_before=started_before,
        started_after=started_after,
    )
    conditions = await conditions_of(filter)
    conditions += [
        Condition(text, (value,))
        for text, value in {
            "execution.status = {}": status,
            "execution.parent_execution_id = {}": parent,
            "execution.forked_from = {}": restart_of,
            "execution.id < {}": before,
        }.items()
        if value is not None
    ]
    text, values = where(conditions, first=2)
    rows = await connections.pool().fetch(f"{SELECT} WHERE {text} ORDER BY execution.id DESC LIMIT $1", limit, *values)
    return [execution_of(row) for row in rows]


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
    state, traces = trace(plan, history)
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
    )
    return detail, [_step_log(plan, state, step) for step in traces.values()]


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
    )
