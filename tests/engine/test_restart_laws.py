"""What holds for every restart, and for every step that is settled by hand."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.definitions.document import Document
from services.engine.core.children import awaited
from services.engine.core.decide import advance, decide, replay, resume
from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    ExecutionRestarted,
    PauseRequested,
    ResumeRequested,
    SignalReceived,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepOverridden,
    TimeExpired,
)
from services.engine.core.fork import before_the_end, kept, retried
from services.engine.core.override import completed, skipped
from services.engine.core.paths import is_within
from services.engine.core.state import FINISHED, State, is_open
from services.engine.core.trace import trace
from tests.definitions.documents import documents
from tests.engine.test_laws import Simulation, taken_by

OPEN = ("pending", "running", "waiting", "retrying")


def restarted(path: str | None) -> ExecutionRestarted:
    # The same id: a weighted branch without `splitBy` goes by it.
    return ExecutionRestarted(
        execution=UUID(int=1), at=datetime(2026, 1, 31, tzinfo=UTC), restart_of=UUID(int=2), by="anna", path=path
    )


def run_somehow(simulation: Simulation, data: Any) -> None:
    """To its end, which somebody may bring about, or the time."""
    ends_at = data.draw(st.none() | st.integers(0, 6))
    for _ in range(ends_at or 0):
        if simulation.state.phase not in FINISHED:
            simulation.step()
    if ends_at is not None and simulation.state.phase not in FINISHED:
        end = data.draw(st.sampled_from([CancelRequested(by="anna"), TimeExpired()]))
        simulation.feed(advance(simulation.plan, simulation.state, end))
    simulation.run()


def begun(simulation: Simulation) -> list[str]:
    """The steps that had begun before the execution was ending."""
    history = list(before_the_end(simulation.history))
    _, steps = trace(simulation.plan, [(event, datetime.min) for event in history])
    return [path for path, step in steps.items() if step.status != "pending"]


def fork(simulation: Simulation, path: str) -> list[AnyEvent]:
    """The journal of a restart."""
    places = kept(simulation.plan, simulation.history, path)
    assert places is not None
    return [*(simulation.history[place] for place in places), restarted(path)]


@given(documents(), st.data())
def test_a_restart_begins_with_the_step_and_ends(document: Document, data: Any) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)
    path = data.draw(st.sampled_from(begun(origin)))

    history = fork(origin, path)

    state = replay(origin.plan, history)
    assert (state.phase, state.is_paused) == ("running", False)
    assert is_open(origin.plan, state, path)
    assert awaited(origin.plan, state) == frozenset()  # the children that are waited for are the origin's
    assert not [other for other in (*state.steps, *state.frames) if other == path or is_within(other, path)]
    again = Simulation.going_on(origin, history)
    assert decide(again.plan, again.state) == ()
    again.run()
    done_before = {event.path for event in history if isinstance(event, StepCompleted)}
    assert done_before & again.inputs.keys() == set()
    told, steps = trace(again.plan, [(event, datetime.min) for event in again.history])
    assert told == again.state
    assert [step.path for step in steps.values() if step.path in again.inputs and step.status in OPEN] == []
    assert {at: steps[at].input for at in again.inputs} == again.inputs
    completed_at = [event.path for event in again.history if isinstance(event, StepCompleted)]
    assert len(completed_at) == len(set(completed_at))


@given(documents(may_race=False), st.data())
def test_where_nobody_races_nothing_stays_stopped_but_inside_what_was_done_or_handled(
    document: Document, data: Any
) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)

    history = fork(origin, data.draw(st.sampled_from(begun(origin))))

    over = [event.path for event in history if isinstance(event, StepCompleted | StepFailed)]
    stopped = [event.path for event in history if isinstance(event, StepCancelled)]
    assert [path for path in stopped if not any(is_within(path, other) for other in over)] == []


@given(documents(), st.data())
def test_the_journal_of_a_restart_replays_to_the_same_state_from_any_cut(document: Document, data: Any) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)
    again = Simulation.going_on(origin, fork(origin, data.draw(st.sampled_from(begun(origin)))))
    for _ in range(data.draw(st.integers(0, 4))):
        if again.state.phase not in FINISHED:
            again.step()
    cut = data.draw(st.integers(0, len(again.history)))

    whole = replay(again.plan, again.history)

    assert replay(again.plan, again.history[cut:], replay(again.plan, again.history[:cut])) == whole
    assert resume(again.plan, whole).state == again.state


@given(documents(may_race=False), st.data())
def test_with_the_same_answers_a_restart_ends_with_the_same_output(document: Document, data: Any) -> None:
    origin = Simulation(document, data, may_fail=False)
    origin.run()
    again = Simulation.going_on(origin, fork(origin, data.draw(st.sampled_from(begun(origin)))))

    again.run()

    assert (again.state.phase, again.state.output) == (origin.state.phase, origin.state.output)
    if origin.state.phase == "completed":
        assert again.state.context == origin.state.context


@given(documents(), st.data())
def test_a_restart_can_be_restarted(document: Document, data: Any) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)
    again = Simulation.going_on(origin, fork(origin, data.draw(st.sampled_from(begun(origin)))))
    again.run()
    path = data.draw(st.sampled_from(begun(again)))

    third = Simulation.going_on(again, fork(again, path))

    third.run()
    assert third.state.phase in FINISHED


@given(documents(), st.data())
def test_a_restart_has_the_signals_that_nobody_had_taken_and_those_that_were_taken_by_what_it_keeps(
    document: Document, data: Any
) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)
    received = [event.id for event in origin.history if isinstance(event, SignalReceived)]
    taken = {id: event for event in origin.history if (id := taken_by(event)) is not None}

    history = fork(origin, data.draw(st.sampled_from(begun(origin))))

    assert [event.id for event in history if isinstance(event, SignalReceived)] == [
        id for id in received if id not in taken or taken[id] in history
    ]
    assert set(replay(origin.plan, history).signals) == set(received) - taken.keys()


@given(documents(), st.data())
def test_a_retry_begins_where_something_was_left_to_be_done(document: Document, data: Any) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)

    path = retried(origin.plan, origin.history)

    if path is not None:
        assert kept(origin.plan, origin.history, path) is not None
    elif origin.state.phase != "completed":
        assert origin.state.failure is not None
        assert origin.state.failure.code not in ("TOOL_ERROR", "FAILED")


@given(documents(), st.data())
def test_what_never_had_its_turn_cannot_be_restarted_from(document: Document, data: Any) -> None:
    origin = Simulation(document, data)
    run_somehow(origin, data)
    history = list(before_the_end(origin.history))
    states = [replay(origin.plan, history[: end + 1]) for end in range(len(history))]

    for name in origin.plan.steps:
        had_its_turn = any(is_open(origin.plan, state, name) for state in states)
        assert (kept(origin.plan, origin.history, name) is not None) == had_its_turn


def open_paths(simulation: Simulation) -> list[str]:
    state: State = simulation.state
    return sorted(path for path in (*state.steps, *simulation.plan.steps) if is_open(simulation.plan, state, path))


@given(documents(), st.data())
def test_settling_an_open_step_by_hand_leaves_an_execution_that_ends(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)
    for _ in range(data.draw(st.integers(0, 6))):
        if simulation.state.phase not in FINISHED:
            simulation.step()
    if simulation.state.phase in FINISHED:
        return
    is_paused = data.draw(st.booleans())
    if is_paused:
        simulation.feed(advance(simulation.plan, simulation.state, PauseRequested(by="anna")))
    # Some are inside others; then what is inside goes with them.
    path = data.draw(st.sampled_from(open_paths(simulation)))
    override = StepOverridden(path=path, by="anna")

    if data.draw(st.booleans()):
        events = completed(simulation.plan, simulation.state, override, {"by": "hand"})
    else:
        events = skipped(simulation.plan, simulation.state, override)

    assert len(events) == 2
    simulation.feed(advance(simulation.plan, simulation.state, *events))
    assert not is_open(simulation.plan, simulation.state, path)
    assert [other for other in simulation.asked if other == path or is_within(other, path)] == []
    assert simulation.state.is_paused == (is_paused and simulation.state.phase not in FINISHED)
    if is_paused:
        simulation.feed(advance(simulation.plan, simulation.state, ResumeRequested(by="anna")))
    assert resume(simulation.plan, replay(simulation.plan, simulation.history)).state == simulation.state
    simulation.run()
    told, steps = trace(simulation.plan, [(event, datetime.min) for event in simulation.history])
    assert told == simulation.state
    assert steps[path].overridden_by == "anna"
    assert all(step.status not in OPEN[1:] for step in steps.values())
