"""The independent checker: what rows and ledger say, held against the laws of durable execution.

It shares no code with the engine and knows a document only as JSON. Each law is a function that yields sentences about
what is broken; a run is right when there are none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.chaos.layout import Layout, is_at_or_within, layout_of, name_at
from tests.chaos.ledger import Effect

LAST_EVENTS = {"execution_completed": ("completed",), "execution_failed": ("failed", "timed_out"),
               "execution_cancelled": ("cancelled",)}  # fmt: skip
FINAL = {status for statuses in LAST_EVENTS.values() for status in statuses}
_SETTLING = {"step_completed", "step_failed", "step_skipped", "step_cancelled"}
_BIRTH = "child_started"
_PERFORMED = {"agent", "llm", "tool"}
# The timers of the event loop count in milliseconds, and round.
_ROUNDING_SECONDS = 0.001


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A row. `is_held`: somebody owns it, or it is due at some time. `orchestration` is the name of what it runs."""

    id: UUID
    status: str
    input: Any
    output: Any
    error: Any
    epoch: int
    is_held: bool
    finished_at: float | None
    key: str | None
    orchestration: str = ""
    parent: UUID | None = None
    parent_path: str = ""
    parent_attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class Event:
    """A row of the journal. `recorded_at` is in seconds, by the database's clock."""

    execution: UUID
    seq: int
    kind: str
    path: str
    attempt: int
    payload: Any
    recorded_at: float


def violations(
    document: dict[str, Any],
    executions: Iterable[Execution],
    events: Iterable[Event],
    effects: Iterable[Effect] = (),
    *,
    disturbed: Iterable[int] = (),
    others: Iterable[dict[str, Any]] = (),
) -> list[str]:
    """What is broken in a run of one orchestration; `disturbed` are workers that may be stale without knowing it.

    An effect after its step's completion is nobody's fault in those, and a repetition in all others. `others` are the
    documents of the orchestrations that run besides, such as those that its steps call.
    """
    layouts, stale = {each["name"]: layout_of(each) for each in others}, frozenset(disturbed)
    histories, done = defaultdict[UUID, list[Event]](list), defaultdict[UUID, list[Effect]](list)
    for event in events:
        histories[event.execution].append(event)
    for effect in effects:
        done[effect.execution].append(effect)
    rows = list(executions)
    found = [f"{id}: {broken}" for id, broken in has_its_children(rows, histories)]
    known = {execution.id for execution in rows}
    for execution in rows:
        layout = layouts.get(execution.orchestration) or layout_of(document)
        history = sorted(histories[execution.id], key=lambda event: event.seq)
        if strange := sorted(_strange_paths(history, done[execution.id], layout)):
            found.append(f"{execution.id}: knows of {strange}, which the document does not")
            continue
        laws = (
            is_over(execution),
            tells_the_end(execution, history),
            keeps_its_order(layout, history),
            compensates_backwards(layout, history),
            keeps_its_times(history),
            takes_signals_once(history),
            does_what_it_says(layout, history, sorted(done[execution.id], key=lambda it: it.at), stale),
        )
        found += [f"{execution.id}: {broken}" for law in laws for broken in law]
    found += [f"{id}: has a journal and no row" for id in histories.keys() - known]
    found += [f"{id}: has effects and no row" for id in done.keys() - known]
    return found


def has_its_children(rows: list[Execution], histories: Mapping[UUID, list[Event]]) -> Iterator[tuple[UUID, str]]:
    """Each child exists with its event and once for each attempt, and gives its step what it has given itself."""
    told = {UUID(it.payload["execution"]): it for events in histories.values() for it in events if it.kind == _BIRTH}
    attempts = Counter((row.parent, row.parent_path, row.parent_attempt) for row in rows if row.parent is not None)
    for (parent, path, attempt), count in attempts.items():
        if parent is not None and count > 1:
            yield parent, f"has {count} children of attempt {attempt} at {path}"
    children = {row.id: row for row in rows if row.parent is not None}
    for id in told.keys() ^ children.keys():
        yield id, "is a child without the event of its start" if id in children else "was started and is not there"
    for id, child in children.items():
        if (event := told.get(id)) is None:
            continue
        if (event.execution, event.path, event.attempt) != (child.parent, child.parent_path, child.parent_attempt):
            yield id, "is a child of another attempt than its event says"
        for end in histories[event.execution]:
            is_its = (end.kind, end.path, end.attempt) == ("step_completed", child.parent_path, child.parent_attempt)
            if is_its and (child.status, child.output) != ("completed", end.payload.get("output")):
                yield id, f"is {child.status}, and its step has completed otherwise"


