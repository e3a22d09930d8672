"""What happened in an execution: the journal's vocabulary."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from services.failure import Failure
from services.json import Json, JsonObject


class Usage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the model calls of one attempt took, all together. `cost_usd` is null where that of any is not known."""

    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None = None


class ModelCall(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One call of a model, as far as it came.

    `model` is "provider/name", `outcome` is `answered` or the code of the failure, and `reason` says why this model was
    asked. `cost_usd` is null where the price is not known, or what a call has used that failed; `price` names the price
    it was reckoned with. An answer that `is_cached` was given before, to the same question.
    """

    model: str
    outcome: str
    reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    price: str | None = None
    duration_ms: int = 0
    is_cached: bool = False


def usage_of(calls: Sequence[ModelCall]) -> Usage | None:
    """The sum of some calls, None of none; a price that is not known makes the whole unknown.

    >>> usage_of([ModelCall(model="a/b", outcome="answered", input_tokens=2, cost_usd=Decimal(n)) for n in (1, 2)])
    Usage(model='a/b', input_tokens=4, output_tokens=0, cost_usd=Decimal('3'))
    """
    if not calls:
        return None
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return Usage(
        # What answered says more than what was tried on the way to it.
        model=next((call.model for call in reversed(calls) if call.outcome == "answered"), calls[-1].model),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost_usd=sum(costs, Decimal(0)) if len(costs) == len(calls) else None,
    )


class Event(msgspec.Struct, frozen=True, rename="camel", tag_field="event", omit_defaults=True):
    """Something that happened, named in the past tense."""


class Assigned(msgspec.Struct, frozen=True):
    """The role that a step has instead of the one it names, pinned to a version."""

    role: str
    version: UUID


class Called(msgspec.Struct, frozen=True, omit_defaults=True):
    """An orchestration that steps call, pinned: its version, those of the roles that its steps name, and its calls."""

    version: UUID
    roles: dict[str, UUID] = {}
    calls: tuple[str, ...] = ()


class ExecutionStarted(Event, frozen=True, kw_only=True, tag="execution_started"):
    """The first event.

    `roles` pins the version of each role that the steps name, by that name; `role_assignments` those which steps have
    instead, by step; `calls` what is called from here on, at any depth, by how a step says it (`Brief`, `Brief@3`).
    `depth` is the number of parents above.
    """

    execution: UUID
    at: datetime
    input: Json
    roles: dict[str, UUID] = {}
    role_assignments: dict[str, Assigned] = {}
    calls: dict[str, Called] = {}
    depth: int = 0


class ExecutionRestarted(Event, frozen=True, kw_only=True, tag="execution_restarted"):
    """What stands before is history of `restart_of`; from here on it is `execution`'s own, from the step at `path`.

    Without a path everything is done anew. `input` takes the place of the execution's input, and the values of
    `context` that of those under the same keys.
    """

    execution: UUID
    at: datetime
    restart_of: UUID
    by: str
    path: str | None = None
    input: Json | msgspec.UnsetType = msgspec.UNSET
    context: JsonObject = {}


class StepStarted(Event, frozen=True, kw_only=True, tag="step_started"):
    """An attempt was handed to a performer. Progress, not history: a worker that dies leaves no trace of it."""

    path: str
    attempt: int
    input: Json = None


class StepNoted(Event, frozen=True, kw_only=True, tag="step_noted"):
    """A performer's own entry inside a step, such as one model answer; given back to it after a crash or a retry."""

    path: str
    attempt: int
    note: Json


class StepWaiting(Event, frozen=True, kw_only=True, tag="step_waiting"):
    """A step waits: for time to pass, `for_ms` from now on or until an instant (RFC 3339), or for an event."""

    path: str
    for_ms: int | None = None
    until: str | None = None
    for_event: str | None = None


class SignalReceived(Event, frozen=True, kw_only=True, tag="signal_received"):
    """Somebody said that the event `name` has come. It is kept until a step that waits for that takes it, by `id`."""

    id: int
    name: str
    data: Json = None
    by: str


class ChildStarted(Event, frozen=True, kw_only=True, tag="child_started"):
    """An attempt has started another execution, with this very event, and waits for its end unless it is not to."""

    path: str
    attempt: int
    execution: UUID


class BlockEntered(Event, frozen=True, kw_only=True, tag="block_entered"):
    """The steps of a slot begin, in a frame of their own (`path`, which ends with a slash).

    In a loop this leaves the iteration before; `collected` is what that one gave, when the loop collects.
    """

    path: str
    slot: str
    collected: Json | msgspec.UnsetType = msgspec.UNSET


class Origin(msgspec.Struct, frozen=True):
    """The attempt of a step that a failure comes from."""

    path: str
    attempt: int


class BlockFailed(Event, frozen=True, kw_only=True, tag="block_failed"):
    """A frame ended without its output, and what it belongs to goes on: a map's item, or a handler of a failed run."""

    path: str
    failure: Failure
    origin: Origin | None = None


class StepCompleted(Event, frozen=True, kw_only=True, tag="step_completed"):
    """A step has its output. `writes` are the keys of an output mapping; without one the step's name is the key.

    `signal` is the one that it has taken, where it was that it waited for. `usage` is the sum of `calls`.
    """

    path: str
    attempt: int
    output: Json = None
    writes: JsonObject | None = None
    usage: Usage | None = None
    calls: tuple[ModelCall, ...] = ()
    duration_ms: int = 0
    signal: int | None = None


class StepFailed(Event, frozen=True, kw_only=True, tag="step_failed"):
    """An attempt did not work. Whether there is another one follows from the plan.

    `attempt` is 0 where none was made, or the step's handler has failed in its turn.
    `fraction` is the random part of the delay before it, from 0 to 1. `origin` is the attempt inside this
    step that failed, where it was one. `signal` is the one that it has taken, though it could not use it. `usage` is
    the sum of `calls`.
    """

    path: str
    attempt: int
    failure: Failure
    origin: Origin | None = None
    fraction: float = 1.0
    usage: Usage | None = None
    calls: tuple[ModelCall, ...] = ()
    duration_ms: int = 0
    signal: int | None = None


class StepSkipped(Event, frozen=True, kw_only=True, tag="step_skipped"):
    """A step was not done: its condition was false, or somebody decided so."""

    path: str
    reason: str


class StepCancelled(Event, frozen=True, kw_only=True, tag="step_cancelled"):
    """A step, and whatever was under way inside it, was stopped before it was settled."""

    path: str
    attempt: int = 0


class StepOverridden(Event, frozen=True, kw_only=True, tag="step_overridden"):
    """Somebody settled a step by hand: it was stopped, and the next event says that it is completed or skipped."""

    path: str
    by: str
    reason: str = ""


class CancelRequested(Event, frozen=True, kw_only=True, tag="cancel_requested"):
    """Somebody asked for the execution to end; that cannot be taken back."""

    by: str
    reason: str = ""


class PauseRequested(Event, frozen=True, kw_only=True, tag="pause_requested"):
    """Somebody asked for nothing new to begin; attempts under way finish."""

    by: str


class ResumeRequested(Event, frozen=True, kw_only=True, tag="resume_requested"):
    """Somebody asked for the execution to go on."""

    by: str


class TimeExpired(Event, frozen=True, kw_only=True, tag="time_expired"):
    """The execution has worked as long as `limits.timeoutMs` allows."""


class ExecutionEnding(Event, frozen=True, kw_only=True, tag="execution_ending"):
    """It is settled how the execution ends; what is to be done before that, such as `finally`, begins.

    `path` and `attempt` name the step that failed, when one did.
    """

    outcome: Literal["completed", "failed", "cancelled"]
    output: Json = None
    failure: Failure | None = None
    path: str | None = None
    attempt: int = 0


class ExecutionCompleted(Event, frozen=True, kw_only=True, tag="execution_completed"):
    """Every step is settled; the output is final."""

    output: Json = None


class ExecutionFailed(Event, frozen=True, kw_only=True, tag="execution_failed"):
    """The execution ended without its output. `path` and `attempt` name the step that failed, when one did."""

    failure: Failure
    path: str | None = None
    attempt: int = 0


class ExecutionCancelled(Event, frozen=True, kw_only=True, tag="execution_cancelled"):
    """The execution ended because somebody asked for it."""

    reason: str = ""


AnyEvent: TypeAlias = (
    ExecutionStarted
    | ExecutionRestarted
    | StepStarted
    | StepNoted
    | StepWaiting
    | SignalReceived
    | ChildStarted
    | BlockEntered
    | BlockFailed
    | StepCompleted
    | StepFailed
    | StepSkipped
    | StepCancelled
    | StepOverridden
    | CancelRequested
    | PauseRequested
    | ResumeRequested
    | TimeExpired
    | ExecutionEnding
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionCancelled
)
