"""What holds for every plan and every order of answers (DESIGN §3)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.definitions.bound import max_step_runs
from services.definitions.document import CONTROL_KINDS, Document
from services.engine import journal
from services.engine.core.children import awaited, ended
from services.engine.core.commands import StartStep
from services.engine.core.decide import Turn, advance, decide, replay, resume
from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    ExecutionFailed,
    ModelCall,
    SignalReceived,
    StepCompleted,
    StepFailed,
)
from services.engine.core.paths import is_within, name_of
from services.engine.core.plan import Plan, plan_of
from services.engine.core.settle import complete
from services.engine.core.state import FINISHED, NEW, State
from services.engine.core.trace import trace
from services.failure import Failure
from services.json import Json
from tests.definitions.documents import CATALOG, documents
from tests.engine.plans import child_of, started

CALLS = (
    ModelCall(model="openai/large", outcome="MODEL_ERROR", reason="preferred as 'openai'", duration_ms=20),
    ModelCall(model="ollama/small", outcome="answered", input_tokens=3, output_tokens=2, cost_usd=Decimal("0.10")),
)


class Simulation:
    """Answers what the core asks for, ends the children and sends signals, in an order and with results that the data
    chooses; signals also when nobody waits for them.
    """

    def __init__(self, document: Document, data: Any, *, may_fail: bool = True) -> None:
        self.plan: Plan = plan_of(document)
        self.state: State = NEW
        self.history: list[AnyEvent] = []
        self.asked: dict[str, StartStep] = {}
        self.starts = 0
        self.inputs: dict[str, Json] = {}
        self.signals = 0
        self._data = data
        self._may_fail = may_fail
        self.feed(advance(self.plan, NEW, started({"n": data.draw(st.integers(0, 3))})))

    @classmethod
    def going_on(cls, other: "Simulation", history: list[AnyEvent]) -> "Simulation":
        """What a worker does that finds this history; whatever is asked works."""
        simulation = cls.__new__(cls)
        simulation.__dict__.update(
            other.__dict__, history=list(history), asked={}, inputs={}, starts=0, _may_fail=False
        )
        simulation.feed(resume(other.plan, replay(other.plan, history)))
        return simulation

    def feed(self, turn: Turn) -> None:
        self.state = turn.state
        self.history += turn.events
        for command in turn.commands:
            if isinstance(command, StartStep):
                self.asked[command.path] = command
                if not command.is_expiry:
                    self.inputs[command.path] = command.input
                    self.starts += 1
            else:
                for path in [path for path in self.asked if path == command.path or is_within(path, command.path)]:
                    del self.asked[path]
        for event in turn.events:
            if taken_by(event) is not None:
                self.asked.pop(event.path, None)  # its timer

    @property
    def children(self) -> dict[str, UUID]:
        """The children that steps wait for, by the path of the step."""
        expected = awaited(self.plan, self.state)
        return {path: step.child for path, step in self.state.steps.items() if step.child in expected and step.child}

    @property
    def expected(self) -> dict[str, str]:
        """The events that steps wait for, by the path of the step."""
        return {path: step.event for path, step in self.state.steps.items() if step.status == "waiting" and step.event}

    @property
    def open(self) -> list[str]:
        """Where something can happen."""
        return sorted({*self.asked, *self.children, *self.expected})

    def step(self) -> None:
        if self.plan.events and self.signals < 8 and self._data.draw(st.integers(0, 4)) == 4:
            self.feed(advance(self.plan, self.state, self.signal(self._data.draw(st.sampled_from(self.events)))))
        if self.open:
            self.feed(advance(self.plan, self.state, self.event()))

    @property
    def events(self) -> list[str]:
        return sorted(self.plan.events)

    def event(self) -> AnyEvent:
        path = self._data.draw(st.sampled_from(self.open))
        child, expected, asked = self.children.get(path), self.expected.get(path), self.asked.get(path)
        if child is None and expected is None:
            assert asked is not None
            del self.asked[path]
            return self.answer(asked)
        if asked is not None and self._may_fail and self._data.draw(st.booleans()):
            del self.asked[path]
            return self.answer(asked)
        if expected is not None:
            return self.signal(expected)
        assert child is not None
        self.asked.pop(path, None)
        return self.end(path, child)

    def signal(self, event: str) -> SignalReceived:
        """A signal; unless nothing may fail, perhaps one that not every wait can use."""
        self.signals += 1
        n = self._data.draw(st.sampled_from([1, 1, 0])) if self._may_fail else 1
        return SignalReceived(id=self.signals, name=event, data={"n": n}, by="anna")

    def end(self, path: str, child: UUID) -> AnyEvent:
        failure = self._failure("CHILD_FAILED")
        event = ended(self.plan, self.state, path, child, output={"n": 1}, failure=failure, fraction=1.0, duration_ms=1)
        assert event is not None
        return event

    def answer(self, command: StartStep) -> AnyEvent:
        if command.is_expiry:
            code = "WAIT_EXPIRED" if command.path in self.expected else "TIMEOUT"
            failure = _failure(code, retryable=code == "TIMEOUT")
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure)
        if (failure := self._failure("TOOL_ERROR")) is not None:
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure, calls=self._calls())
        kind = self.plan.steps[name_of(command.path)].definition.kind
        if kind == "orchestration":
            return child_of(command.path, command.attempt)
        output: Json = None if kind == "wait" else {"of": command.path}
        attempt, calls = command.attempt, self._calls() if kind in ("agent", "llm") else ()
        return complete(self.plan, self.state, command.path, attempt=attempt, output=output, calls=calls)

    def _calls(self) -> tuple[ModelCall, ...]:
        return CALLS[: self._data.draw(st.integers(0, len(CALLS)))]

    def _failure(self, code: str) -> Failure | None:
        outcome = (
            self._data.draw(st.sampled_from(["fail", "break", "work", "work", "work"])) if self._may_fail else "work"
        )
        return None if outcome == "work" else _failure(code, retryable=outcome == "fail")

    def run(self) -> None:
        while self.state.phase not in FINISHED:
            self.step()


def taken_by(event: AnyEvent) -> int | None:
    """The signal that the step has taken whose event this is."""
    return event.signal if isinstance(event, StepCompleted | StepFailed) else None


def _failure(code: str, *, retryable: bool) -> Failure:
    return Failure(code=code, message="no", retryable=retryable)


@given(documents(), st.data())
def test_a_turn_leaves_nothing_to_decide_and_an_unfinished_execution_waits_for_something(
    document: Document, data: Any
) -> None:
    simulation = Simulation(document, data)

    while simulation.state.phase not in FINISHED:
        assert decide(simulation.plan, simulation.state) == ()
        assert simulation.open
        simulation.step()

    assert decide(simulation.plan, simulation.state) == ()
    assert simulation.asked == {}


@given(documents(), st.data())
def test_a_history_replays_to_the_same_state_from_any_cut(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)
    for _ in range(data.draw(st.integers(0, 6))):
        if simulation.state.phase not in FINISHED:
            simulation.step()
    cut = data.draw(st.integers(0, len(simulation.history)))

    whole = replay(simulation.plan, simulation.history)
    in_parts = replay(simulation.plan, simulation.history[cut:], replay(simulation.plan, simulation.history[:cut]))

    assert in_parts == whole
    # What was under way is asked for again, on the same input; then nothing tells the two apart.
    turn = resume(simulation.plan, whole)
    assert {it.path: (it.attempt, it.input) for it in turn.commands if isinstance(it, StartStep)} == {
        path: (it.attempt, it.input) for path, it in simulation.asked.items()
    }
    assert not turn.events
    assert turn.state == simulation.state


@given(documents(may_race=False), st.data())
def test_the_order_of_answers_does_not_change_the_output(document: Document, data: Any) -> None:
    first = Simulation(document, data, may_fail=False)
    second = Simulation.__new__(Simulation)
    second.__dict__.update(first.__dict__, history=list(first.history), asked=dict(first.asked))

    first.run()
    second.run()

    assert second.state.phase == first.state.phase
    assert second.state.output == first.state.output
    if first.state.phase == "completed":
        assert second.state.context == first.state.context
        assert list(second.state.context) == list(first.state.context)


@given(documents(), st.data())
def test_no_execution_runs_more_steps_than_its_bound(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)

    simulation.run()

    by_the_core = {
        path
        for event in simulation.history
        if (path := getattr(event, "path", None)) and not path.endswith("/")
        if simulation.plan.steps[name_of(path)].definition.kind in CONTROL_KINDS
    }
    assert simulation.starts + len(by_the_core) <= max_step_runs(document, CATALOG.orchestrations)


@given(documents(), st.data())
def test_a_history_survives_json(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)

    simulation.run()

    assert [journal.decode(journal.encode(event)) for event in simulation.history] == simulation.history


@given(documents(), st.data())
def test_a_late_answer_changes_nothing(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)
    late: list[AnyEvent] = []
    while simulation.state.phase not in FINISHED:
        late += [simulation.answer(command) for command in simulation.asked.values()]
        late += [simulation.end(path, child) for path, child in simulation.children.items()]
        late += [simulation.signal(event) for event in simulation.plan.events]
        simulation.step()

    after = replay(simulation.plan, late, simulation.state)

    assert msgspec.structs.asdict(after) == msgspec.structs.asdict(simulation.state)


@given(documents(), st.data())
def test_after_a_cancel_nothing_begins_but_what_cleans_up(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)
    for _ in range(data.draw(st.integers(0, 4))):
        if simulation.state.phase not in FINISHED:
            simulation.step()
    phase, before = simulation.state.phase, simulation.starts

    simulation.feed(advance(simulation.plan, simulation.state, CancelRequested(by="anna")))
    simulation.run()

    if phase == "running":
        assert simulation.state.phase == "cancelled"
        assert simulation.starts == before or document.finally_


@given(documents(), st.data())
def test_what_happened_can_be_traced_step_by_step(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)

    simulation.run()

    state, steps = trace(simulation.plan, [(event, datetime.min) for event in simulation.history])
    assert state == simulation.state
    assert {path for path in simulation.inputs if path not in steps} == set()
    assert {path: steps[path].input for path in simulation.inputs} == simulation.inputs
    assert all(step.status not in ("running", "waiting", "retrying") for step in steps.values())
    answers = [event for event in simulation.history if isinstance(event, StepCompleted | StepFailed)]
    traced = [(path, *call) for path, step in steps.items() for call in step.calls]
    assert sorted(traced, key=repr) == sorted(
        [(event.path, event.attempt, call) for event in answers for call in event.calls], key=repr
    )


@given(documents(), st.data())
def test_a_signal_is_kept_until_one_step_takes_it(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)
    while simulation.state.phase not in FINISHED:
        simulation.step()

        received = [event.id for event in simulation.history if isinstance(event, SignalReceived)]
        taken = [id for event in simulation.history if (id := taken_by(event)) is not None]
        assert sorted([*taken, *simulation.state.signals]) == received
        for path, event in simulation.expected.items():
            wait = simulation.plan.steps[name_of(path)].definition
            left = [signal.data for signal in simulation.state.signals.values() if signal.name == event]
            assert left == [] if wait.match is None else {"n": 1} not in left
            assert wait.expires_after_ms is None or simulation.asked[path].delay_ms == wait.expires_after_ms

    waits = [event.path for event in simulation.history if taken_by(event) is not None]
    assert len(waits) == len(set(waits))


@given(documents(), st.data())
def test_what_check_finds_clean_never_fails_for_what_check_could_have_seen(document: Document, data: Any) -> None:
    simulation = Simulation(document, data)

    simulation.run()

    codes = {event.failure.code for event in simulation.history if isinstance(event, StepFailed | ExecutionFailed)}
    assert not codes & {"TEMPLATE_ERROR", "MAPPING_ERROR", "CONDITION_ERROR", "CONTEXT_CONFLICT", "INTERNAL"}
