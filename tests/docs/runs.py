"""Plays a document as a `json run` block of the documentation says: with its input and its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.definitions.document import Document
from services.engine.core.commands import StartStep
from services.engine.core.decide import advance
from services.engine.core.events import (
    AnyEvent,
    Called,
    CancelRequested,
    ChildStarted,
    ExecutionStarted,
    ModelCall,
    SignalReceived,
    StepCompleted,
    StepFailed,
)
from services.engine.core.paths import is_within, name_of
from services.engine.core.plan import plan_of
from services.engine.core.settle import complete
from services.engine.core.state import FINISHED, NEW, State
from services.engine.performer import expired
from services.failure import RETRYABLE, Failure
from services.json import Json

_EXECUTION = UUID(int=7)
_CHILD = UUID(int=8)
_STARTED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class Run:
    """An execution in memory.

    `answers` are by the path or the name of a step. Of the steps that are under way, the one whose answer stands first
    is answered first; when none has an answer, the next of the `signals` comes, and when there is none left, the time
    of a wait goes by. Of a step that starts a child the answer is what that gives. `asked` are the paths that were
    started, in their order, and `delays` how long before each further attempt.
    """

    document: Document
    answers: Mapping[str, Json]
    signals: Sequence[Mapping[str, Json]] = ()
    signalled: int = 0
    state: State = NEW
    asked: list[str] = field(default_factory=list[str])
    delays: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    used: set[str] = field(default_factory=set[str])
    _waiting: dict[str, StartStep] = field(default_factory=dict[str, StartStep])

    def __post_init__(self) -> None:
        self._plan = plan_of(self.document)

    def play(self, input: Json, *, is_cancelled: bool = False) -> "Run":
        """To its end; one that is to be cancelled, once no step that is under way has an answer."""
        calls = dict.fromkeys(self._plan.calls, Called(_CHILD))
        self._happen(ExecutionStarted(execution=_EXECUTION, at=_STARTED_AT, input=input, calls=calls))
        while self.state.phase not in FINISHED:
            path, key = self._next()
            if key is None and self.signalled < len(self.signals):
                self._happen(self._signal())
            elif path is not None:
                command = self._waiting.pop(path)
                if self._plan.steps[name_of(path)].definition.kind == "orchestration":
                    self._happen(ChildStarted(path=path, attempt=command.attempt, execution=_CHILD))
                self._happen(self._answer(command, key))
            else:
                assert is_cancelled, f"there is no answer for any of {list(self._waiting)}"
                is_cancelled = False
                self._happen(CancelRequested(by="somebody"))
        return self

    def _happen(self, event: AnyEvent) -> None:
        turn = advance(self._plan, self.state, event)
        self.state = turn.state
        for command in turn.commands:
            if isinstance(command, StartStep) and command.is_expiry and self.state.steps[command.path].child:
                continue  # every child is done in time
            if isinstance(command, StartStep):
                self._waiting[command.path] = command
                if command.is_expiry:
                    continue
                if command.attempt == 1:
                    self.asked.append(command.path)
                else:
                    self.delays.setdefault(command.path, []).append(command.delay_ms)
            else:
                stopped = [path for path in self._waiting if path == command.path or is_within(path, command.path)]
                for path in stopped:
                    del self._waiting[path]
        for settled in turn.events:
            if isinstance(settled, StepCompleted | StepFailed) and settled.signal is not None:
                self._waiting.pop(settled.path, None)  # its timer

    def _signal(self) -> SignalReceived:
        sent: Any = self.signals[self.signalled]
        self.signalled += 1
        return SignalReceived(id=self.signalled, name=sent["event"], data=sent.get("data"), by="somebody")

    def _next(self) -> tuple[str | None, str | None]:
        """The path to answer next, and the key of its answer."""
        for key in self.answers:
            for path in self._waiting:
                if key == path or (key == name_of(path) and path not in self.answers):
                    return path, key
        waits = (path for path in self._waiting if self._plan.steps[name_of(path)].definition.kind == "wait")
        return next(waits, None), None

    def _answer(self, command: StartStep, key: str | None) -> AnyEvent:
        if key is None and command.is_expiry:
            failure = expired(self._plan.steps[name_of(command.path)].definition, command)
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure)
        if key is None:
            return self._completed(command, None)
        self.used.add(key)
        answer: Any = self.answers[key]
        if _is_special(answer, "$attempts"):
            answer = answer["$attempts"][command.attempt - 1]
        if _is_special(answer, "$fails"):
            code, seconds = answer["$fails"], answer.get("retryAfterSeconds")
            failure = Failure(code=code, message="no", retryable=code in RETRYABLE, retry_after_seconds=seconds)
            return StepFailed(path=command.path, attempt=command.attempt, failure=failure)
        if _is_special(answer, "$output"):
            cost = Decimal(answer["costUsd"])
            call = ModelCall(model="model", outcome="answered", cost_usd=cost)
            return self._completed(command, answer["$output"], (call,))
        return self._completed(command, answer)

    def _completed(self, command: StartStep, output: Json, calls: tuple[ModelCall, ...] = ()) -> AnyEvent:
        return complete(self._plan, self.state, command.path, attempt=command.attempt, output=output, calls=calls)


def _is_special(answer: Any, key: str) -> bool:
    return isinstance(answer, dict) and key in answer
