"""Where an execution stands: the fold of its events over its plan."""

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from services.definitions.document import Slot
from services.engine.core.events import Assigned, Called, Origin, SignalReceived
from services.engine.core.paths import MAIN, frame_of, name_of, owner_of
from services.engine.core.plan import Block, Plan, Stage
from services.failure import Failure
from services.json import Json

Phase = Literal["new", "running", "stopping", "cancelling", "ending", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "failed", "cancelled"]
StepStatus = Literal["pending", "running", "waiting", "retrying", "completed", "failed", "skipped", "cancelled"]

_ENCODER = msgspec.json.Encoder()

FINISHED: frozenset[Phase] = frozenset({"completed", "failed", "cancelled"})
OPEN: frozenset[StepStatus] = frozenset({"pending", "running", "waiting", "retrying"})


class ItemFailure(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a map that failed, and where."""

    index: int
    failure: Failure
    origin: Origin | None


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """What has gone on inside a step that holds others, over all its frames so far.

    `writes` and `results` are those of the frames that were left; `last` is the output of the last of them.
    `collected` are a loop's values; `outputs` a map's, each with the index of its item, in the order in which they
    came. Both are kept in runs of at most `RUN` values, so that one more never copies all.
    """

    slot: Slot
    entered: int = 0
    open: int = 0
    last: Json = None
    writes: dict[str, Json] = {}
    results: dict[str, Json] = {}
    collected: tuple[tuple[Json, ...], ...] = ()
    outputs: tuple[tuple[tuple[int, Json], ...], ...] = ()
    failures: tuple[ItemFailure, ...] = ()


class StepState(msgspec.Struct, frozen=True, kw_only=True):
    """Where one step stands. A step that nothing has happened to has no state.

    `input` is resolved once, before the first attempt; of a map it is the items, of a wait the time, and `event` what
    it waits for where that is not time. `writes` are what the step adds to the context when its stage is finished,
    `results` what the steps inside it add to `steps`. `handler` is what takes care of its failure (a slot, or
    `default`); `is_excused` says that `onError` let the execution go on without an output. `spent_ms` counts attempts
    and the delays between them. `child` is the execution that the step has started; `has_timer` says that somebody has
    been asked to tell when the time is over, that of the child or of the wait. `accounted` is how many of the `notes`
    were there when an attempt failed last: the calls of models that they tell of stand in its event.
    """

    status: StepStatus
    attempt: int = 0
    input: Json = None
    output: Json = None
    writes: dict[str, Json] = {}
    results: dict[str, Json] = {}
    failure: Failure | None = None
    origin: Origin | None = None
    delay_ms: int = 0
    spent_ms: int = 0
    handler: Slot | None = None
    is_excused: bool = False
    inside: Inside | None = None
    notes: tuple[Json, ...] = ()
    accounted: int = 0
    child: UUID | None = None
    event: str | None = None
    has_timer: bool = False


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One run through a block.

    `stage` is the index of the stage under way; `previous` is the output of the stage before it (of several members:
    an object by name). `context` and `known` (the `steps` root) are what its steps see; they change only when a stage
    is finished, so all members see the same data, whenever they are asked for. `writes` and `results` are what it has
    added to them. `context_bytes` is the size of the context as JSON, `pending_bytes` that of what the stage under way
    adds. `begun`, `settled`, `succeeded` and `skipped` count members of that stage; `failed` names those that have.
    """

    slot: Slot
    stage: int = 0
    begun: int = 0
    settled: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    context: dict[str, Json] = {}
    context_bytes: int = 0
    pending_bytes: int = 0
    writes: dict[str, Json] = {}
    known: dict[str, Json] = {}
    results: dict[str, Json] = {}
    previous: Json = None
    roots: dict[str, Json] = {}


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """A completed step that has to be compensated if the execution fails, with what its compensation sees."""

    path: str
    output: Json
    roots: dict[str, Json]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How the execution ends, and what is to be done before that: the frames and slots still to be entered.

    `under_way` is the path of the frame that is being run.
    """

    outcome: Outcome
    output: Json = None
    failure: Failure | None = None
    path: str | None = None
    attempt: int = 0
    left: tuple[tuple[str, Slot], ...] = ()
    under_way: str | None = None
    is_cut_short: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution stands.

    `frames` are those under way, `steps` the steps of their present stages, both by path. `signals` are those that no
    step has taken yet, by id, the earliest first. `undo` is in the order in which the steps completed. `output` is set
    once it is settled, also while other steps are still being stopped.
    """

    phase: Phase = "new"
    execution: dict[str, Json] = {}
    input: Json = None
    roles: dict[str, UUID] = {}
    role_assignments: dict[str, Assigned] = {}
    calls: dict[str, Called] = {}
    depth: int = 0
    frames: dict[str, Frame] = {}
    steps: dict[str, StepState] = {}
    signals: dict[int, SignalReceived] = {}
    undo: tuple[Undo, ...] = ()
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    ending: Ending | None = None
    output: Json = None
    failure: Failure | None = None
    reason: str = ""
    is_paused: bool = False
    has_timed_out: bool = False

    @property
    def context(self) -> dict[str, Json]:
        """The context of the main sequence."""
        main = self.frames.get(MAIN)
        return {} if main is None else main.context


NEW = State()
RUN = 64


def size_of(value: Any) -> int:
    """How many bytes a value or an event has as JSON."""
    return len(_ENCODER.encode(value))


def growth(context: dict[str, Json], writes: dict[str, Json]) -> int:
    """How many bytes of JSON the context grows by when these are written to it.

    >>> growth({"a": "old"}, {"a": "newer", "b": 1})
    8
    """
    return sum(_size(key, value) - (_size(key, context[key]) if key in context else 0) for key, value in writes.items())


def _size(key: str, value: Json) -> int:
    return len(_ENCODER.encode({key: value})) - 1  # a comma for the braces


def scope(state: State, frame: Frame) -> dict[str, Json]:
    """The data that conditions and input mappings see in a frame (DEFINITION §4)."""
    return {
        "context": frame.context,
        "input": state.input,
        "output": frame.previous,
        "steps": frame.known,
        "execution": state.execution,
        **frame.roots,
    }


def block_of(plan: Plan, path: str, frame: Frame) -> Block:
    """The block that a frame is a run of."""
    return plan.blocks[frame.slot] if path == MAIN else plan.steps[name_of(owner_of(path))].blocks[frame.slot]


def under_way(plan: Plan, state: State, key: str, frame: Frame) -> Stage | None:
    """The stage that is under way; None when there is none left, or while the execution's end is done elsewhere."""
    if key == MAIN and state.ending is not None and state.ending.under_way != MAIN:
        return None
    stages = block_of(plan, key, frame).stages
    return stages[frame.stage] if frame.stage < len(stages) else None


def is_open(plan: Plan, state: State, path: str) -> bool:
    """Whether it is the step's turn: its stage is under way, and it is not settled. It may not have begun yet."""
    key = frame_of(path)
    frame = state.frames.get(key)
    if state.phase in FINISHED or frame is None:
        return False
    if (step := state.steps.get(path)) is not None:
        return step.status in OPEN
    stage = under_way(plan, state, key, frame)
    return stage is not None and name_of(path) in stage.names


def with_one_more(runs: tuple[tuple[Any, ...], ...], value: Any) -> tuple[tuple[Any, ...], ...]:
    """The runs with a value added.

    >>> with_one_more(((1, 2),), 3)
    ((1, 2, 3),)
    """
    if runs and len(runs[-1]) < RUN:
        return (*runs[:-1], (*runs[-1], value))
    return (*runs, (value,))
