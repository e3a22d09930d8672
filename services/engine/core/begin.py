"""How a step begins: with a frame of its own, with its result at once, or by asking for somebody to perform it."""

import hashlib
from typing import assert_never

from services.definitions.document import DEFAULT_TIMEOUT, Slot
from services.engine.core.children import cannot_be_called, time_for_child
from services.engine.core.commands import Command, Record, StartStep
from services.engine.core.events import BlockEntered, ExecutionFailed, StepCompleted, StepFailed, StepWaiting
from services.engine.core.outputs import NOTHING_YET, loop_output, map_output
from services.engine.core.paths import frame_of, name_of, numbered
from services.engine.core.plan import Branch, Fail, Loop, Map, Plan, PlannedStep, Stop, Wait
from services.engine.core.settle import complete, complete_execution, failure_of, input_of, items_of, skipped
from services.engine.core.state import State, StepState, scope
from services.expressions import EvaluationError, Scope, Template
from services.expressions.instants import instant
from services.expressions.text import text_of
from services.failure import Failure
from services.json import Json

_PENDING = StepState(status="pending")
_MAX_WAIT_MS = 31_622_400_000
_WAKE_MS = 60_000


def begin(plan: Plan, state: State, path: str) -> Command:
    """The first that is wanted of a step: to skip it, to settle or to enter it, or an attempt."""
    member, data = plan.steps[name_of(path)], scope(state, state.frames[frame_of(path)])
    try:
        if (event := skipped(member, path, data)) is not None:
            return Record(event)
        if member.control is not None:
            return _begin_control(plan, state, path, member, data)
        match member.definition.kind:
            case "group":
                return Record(BlockEntered(path=path + "/", slot="body"))
            case "transform":
                return Record(complete(plan, state, path, attempt=1, output=input_of(member, data)))
            case _:
                return attempt(plan, state, path, data)
    except EvaluationError as error:
        return Record(StepFailed(path=path, attempt=0, failure=failure_of(error)))


def attempt(plan: Plan, state: State, path: str, data: Scope) -> Command:
    """The next attempt at a step that sees `data`, or the failure of one that may not be made.

    Raises:
        EvaluationError: a template names what is not there.
    """
    member, step = plan.steps[name_of(path)], state.steps.get(path, _PENDING)
    definition = member.definition
    failure = _over_budget(plan, state)
    if failure is None and definition.orchestration is not None:
        failure = cannot_be_called(state, member)
    if failure is not None:
        return Record(StepFailed(path=path, attempt=step.attempt + 1, failure=failure))
    timeout = definition.timeout or DEFAULT_TIMEOUT
    left = timeout if definition.total_timeout is None else definition.total_timeout - step.spent_ms
    return StartStep(
        path=path,
        attempt=step.attempt + 1,
        # A replayed step has lost its input; it is resolved again from the same context, so it is the same.
        input=input_of(member, data) if step.input is None else step.input,
        timeout_ms=max(1, min(timeout, left)),
        delay_ms=step.delay_ms,
        idempotency_key=None if member.idempotency_key is None else text_of(member.idempotency_key.render(data)),
        notes=step.notes,
        accounted=step.accounted,
    )


def wake(path: str, step: StepState) -> StartStep:
    """What ends a wait: an attempt that is due when the time has passed."""
    if isinstance(step.input, int):
        return StartStep(path=path, attempt=1, input=None, timeout_ms=_WAKE_MS, delay_ms=step.input)
    return StartStep(path=path, attempt=1, input=None, timeout_ms=_WAKE_MS, until=str(step.input))


def expire(plan: Plan, path: str, step: StepState) -> StartStep | None:
    """What ends the time of a child, or of the wait for an event, unless that may take what it likes."""
    definition = plan.steps[name_of(path)].definition
    time_ms = definition.expires_after_ms if step.event is not None else time_for_child(definition, step)
    if time_ms is None:
        return None
    return StartStep(path=path, attempt=step.attempt, input=None, timeout_ms=_WAKE_MS, delay_ms=time_ms, is_expiry=True)


