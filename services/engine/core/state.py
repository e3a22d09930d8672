"""Where an execution stands: the fold of its events over its plan."""

from typing import Literal
from uuid import UUID

import msgspec

from services.failure import Failure
from services.json import Json

Phase = Literal["new", "running", "cancelling", "completed", "failed", "cancelled"]
StepStatus = Literal["pending", "running", "retrying", "completed", "failed", "skipped", "cancelled"]

_ENCODER = msgspec.json.Encoder()

FINISHED: frozenset[Phase] = frozenset({"completed", "failed", "cancelled"})
OPEN: frozenset[StepStatus] = frozenset({"pending", "running", "retrying"})


class StepState(msgspec.Struct, frozen=True, kw_only=True):
    """Where one step stands. A step that nothing has happened to has no state.

    `input` is resolved once, before the first attempt, and forgotten when the step is settled. `writes` are what the
    step adds to the context when its stage is finished.
    """

    status: StepStatus
    attempt: int = 0
    input: Json = None
    output: Json = None
    writes: dict[str, Json] = {}
    failure: Failure | None = None
    notes: tuple[Json, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution stands.

    `stage` is the index of the stage under way; `previous` is the output of the stage before it (of several members: an
    object by name). `context` and `results` (the `steps.<name>` root) change only when a stage is finished, so all
    members of a stage see the same data, whenever they are asked for. `context_bytes` is the size, as JSON, of all that
    was written to the context, the writes of the stage under way included.
    """

    phase: Phase = "new"
    input: Json = None
    roles: dict[str, UUID] = {}
    context: dict[str, Json] = {}
    context_bytes: int = 0
    results: dict[str, Json] = {}
    stage: int = 0
    previous: Json = None
    steps: dict[str, StepState] = {}
    output: Json = None
    failure: Failure | None = None
    reason: str = ""


NEW = State()
MAX_CONTEXT_BYTES = 1024 * 1024


def size_of(value: Json) -> int:
    """How many bytes `value` has as JSON."""
    return len(_ENCODER.encode(value))


def scope(state: State) -> dict[str, Json]:
    """The data that conditions and input mappings see (DEFINITION §4)."""
    return {"context": state.context, "input": state.input, "output": state.previous, "steps": state.results}
