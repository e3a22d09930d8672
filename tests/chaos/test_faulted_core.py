"""R3: whatever the plan, the order of answers and the faults, the checker finds nothing wrong with the journal.

The worker of this file is the core and a list: it dies before a commit, which is then lost, or after it, and goes on
from the list; it hears late answers, cancels and the end of its time.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.definitions.document import Document, as_json
from services.engine import journal
from services.engine.core.commands import StartStep
from services.engine.core.decide import Turn, advance, replay, resume
from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    SignalReceived,
    StepCompleted,
    StepFailed,
    TimeExpired,
)
from services.engine.core.paths import is_within, name_of
from services.engine.core.plan import plan_of
from services.engine.core.settle import complete
from services.engine.core.state import FINISHED, NEW, State
from services.failure import Failure
from services.json import Json
from tests.chaos.checker import Event, Execution, violations
from tests.definitions.documents import documents
from tests.engine.plans import started

_FAULTS = ("none",) * 5 + ("dies before the commit", "dies after the commit", "hears a late answer")
_OUTCOMES = ("works",) * 4 + ("fails", "breaks")


class Faulted:
    """A worker whose memory is lost at any time, over a journal that is not."""

    def __init__(self, document: Document, data: Any) -> None:
        self.plan = plan_of(document)
        self.journal: list[str] = []
        self.state: State = NEW
        self.asked: dict[str, StartStep] = {}
        self._data = data
        self._signals = 0
        self._late: list[StepCompleted | StepFailed] = []
        self._commit(advance(self.plan, NEW, started({"n": data.draw(st.integers(0, 3))})))

    def run(self) -> None:
        steering = self._data.draw(st.sampled_from([None, None, CancelRequested(by="anna"), TimeExpired()]))
        steers_at = self._data.draw(st.integers(0, 6))
        turns = 0
        while self.state.phase not in FINISHED:
            if turns == steers_at and steering is not None:
                self._commit(advance(self.plan, self.state, steering))
            else:
                self._answer_one()
            turns += 1

    def _answer_one(self) -> None:
        fault = self._data.draw(st.sampled_from(_FAULTS))
        if fault == "hears a late answer" and self._late:
            self._hear(self._data.draw(st.sampled_from(self._late)))
            return
        if not self.asked:
            self._signal()
            return
        path = self._data.draw(st.sampled_from(sorted(self.asked)))
        answer = self._answer(self.asked[path])
        turn = advance(self.plan, self.state, answer)
        if fault == "dies before the commit":
            # The effect has happened and nobody knows; another worker asks for it again.
            self._late.append(answer)
            self._begin_again()
            return
        del self.asked[path]
        self._late.append(answer)
        self._commit(turn)
        if fault == "dies after the commit":
            self._begin_again()

    def _signal(self) -> None:
        """The event comes that a step waits for."""
        expected = sorted({step.event for step in self.state.steps.values() if step.status == "waiting" and step.event})
        self._signals += 1
        name = self._data.draw(st.sampled_from(expected))
        signal = SignalReceived(id=self._signals, name=name, data={"n": 1}, by="anna")
        self._commit(advance(self.plan, self.state, signal))

    def _hear(self, answer: StepCompleted | StepFailed) -> None:
        """An answer to what was asked for in another life, or long ago: it counts if it is still waited for."""
        command = self.asked.get(answer.path)
        if command is not None and command.attempt == answer.attempt:
            del self.asked[answer.path]
            self._commit(advance(self.plan, self.state, answer))

    def _answer(self, command: StartStep) -> StepCompleted | StepFailed:
        if command.is_expiry:
            failure = Failure(code="WAIT_EXPIRED", message="no", retryable=False)
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure)
        outcome = self._data.draw(st.sampled_from(_OUTCOMES))
        if outcome != "works":
            failure = Failure(code="TOOL_ERROR", message="no", retryable=outcome == "fails")
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure)
        is_wait = self.plan.steps[name_of(command.path)].definition.kind == "wait"
        output: Json = None if is_wait else {"of": command.path}
        return complete(self.plan, self.state, command.path, attempt=command.attempt, output=output)

    def _commit(self, turn: Turn) -> None:
        self.journal += [journal.encode(event) for event in turn.events]
        self._go_on(turn)

    def _begin_again(self) -> None:
        self.asked = {}
        state = replay(self.plan, [journal.decode(payload) for payload in self.journal])
        turn = resume(self.plan, state)
        assert not turn.events
        self._go_on(turn)

    def _go_on(self, turn: Turn) -> None:
        self.state = turn.state
        for command in turn.commands:
            if isinstance(command, StartStep):
                self.asked[command.path] = command
            else:
                for path in [path for path in self.asked if path == command.path or is_within(path, command.path)]:
                    del self.asked[path]


@given(documents(), st.data())
def test_no_fault_breaks_a_law_that_the_checker_knows(document: Document, data: Any) -> None:
    worker = Faulted(document, data)

    worker.run()

    events = _rows([journal.decode(payload) for payload in worker.journal])
    json = msgspec.to_builtins(as_json(document))
    assert violations(json, [_row(worker.state, events)], events) == []


def _rows(history: Sequence[AnyEvent]) -> list[Event]:
    return [
        # A year passes between two events, so no timer of these documents is early.
        Event(
            execution=_ID, seq=seq, kind=kind, path=path, attempt=attempt,
            payload=msgspec.to_builtins(event), recorded_at=seq * 31_536_000.0,
        )
        for seq, event in enumerate(history, start=1)
        for kind, path, attempt in [journal.columns(event)]
    ]  # fmt: skip


_ID = started().execution


def _row(state: State, events: list[Event]) -> Execution:
    failure = None if state.failure is None else msgspec.to_builtins(state.failure)
    has_expired = any(event.kind == "time_expired" for event in events)
    status = "timed_out" if state.phase == "failed" and has_expired and state.has_timed_out else state.phase
    return Execution(
        id=_ID,
        status=status,
        input=None,
        output=state.output if state.phase == "completed" else None,
        error={"code": "CANCELLED"} if state.phase == "cancelled" else failure,
        epoch=1,
        is_held=False,
        finished_at=1.0,
        key=None,
    )
