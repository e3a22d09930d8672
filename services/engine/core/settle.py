"""What an answer, a condition or a mapping makes of a step: the events that settle it."""

import msgspec

from services.definitions.document import CONTAINERS, DEFAULT_ITEMS
from services.engine.core.carried import carried_out
from services.engine.core.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ModelCall,
    StepCompleted,
    StepFailed,
    StepSkipped,
    usage_of,
)
from services.engine.core.paths import MAIN, frame_of, name_of
from services.engine.core.plan import Map, Plan, PlannedStep
from services.engine.core.state import State, growth, scope
from services.expressions import EvaluationError, Scope
from services.expressions.errors import kind_of
from services.failure import Failure
from services.json import Json
from services.problem import said
from services.schema import problems_of_value

# How much deeper than an output whatever holds it may be, on its way into the journal, a template or an answer.
_SPARE_DEPTH = 100
# Each level takes two bytes at least, and some 900 levels can be encoded.
_SHALLOW_BYTES = 1_000
_ENCODER = msgspec.json.Encoder()


def skipped(member: PlannedStep, path: str, data: Scope) -> StepSkipped | None:
    """The event that skips `member`, or None when its condition holds.

    Raises:
        EvaluationError: the condition cannot be decided.
    """
    if member.condition is None or member.condition.test(data):
        return None
    return StepSkipped(path=path, reason="its condition is false")


def input_of(member: PlannedStep, data: Scope) -> Json:
    """What `member` works on: its input mapping, or the context where it has none, or those of its keys it asks for.

    Raises:
        EvaluationError: a template names what is not there.
    """
    if member.input is not None:
        return member.input.render(data)
    context, keys = data["context"], member.definition.context_keys
    assert isinstance(context, dict)
    return context if keys is None else {key: context[key] for key in keys if key in context}


def items_of(member: PlannedStep, data: Scope) -> list[Json]:
    """What a map goes over.

    Raises:
        EvaluationError: it is no list, or too long.
    """
    assert isinstance(member.control, Map)
    items = member.control.items.render(data)
    most = member.definition.max_items or DEFAULT_ITEMS
    if not isinstance(items, list):
        raise EvaluationError("INPUT_INVALID", f"`items` is to give a list, and gives {kind_of(items)}")
    if len(items) > most:
        raise EvaluationError("INPUT_INVALID", f"`items` gives {len(items):,} items; `maxItems` allows {most:,}")
    return items


def complete(
    plan: Plan,
    state: State,
    path: str,
    *,
    attempt: int,
    output: Json,
    calls: tuple[ModelCall, ...] = (),
    duration_ms: int = 0,
) -> StepCompleted | StepFailed:
    """The event of a step that has its output: completed, or failed when the output does not fit."""
    member, frame = plan.steps[name_of(path)], state.frames[frame_of(path)]
    failure, writes = _too_deep(output) or _misfit(member, output), None
    if failure is None:
        try:
            writes = _writes(member, state, path, output)
        except EvaluationError as error:
            failure = failure_of(error)
    if failure is None:
        own = {member.name: output} if writes is None else writes
        carried, _ = carried_out(plan, state, path)
        failure = None if writes is None else _too_deep(writes)
        grown = 0 if failure else growth(frame.context, {**carried, **own} if carried else own)
        failure = failure or _too_large(plan, frame.context_bytes + frame.pending_bytes + grown)
    usage = usage_of(calls)
    if failure is not None:
        return StepFailed(
            path=path, attempt=attempt, failure=failure, usage=usage, calls=calls, duration_ms=duration_ms
        )
    return StepCompleted(
        path=path, attempt=attempt, output=output, writes=writes, usage=usage, calls=calls, duration_ms=duration_ms
    )


def complete_execution(plan: Plan, state: State) -> ExecutionCompleted | ExecutionFailed:
    """The last event of an execution whose every stage is finished."""
    main = state.frames[MAIN]
    try:
        output: Json = main.context if plan.output is None else plan.output.render(scope(state, main))
    except EvaluationError as error:
        return ExecutionFailed(failure=failure_of(error))
    return with_output(plan, output)


def with_output(plan: Plan, output: Json) -> ExecutionCompleted | ExecutionFailed:
    """The last event of an execution that gives back `output`."""
    if plan.output_schema is not None and (problems := problems_of_value(plan.output_schema, output)):
        message = f"the output does not fit `outputSchema`: {said(problems)}"
        return ExecutionFailed(failure=Failure(code="OUTPUT_INVALID", message=message, retryable=False))
    return ExecutionCompleted(output=output)


def failure_of(error: EvaluationError) -> Failure:
    """The failure of a template, a condition or a mapping: deterministic, so never tried again."""
    # A message may quote a key as a query spells it, and Postgres keeps no U+0000.
    return Failure(code=error.code, message=str(error).replace("\0", "\N{REPLACEMENT CHARACTER}"), retryable=False)


def _writes(member: PlannedStep, state: State, path: str, output: Json) -> dict[str, Json] | None:
    """What the output mapping makes of an output; None where there is none, so that the name is the key."""
    if member.output is None:
        return None
    frame, step = state.frames[frame_of(path)], state.steps.get(path)
    data, given = scope(state, frame), None
    if member.control is None and member.definition.kind not in CONTAINERS:
        # A replayed step has lost its input; it is resolved again from the same context, so it is the same.
        given = input_of(member, data) if step is None or step.input is None else step.input
    writes = member.output.render({**data, "output": output, "step": {"input": given}})
    if not isinstance(writes, dict):
        raise EvaluationError("MAPPING_ERROR", f"`outputMapping` is to give an object, and gives {kind_of(writes)}")
    return writes


def _too_deep(value: Json) -> Failure | None:
    """What wraps itself again and again could neither be written nor read at last."""
    wrapped = value
    try:
        if len(_ENCODER.encode(value)) <= _SHALLOW_BYTES:
            return None
        for _ in range(_SPARE_DEPTH):
            wrapped = [wrapped]
        _ENCODER.encode(wrapped)
    except RecursionError:
        return Failure(code="OUTPUT_INVALID", message="the output is nested too deep", retryable=False)
    return None


def _too_large(plan: Plan, size: int) -> Failure | None:
    """Checked before the write: the context never grows past its limit."""
    if size <= plan.max_context_bytes:
        return None
    most = plan.max_context_bytes
    message = f"the context would have {size:,} bytes; up to {most:,} are kept: write less with `outputMapping`"
    return Failure(code="CONTEXT_TOO_LARGE", message=message, retryable=False)


def _misfit(member: PlannedStep, output: Json) -> Failure | None:
    schema = member.definition.output_schema
    if schema is None or not (problems := problems_of_value(schema, output)):
        return None
    # A model may answer better the next time; a tool or a transform gives the same again.
    return Failure(
        code="OUTPUT_INVALID",
        message=f"the output does not fit `outputSchema`: {said(problems)}",
        retryable=member.definition.kind in ("agent", "llm"),
    )