def is_over(execution: Execution) -> Iterator[str]:
    """Every execution ends, and nobody holds it any more."""
    if execution.status not in FINAL:
        yield f"is stuck as {execution.status} at epoch {execution.epoch}"
    elif execution.is_held:
        yield f"is {execution.status} and still held"
    elif execution.finished_at is None:
        yield f"is {execution.status} and does not say since when"


def tells_the_end(execution: Execution, history: list[Event]) -> Iterator[str]:
    """The journal has no gap, begins and ends once, and says the same of the end as the row."""
    if (seqs := [event.seq for event in history]) != list(range(1, len(history) + 1)):
        yield f"has gaps or repetitions in its journal: {seqs}"
    if not history or history[0].kind != "execution_started":
        yield "does not begin with its start"
        return
    ends = [event for event in history if event.kind in LAST_EVENTS]
    if execution.status not in FINAL:
        return
    if len(ends) != 1 or ends[0] is not history[-1]:
        yield f"ends {len(ends)} times, and goes on after that with {history[-1].kind}"
        return
    last = ends[0]
    if execution.status not in LAST_EVENTS[last.kind]:
        yield f"is {execution.status} by its row and {last.kind} by its journal"
    has_expired = any(event.kind == "time_expired" for event in history)
    if execution.status == "timed_out" and not has_expired:
        yield "timed out without its time expiring"
    if execution.output != (last.payload.get("output") if last.kind == "execution_completed" else None):
        yield "has another output by its row than by its journal"
    code = (execution.error or {}).get("code")
    said = {"execution_failed": last.payload.get("failure", {}).get("code"), "execution_cancelled": "CANCELLED"}
    if code != said.get(last.kind):
        yield f"failed as {code} by its row and as {said.get(last.kind)} by its journal"
    settled = next((event for event in history if event.kind == "execution_ending"), last)
    cancel = next((event for event in history if event.kind == "cancel_requested"), None)
    if cancel is not None and cancel.seq < settled.seq and last.kind != "execution_cancelled":
        yield f"was cancelled before it was settled how it ends, and is {execution.status}"


def keeps_its_order(layout: Layout, history: list[Event]) -> Iterator[str]:
    """Each path completes once; a stage begins after all of the one before it, an iteration after the one before."""
    completed = Counter(event.path for event in history if event.kind == "step_completed")
    yield from (f"completed {path} {count} times" for path, count in completed.items() if count > 1)
    spans = _spans(_instances(layout, history))
    by_frame = defaultdict[tuple[str, str | None, str], list[str]](list)
    for path in spans:
        place = layout[name_at(path)]
        by_frame[path[: path.rfind("/") + 1], place.owner, place.slot].append(path)
    for paths in by_frame.values():
        stages = defaultdict[int, list[str]](list)
        for path in paths:
            stages[layout[name_at(path)].stage].append(path)
        for stage in sorted(stages)[1:]:
            before, after = stages.get(stage - 1, []), stages[stage]
            if not before:
                yield f"began {after[0]} though nothing happened in the stage before it"
            yield from (
                f"began {later} before {earlier} was over"
                for earlier in before
                for later in after
                if spans[later][0] < spans[earlier][1]
            )
    yield from _keeps_iterations_apart(layout, history)


def _keeps_iterations_apart(layout: Layout, history: list[Event]) -> Iterator[str]:
    frames: dict[tuple[str, int], tuple[int, int]] = {}
    main = _main_part(history)
    for event in main:
        at = 0
        while (at := event.path.find("[", at + 1)) > 0:
            owner, index = event.path[:at], int(event.path[at + 1 : event.path.index("]", at)])
            if layout[name_at(owner)].kind == "loop":
                first, _ = frames.get((owner, index), (event.seq, 0))
                frames[owner, index] = (first, event.seq)
    for (owner, index), (first, _) in frames.items():
        if index > 0 and frames.get((owner, index - 1), (0, first))[1] >= first:
            yield f"began iteration {index} of {owner} before the one before it was over"
    for event in main:
        if event.kind == "step_completed":
            late = [it.path for it in main if it.seq > event.seq and _is_inside(it.path, event.path)]
            yield from (f"went on with {path} after {event.path} had completed" for path in late)


