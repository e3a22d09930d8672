"""Settling a step of an unfinished execution by hand: it is given its output, or skipped."""

from uuid import UUID

import msgspec

from services import connections
from services.caller import Caller
from services.engine.attempts import unstorable
from services.engine.core.events import StepFailed
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan
from services.engine.core.settle import complete
from services.engine.core.state import State, is_open
from services.engine.core.trace import StepTrace
from services.errors import Conflict, Invalid, NotFound
from services.executions.reading import history_of, traced
from services.executions.records import FINISHED, Execution
from services.executions.rows import one
from services.executions.steering import post
from services.expressions.errors import quoted, suggestion
from services.json import Json, read
from services.problem import Problem
from services.schema import problems_of_value


async def complete_step(
    caller: Caller, *, execution: UUID, path: str, output: Json = None, reason: str = ""
) -> Execution:
    """Give an open step its output, as if it had answered so; what is under way at it and inside it is stopped.

    Open is a step whose turn it is: it runs, waits, is to be tried again, holds others that do, or was kept from
    beginning. The journal keeps who did it and why. A step that has been settled by the time its worker reads this
    stays as it is, and a paused execution stays paused.

    Raises:
        NotFound: there is no such execution, or nothing at `path`.
        Conflict: the execution has finished, or the step is not open.
        Invalid: the step cannot have this output: its `outputSchema`, its `outputMapping` or a limit is against it.
    """
    plan, state = await _opened(caller, execution, path)
    _check_output(plan, state, path, output)
    await _check_held(output)
    return await post(caller, execution, "complete_step", {"path": path, "output": output, "reason": reason})


async def skip_step(caller: Caller, *, execution: UUID, path: str, reason: str = "") -> Execution:
    """Skip an open step, as if its condition were false; otherwise as `complete_step`.

    Raises:
        NotFound: there is no such execution, or nothing at `path`.
        Conflict: the execution has finished, or the step is not open.
    """
    await _opened(caller, execution, path)
    return await post(caller, execution, "skip_step", {"path": path, "reason": reason})


async def _opened(caller: Caller, execution: UUID, path: str) -> tuple[Plan, State]:
    """The plan and the state of an execution in which the step at `path` is open."""
    caller.require("executions.run")
    found = await one(execution)
    if found.status in FINISHED:
        raise Conflict("execution", str(execution), state=f"is {found.status}", allowed="one that has not finished")
    plan, history = await history_of(execution)
    state, traces = traced(execution, plan, history)
    if not is_open(plan, state, path):
        raise _not_open(plan, state, traces, path)
    return plan, state


def _not_open(plan: Plan, state: State, traces: dict[str, StepTrace], path: str) -> NotFound | Conflict:
    open_ = [other for other in traces if is_open(plan, state, other)]
    step = traces.get(path)
    if step is None:
        near = suggestion(path, [*open_, *traces])
        hint = f"did you mean {near!r}?" if near else "`execution.steps` shows those there are"
        return NotFound("step", path, hint=hint)
    status = "has not come to its turn" if step.status == "pending" else f"is {step.status}"
    return Conflict("step", path, state=status, allowed=f"one that is open, such as {quoted(open_)}")


async def _check_held(output: Json) -> None:
    """Nothing, when the output is no larger than may be as the inbox gives it back: with all digits of its numbers."""
    held: str | None = await connections.pool().fetchval("SELECT $1::jsonb::text", msgspec.json.encode(output).decode())
    assert held is not None, "the text of a value is a text"
    if (failure := unstorable(read(held))) is not None:
        message = f"{failure.message} when its numbers are written out; write very large numbers as texts"
        raise Invalid("the step cannot have this output", [Problem(code=failure.code, path="/output", message=message)])


def _check_output(plan: Plan, state: State, path: str, output: Json) -> None:
    if (failure := unstorable(output)) is not None:
        raise Invalid(failure.message)
    schema = plan.steps[name_of(path)].definition.output_schema
    if schema is not None and (problems := problems_of_value(schema, output, "/output")):
        raise Invalid("the output does not fit the step's output schema", problems)
    event = complete(plan, state, path, attempt=1, output=output)
    if isinstance(event, StepFailed):
        raise Invalid(f"the step cannot have this output: {event.failure.message}")
