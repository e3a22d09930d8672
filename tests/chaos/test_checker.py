"""The checker itself: a right run satisfies it, and everything that is planted in one is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.chaos.checker import Event, Execution, violations
from tests.chaos.ledger import Effect

_ID, _BEGAN = UUID(int=1), 1_000.0
DOCUMENT: dict[str, Any] = {
    "name": "flow",
    "steps": [
        {
            "name": "A", "kind": "tool", "maxRetries": 1, "retryDelay": 500,
            "compensate": [{"name": "Undo", "kind": "tool"}],
        },
        {"name": "Nap", "kind": "wait", "forMs": 1_000},
        {"name": "B", "kind": "tool"},
        {"name": "Told", "kind": "wait", "event": "news"},
    ],
    "finally": [{"name": "Close", "kind": "tool"}],
}  # fmt: skip
_KINDS = (
    ("execution_started", "", 0, {}),
    ("step_failed", "A", 1, {"failure": {"code": "TOOL_ERROR", "retryable": True}}),
    ("step_completed", "A", 2, {}),
    ("step_waiting", "Nap", 0, {"forMs": 1_000}),
    ("step_completed", "Nap", 1, {}),
    ("step_completed", "B", 1, {}),
    ("signal_received", "", 0, {"id": 5, "name": "news", "data": "tea"}),
    ("step_waiting", "Told", 0, {"forEvent": "news"}),
    ("step_completed", "Told", 1, {"output": "tea", "signal": 5}),
    ("execution_ending", "", 0, {"outcome": "completed"}),
    ("block_entered", "/", 0, {"slot": "finally"}),
    ("step_completed", "Close", 1, {}),
    ("execution_completed", "", 0, {"output": "done"}),
)
EVENTS = [
    Event(execution=_ID, seq=seq, kind=kind, path=path, attempt=attempt, payload=payload, recorded_at=_BEGAN + 10 * seq)
    for seq, (kind, path, attempt, payload) in enumerate(_KINDS, start=1)
]
ROW = Execution(
    id=_ID, status="completed", input=None, output="done", error=None, epoch=3, is_held=False,
    finished_at=_BEGAN + 130, key="1",
)  # fmt: skip


def _effects(path: str, attempt: int, seq: int) -> list[Effect]:
    """One that began a second before the event that tells of it, and ended half a second before."""
    return [
        Effect(
            what=what, at=_BEGAN + 10 * seq - before, execution=_ID, path=path, attempt=attempt,
            key=f"{_ID}/{path}", pid=7,
        )
        for what, before in (("began", 1.0), ("ended", 0.5))
    ]  # fmt: skip


EFFECTS = [*_effects("A", 1, 2), *_effects("A", 2, 3), *_effects("B", 1, 6), *_effects("Close", 1, 12)]
Run = tuple[list[Execution], list[Event], list[Effect]]


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert violations(DOCUMENT, [ROW], EVENTS, EFFECTS) == []


_CHILD_ID = UUID(int=2)
CALLING: dict[str, Any] = {"name": "flow", "steps": [{"name": "Sub", "kind": "orchestration"}]}
LEAF: dict[str, Any] = {"name": "leaf", "steps": [{"name": "T", "kind": "transform"}]}
PARENT_EVENTS = [
    Event(execution=_ID, seq=seq, kind=kind, path=path, attempt=attempt, payload=payload, recorded_at=_BEGAN + 10 * seq)
    for seq, (kind, path, attempt, payload) in enumerate(
        (
            ("execution_started", "", 0, {}),
            ("child_started", "Sub", 1, {"execution": str(_CHILD_ID)}),
            ("step_completed", "Sub", 1, {"output": "tea"}),
            ("execution_completed", "", 0, {"output": "done"}),
        ),
        start=1,
    )
]
CHILD_EVENTS = [
    Event(execution=_CHILD_ID, seq=seq, kind=kind, path="", attempt=0, payload=payload, recorded_at=_BEGAN + 10 * seq)
    for seq, (kind, payload) in enumerate(
        (("execution_started", {}), ("execution_completed", {"output": "tea"})), start=1
    )
]
CHILD = replace(
    ROW, id=_CHILD_ID, output="tea", key=None, orchestration="leaf", parent=_ID, parent_path="Sub", parent_attempt=1
)


def _with_children(rows: list[Execution], events: list[Event]) -> list[str]:
    return violations(CALLING, rows, events, others=[LEAF])


def test_nothing_is_wrong_with_a_child_that_is_right() -> None:
    assert _with_children([ROW, CHILD], PARENT_EVENTS + CHILD_EVENTS) == []


@pytest.mark.parametrize(
    ("rows", "events", "said"),
    [
        ([ROW], PARENT_EVENTS, "was started and is not there"),
        (
            [ROW, CHILD],
            [replace(PARENT_EVENTS[1], kind="step_noted") if it.seq == 2 else it for it in PARENT_EVENTS]
            + CHILD_EVENTS,
            "is a child without the event of its start",
        ),
        ([ROW, replace(CHILD, parent_attempt=2)], PARENT_EVENTS + CHILD_EVENTS, "is a child of another attempt"),
        (
            [ROW, replace(CHILD, output="milk")],
            PARENT_EVENTS + CHILD_EVENTS,
            "is completed, and its step has completed otherwise",
        ),
        (
            [ROW, CHILD, replace(CHILD, id=UUID(int=3))],
            PARENT_EVENTS + CHILD_EVENTS,
            "has 2 children of attempt 1 at Sub",
        ),
        ([ROW, replace(CHILD, status="running")], PARENT_EVENTS + CHILD_EVENTS, "is stuck as running"),
    ],
)
def test_what_is_wrong_with_a_child_is_found(rows: list[Execution], events: list[Event], said: str) -> None:
    assert any(said in found for found in _with_children(rows, events))


def _row(**changed: Any) -> Run:
    return [replace(ROW, **changed)], EVENTS, EFFECTS


def _event(number: int, **changed: Any) -> Run:
    return [ROW], [replace(event, **changed) if event.seq == number else event for event in EVENTS], EFFECTS


def _without(*seqs: int) -> Run:
    """The journal without some events, and without a gap."""
    left = [event for event in EVENTS if event.seq not in seqs]
    return [ROW], [replace(event, seq=place) for place, event in enumerate(left, start=1)], EFFECTS


def _inserted(before: int, kind: str, path: str, attempt: int = 1, **payload: Any) -> Run:
    """The journal with one event more."""
    at = _BEGAN + 10 * before - 5
    new = Event(execution=_ID, seq=0, kind=kind, path=path, attempt=attempt, payload=payload, recorded_at=at)
    longer = [*EVENTS[: before - 1], new, *EVENTS[before - 1 :]]
    return [ROW], [replace(event, seq=place) for place, event in enumerate(longer, start=1)], EFFECTS


def _swapped(one: int, other: int) -> Run:
    places = {one: other, other: one}
    moved = [replace(event, seq=places.get(event.seq, event.seq)) for event in EVENTS]
    return [ROW], moved, EFFECTS


def _effect(number: int, **changed: Any) -> Run:
    """One effect told otherwise."""
    told = [
        msgspec.structs.replace(effect, **changed) if place == number else effect
        for place, effect in enumerate(EFFECTS)
    ]
    return [ROW], EVENTS, told


PLANTED: dict[str, tuple[Callable[[], Run], str]] = {
    "stuck": (lambda: _row(status="running", finished_at=None), "is stuck as running"),
    "held": (lambda: _row(is_held=True), "still held"),
    "another output": (lambda: _row(output="other"), "another output"),
    "another end": (lambda: _row(status="cancelled", output=None), "cancelled by its row"),
    "a failure": (lambda: _row(error={"code": "X"}), "failed as X by its row"),
    "no row": (lambda: ([], EVENTS, EFFECTS), "has a journal and no row"),
    "a gap": (lambda: _event(5, seq=50), "gaps or repetitions"),
    "an event after the end": (lambda: _inserted(14, "step_completed", "B", 2), "goes on after that"),
    "a second result": (lambda: _inserted(7, "step_completed", "B", 2), "completed B 2 times"),
    "an unknown step": (lambda: _inserted(7, "step_completed", "C"), "knows of ['C']"),
    "a stage too early": (lambda: _swapped(5, 6), "began B before Nap was over"),
    "a stage left out": (lambda: _without(4, 5), "though nothing happened in the stage before"),
    "a second timer": (lambda: _inserted(5, "step_waiting", "Nap", forMs=1), "set the timer Nap 2 times"),
    "a lost timer": (lambda: _without(5), "lost the timer Nap"),
    "an early timer": (lambda: _event(5, recorded_at=_BEGAN + 40.9), "fired the timer Nap 100.00 ms early"),
    "a signal received twice": (
        lambda: _inserted(8, "signal_received", "", 0, id=5, name="news", data="tea"), "received the signal 5 twice"
    ),
    "a signal taken twice": (lambda: _event(6, payload={"signal": 5}), "took the signal 5 2 times"),
    "a signal of nobody": (lambda: _without(7), "took a signal at Told that it had not received"),
    "a signal that comes later": (lambda: _swapped(7, 9), "took a signal at Told that it had not received"),
    "another event": (lambda: _event(8, payload={"forEvent": "olds"}), "took news at Told, which waited for olds"),
    "other data": (lambda: _event(9, payload={"output": "milk", "signal": 5}), "gives something else at Told"),
    "no signal": (lambda: _event(9, payload={"output": "tea"}), "completed Told without being told"),
    "undone without need": (
        lambda: _inserted(11, "block_entered", "A/", slot="compensate"),
        "undoes what it has done though it did not fail",
    ),
    "a cancel passed over": (lambda: _inserted(5, "cancel_requested", ""), "was cancelled before it was settled"),
    "an effect after a cancel": (lambda: _inserted(5, "cancel_requested", ""), "began B"),
    "another key": (lambda: _effect(4, key="B"), "under the key B"),
    "an unknown attempt": (lambda: _effect(4, attempt=2), "of which the journal knows nothing"),
    "a result of nobody": (lambda: _effect(5, what="stopped"), "that nobody has given"),
    "a repetition": (lambda: _effect(4, at=_BEGAN + 61), "ran B again 1000 ms after its result"),
    "an early retry": (lambda: _effect(2, at=_BEGAN + 20.1), "made attempt 2 at A 400.00 ms early"),
    "an early effect": (lambda: _effect(4, at=_BEGAN + 49), "before Nap was over"),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(planted: str) -> None:
    plant, expected = PLANTED[planted]

    found = violations(DOCUMENT, *plant())

    assert any(expected in broken for broken in found), found