def compensates_backwards(layout: Layout, history: list[Event]) -> Iterator[str]:
    """Only what has completed is undone, only after a failure, the last one first, and before what is always done."""
    order = [event for event in history if event.kind == "block_entered" and event.payload["slot"] == "compensate"]
    if not order:
        return
    ending = next((event for event in history if event.kind == "execution_ending"), None)
    if ending is None or ending.payload["outcome"] != "failed":
        yield "undoes what it has done though it did not fail"
    completed = {event.path: event.seq for event in history if event.kind == "step_completed"}
    undone = [event.path.rstrip("/") for event in order]
    yield from (f"undoes {path}, which never completed" for path in undone if path not in completed)
    seqs = [completed.get(path, 0) for path in undone]
    if seqs != sorted(seqs, reverse=True):
        yield f"undoes in the wrong order: {undone}"
    last = [event.seq for event in history if layout_slot(layout, event.path) == "finally"]
    if last and last[0] < order[-1].seq:
        yield "closes before it has undone everything"


def keeps_its_times(history: list[Event]) -> Iterator[str]:
    """A timer is set once, and fires once, never before its time."""
    waits = Counter(event.path for event in history if event.kind == "step_waiting")
    yield from (f"set the timer {path} {count} times" for path, count in waits.items() if count > 1)
    for event in history:
        if event.kind != "step_waiting":
            continue
        ends = [it for it in history if it.path == event.path and it.kind in _SETTLING]
        is_inside_something_stopped = any(
            it.kind == "step_cancelled" and _is_inside(event.path, it.path) for it in history
        )
        if not ends and not is_inside_something_stopped and not _is_cut_short(history, event):
            yield f"lost the timer {event.path}"
        due = _due(event)
        for end in ends:
            if end.kind == "step_completed" and due is not None and end.recorded_at < due - _ROUNDING_SECONDS:
                yield f"fired the timer {event.path} {(due - end.recorded_at) * 1000:.2f} ms early"


def takes_signals_once(history: list[Event]) -> Iterator[str]:
    """A signal is received once, and taken at most once: later, by a step that waited for its event, which gives it."""
    received: dict[int, Event] = {}
    for event in history:
        if event.kind == "signal_received":
            if event.payload["id"] in received:
                yield f"received the signal {event.payload['id']} twice"
            received[event.payload["id"]] = event
    awaited = {event.path: event.payload.get("forEvent") for event in history if event.kind == "step_waiting"}
    taken = [event for event in history if "signal" in event.payload]
    for id, count in Counter(event.payload["signal"] for event in taken).items():
        if count > 1:
            yield f"took the signal {id} {count} times"
    for event in taken:
        signal = received.get(event.payload["signal"])
        if signal is None or signal.seq > event.seq:
            yield f"took a signal at {event.path} that it had not received"
        elif awaited.get(event.path) != signal.payload["name"]:
            yield f"took {signal.payload['name']} at {event.path}, which waited for {awaited.get(event.path)}"
        elif event.kind == "step_completed" and event.payload.get("output") != signal.payload.get("data"):
            yield f"gives something else at {event.path} than what it was told"
    told = {event.path for event in taken}
    for path, name in awaited.items():
        if name is not None and path not in told:
            # Nothing else lets it complete here: nobody settles steps by hand.
            ends = [it for it in history if it.path == path and it.kind == "step_completed"]
            yield from (f"completed {it.path} without being told" for it in ends)


def does_what_it_says(
    layout: Layout, history: list[Event], effects: list[Effect], stale: frozenset[int]
) -> Iterator[str]:
    """Each effect belongs to an attempt that was due, and each result of a performed step to an effect."""
    spans = _spans(_instances(layout, history), time=True)
    at = {(event.path, event.attempt, event.kind): event.recorded_at for event in history}
    last_attempt = {
        path: max((event.attempt for event in history if event.path == path), default=0)
        for path in {event.path for event in history}
    }
    cancelled = next((event.recorded_at for event in history if event.kind == "cancel_requested"), None)
    for effect in effects:
        if effect.key != f"{effect.execution}/{effect.path}":
            yield f"sent {effect.path} under the key {effect.key}"
        if effect.what != "began":
            continue
        if not _is_settled_somewhere(history, effect, last_attempt):
            yield f"made attempt {effect.attempt} at {effect.path}, of which the journal knows nothing"
        failed_at = at.get((effect.path, effect.attempt - 1, "step_failed"))
        place = layout[name_at(effect.path)]
        if effect.attempt > 1:
            if failed_at is None:
                yield f"made attempt {effect.attempt} at {effect.path} without the failure of the one before"
            elif effect.at < failed_at + place.retry_delay_ms / 1000 - _ROUNDING_SECONDS:
                early = failed_at + place.retry_delay_ms / 1000 - effect.at
                yield f"made attempt {effect.attempt} at {effect.path} {early * 1000:.2f} ms early"
        yield from _began_too_soon(layout, spans, effect)
        if effect.pid in stale:
            continue
        done = at.get((effect.path, effect.attempt, "step_completed"))
        if done is not None and effect.at > done:
            yield f"ran {effect.path} again {(effect.at - done) * 1000:.0f} ms after its result was kept"
        if cancelled is not None and effect.at > cancelled and layout_slot(layout, effect.path) != "finally":
            yield f"began {effect.path} {(effect.at - cancelled) * 1000:.0f} ms after the cancel was kept"
    ended = {(effect.path, effect.attempt): effect.at for effect in reversed(effects) if effect.what == "ended"}
    for event in history if effects else ():
        if event.kind == "step_completed" and layout[name_at(event.path)].kind in _PERFORMED:
            effect_at = ended.get((event.path, event.attempt))
            if effect_at is None or effect_at > event.recorded_at:
                yield f"has a result of {event.path} that nobody has given"