def _begin_control(plan: Plan, state: State, path: str, member: PlannedStep, data: Scope) -> Command:
    match member.control:
        case Branch() as branch:
            way = _way_of(branch, path, state, data)
            if way is not None:
                return Record(BlockEntered(path=path + "/", slot=way))
            return Record(complete(plan, state, path, attempt=1, output={"case": None, "output": None}))
        case Loop(while_=condition):
            first: Json = {"index": 0, "iteration": 1, "last": None}
            if condition is None or condition.test({**data, "loop": first}):
                return Record(BlockEntered(path=numbered(path, 0), slot="body"))
            return Record(complete(plan, state, path, attempt=1, output=loop_output(member, NOTHING_YET, "condition")))
        case Map():
            if items_of(member, data):
                return Record(BlockEntered(path=numbered(path, 0), slot="body"))
            return Record(complete(plan, state, path, attempt=1, output=map_output(member, NOTHING_YET, 0)))
        case Wait() as wait:
            event = member.definition.event
            return Record(_waiting(path, wait, data) if event is None else StepWaiting(path=path, for_event=event))
        case Fail(message=message):
            code, text = member.definition.code or "FAILED", text_of(message.render(data))
            return Record(StepFailed(path=path, attempt=1, failure=Failure(code=code, message=text, retryable=False)))
        case Stop(output=output):
            return Record(_stopped(plan, state, path, output, data))
        case None:
            raise AssertionError("a step without control is begun as what it does")
        case _:
            assert_never(member.control)


def _way_of(branch: Branch, path: str, state: State, data: Scope) -> Slot | None:
    if branch.is_weighted:
        return _way_by_weight(branch, path, state, data)
    return next((way.slot for way in branch.ways if way.when is None or way.when.test(data)), None)


def _way_by_weight(branch: Branch, path: str, state: State, data: Scope) -> Slot:
    """The same way for the same key: what `splitBy` gives, or else the execution and the instance of the step."""
    own = f"{state.execution['id']}/{path}"
    key = own if branch.split_by is None else f"{name_of(path)}/{text_of(branch.split_by.render(data))}"
    digest = hashlib.sha256(key.encode()).digest()
    total = sum(way.weight for way in branch.ways)
    drawn = int.from_bytes(digest[:8]) * total >> 64
    for way in branch.ways:
        drawn -= way.weight
        if drawn < 0:
            return way.slot
    raise AssertionError("what is drawn is less than the sum of the weights")


def _waiting(path: str, wait: Wait, data: Scope) -> StepWaiting:
    if wait.until is not None:
        until = wait.until.render(data)
        if not isinstance(until, str) or instant(until) is None:
            raise EvaluationError("INPUT_INVALID", "`until` is to give a time such as 2030-01-31T12:00:00Z")
        return StepWaiting(path=path, until=until)
    for_ms = None if wait.for_ms is None else wait.for_ms.render(data)
    for_ms = int(for_ms) if isinstance(for_ms, float) and for_ms.is_integer() else for_ms
    if not isinstance(for_ms, int) or isinstance(for_ms, bool) or not 0 <= for_ms <= _MAX_WAIT_MS:
        raise EvaluationError(
            "INPUT_INVALID", f"`forMs` is to give milliseconds, a whole number up to {_MAX_WAIT_MS:,}"
        )
    return StepWaiting(path=path, for_ms=for_ms)


def _stopped(plan: Plan, state: State, path: str, output: Template | None, data: Scope) -> StepCompleted | StepFailed:
    if output is not None or state.ending is not None:
        given = None if output is None else output.render(data)
        return StepCompleted(path=path, attempt=1, output=given, writes={})
    last = complete_execution(plan, state)
    if isinstance(last, ExecutionFailed):
        return StepFailed(path=path, attempt=1, failure=last.failure)
    return StepCompleted(path=path, attempt=1, output=last.output, writes={})


def _over_budget(plan: Plan, state: State) -> Failure | None:
    if state.ending is not None:
        return None  # whatever it has cost: what was done is undone, and what is open is closed
    if plan.max_tokens is not None and state.tokens >= plan.max_tokens:
        message = f"the execution has used {state.tokens:,} tokens; `maxTokens` allows {plan.max_tokens:,}"
    elif plan.max_cost_usd is not None and state.cost_usd >= plan.max_cost_usd:
        message = f"the execution has cost {state.cost_usd} USD; `maxCostUsd` allows {plan.max_cost_usd}"
    else:
        return None
    return Failure(code="BUDGET_EXCEEDED", message=message, retryable=False)
