"""What an answer, a condition or a mapping makes of a step: the events that settle it."""

from services.engine.core.events import (
    ExecutionCompleted,
    ExecutionFailed,
    StepCompleted,
    StepFailed,
    StepSkipped,
    Usage,
)
from services.engine.core.plan import Plan, PlannedStep
from services.engine.core.state import MAX_CONTEXT_BYTES, State, scope, size_of
from services.expressions import EvaluationError
from services.failure import Failure
from services.json import Json
from services.schema import problems_of_value

_SHOWN_PROBLEMS = 5


def skipped(member: PlannedStep, state: State) -> StepSkipped | None:
    """The event that skips `member`, or None when its condition holds.

    Raises:
        EvaluationError: the condition cannot be decided.
    """
    if member.condition is None or member.condition.test(scope(state)):
        return None
    return StepSkipped(path=member.name, reason="its condition is false")


def input_of(member: PlannedStep, state: State) -> Json:
    """What `member` works on: its input mapping, or the whole context where it has none.

    Raises:
        EvaluationError: a template names what is not there.
    """
    return state.context if member.input is None else member.input.render(scope(state))


def complete(
    member: PlannedStep,
    state: State,
    *,
    attempt: int,
    input: Json,
    output: Json,
    usage: Usage | None = None,
    duration_ms: int = 0,
) -> StepCompleted | StepFailed:
    """The event of an attempt that answered `output`: completed, or failed when the output does not fit."""
    failure = _misfit(member, output)
    writes: Json = {member.name: output}
    if failure is None and member.output is not None:
        try:
            writes = member.output.render({**scope(state), "output": output, "step": {"input": input}})
        except EvaluationError as error:
            failure = failure_of(error)
    failure = failure or _too_large(state, writes)
    if failure is not None:
        return StepFailed(path=member.name, attempt=attempt, failure=failure, usage=usage, duration_ms=duration_ms)
    assert isinstance(writes, dict), "an output mapping is an object"
    return StepCompleted(
        path=member.name,
        attempt=attempt,
        output=output,
        writes=None if member.output is None else writes,
        usage=usage,
        duration_ms=duration_ms,
    )


def complete_execution(plan: Plan, state: State) -> ExecutionCompleted | ExecutionFailed:
    """The last event of an execution whose every stage is finished."""
    try:
        output: Json = state.context if plan.output is None else plan.output.render(scope(state))
    except EvaluationError as error:
        return ExecutionFailed(failure=failure_of(error))
    if plan.output_schema is not None and (problems := problems_of_value(plan.output_schema, output)):
        message = "the output does not fit `outputSchema`: " + "; ".join(
            f"{problem.path or '/'}: {problem.message}" for problem in problems[:_SHOWN_PROBLEMS]
        )
        return ExecutionFailed(failure=Failure(code="OUTPUT_INVALID", message=message, retryable=False))
    return ExecutionCompleted(output=output)


def failure_of(error: EvaluationError) -> Failure:
    """The failure of a template, a condition or a mapping: deterministic, so never tried again."""
    return Failure(code=error.code, message=str(error), retryable=False)


def _too_large(state: State, writes: Json) -> Failure | None:
    """Checked before the write: the context never grows past its limit."""
    size = state.context_bytes + size_of(writes)
    if size <= MAX_CONTEXT_BYTES:
        return None
    message = (
        f"the context would have {size:,} bytes; up to {MAX_CONTEXT_BYTES:,} are kept: write less with `outputMapping`"
    )
    return Failure(code="CONTEXT_TOO_LARGE", message=message, retryable=False)


def _misfit(member: PlannedStep, output: Json) -> Failure | None:
    schema = member.definition.output_schema
    if schema is None or not (problems := problems_of_value(schema, output)):
        return None
    said = "; ".join(f"{problem.path or '/'}: {problem.message}" for problem in problems[:_SHOWN_PROBLEMS])
    # A model may answer better the next time; a tool or a transform gives the same again.
    return Failure(
        code="OUTPUT_INVALID",
        message=f"the output does not fit `outputSchema`: {said}",
        retryable=member.definition.kind in ("agent", "llm"),
    )