def repetitions(effects: Iterable[Effect]) -> int:
    """How many attempts were begun again, counted as often as that happened."""
    begun = Counter((it.execution, it.path, it.attempt) for it in effects if it.what == "began")
    return sum(count - 1 for count in begun.values())


def layout_slot(layout: Layout, path: str) -> str:
    """The slot of the document that an instance stands in, or `compensate` when it undoes something."""
    slots = [layout[name_at(name)].slot for name in path.strip("/").split("/") if name]
    return "compensate" if "compensate" in slots else slots[0] if slots else ""


def _began_too_soon(layout: Layout, spans: dict[str, tuple[float, float]], effect: Effect) -> Iterator[str]:
    place, frame = layout[name_at(effect.path)], effect.path[: effect.path.rfind("/") + 1]
    for name, other in layout.items():
        is_before = (other.owner, other.slot, other.stage) == (place.owner, place.slot, place.stage - 1)
        if is_before and (span := spans.get(frame + name)) is not None and effect.at < span[1] - _ROUNDING_SECONDS:
            yield f"began {effect.path} {(span[1] - effect.at) * 1000:.2f} ms before {frame + name} was over"


def _is_settled_somewhere(history: list[Event], effect: Effect, last_attempt: dict[str, int]) -> bool:
    failure = history[-1].payload.get("failure") if history else None
    # Given up with everything that was under way: too many workers in a row have died over it.
    is_given_up = failure is not None and failure["code"] == "WORKER_LOST"
    if is_given_up or effect.attempt <= last_attempt.get(effect.path, 0):
        return True
    return any(it.kind == "step_cancelled" and is_at_or_within(effect.path, it.path) for it in history)


def _strange_paths(history: list[Event], effects: list[Effect], layout: Layout) -> set[str]:
    """The paths that lead through steps which the document does not have."""
    paths = {it.path for it in [*history, *effects] if it.path.strip("/")}
    return {path for path in paths if any(name_at(part) not in layout for part in path.strip("/").split("/"))}


def _instances(layout: Layout, history: list[Event]) -> Iterator[tuple[str, Event]]:
    """Each event with every step instance that it happened at or in. What undoes stands apart from what it undoes."""
    ending = next((event.seq for event in history if event.kind == "execution_ending"), len(history) + 1)
    for event in history:
        if not event.path.strip("/"):
            continue
        parts = event.path.strip("/").split("/")
        slots = [layout[name_at(part)].slot for part in parts]
        is_undoing = event.seq > ending and slots[0] == "main"
        for depth in range(1, len(parts) + 1):
            if is_undoing and "compensate" not in slots[:depth]:
                continue
            instance = "/".join(parts[:depth])
            yield instance[: instance.rfind("/") + 1] + name_at(instance), event


def _spans(instances: Iterable[tuple[str, Event]], *, time: bool = False) -> dict[str, tuple[float, float]]:
    """The first and the last that happened at or in each instance, by its seq or by its time."""
    spans: dict[str, tuple[float, float]] = {}
    for path, event in instances:
        value = event.recorded_at if time else event.seq
        first, last = spans.get(path, (value, value))
        spans[path] = (min(first, value), max(last, value))
    return spans


def _main_part(history: list[Event]) -> list[Event]:
    ending = next((event.seq for event in history if event.kind == "execution_ending"), len(history) + 1)
    return [event for event in history if event.seq < ending]


def _is_inside(path: str, owner: str) -> bool:
    return path != owner and is_at_or_within(path, owner)


def _is_cut_short(history: list[Event], event: Event) -> bool:
    """Whether the part that an event belongs to was ended as a whole: main by the ending, the ending by a cancel."""
    cuts = ("execution_ending", "cancel_requested", *LAST_EVENTS)
    return history[-1].kind != "execution_completed" and any(it.seq > event.seq and it.kind in cuts for it in history)


def _due(event: Event) -> float | None:
    for_ms = event.payload.get("forMs")
    return None if for_ms is None else event.recorded_at + for_ms / 1000
