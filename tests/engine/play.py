"""Plays a document written in YAML: answers what the core asks for, in the order in which it asks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from textwrap import dedent
from uuid import UUID

from services.definitions import yaml12
from services.definitions.catalog import Catalog
from services.definitions.check import check
from services.definitions.document import KINDS, Document
from services.engine import journal
from services.engine.core.commands import StartStep
from services.engine.core.decide import Turn, advance, decide, replay
from services.engine.core.events import AnyEvent, ExecutionStarted, SignalReceived, StepFailed
from services.engine.core.paths import name_of
from services.engine.core.plan import Plan, plan_of
from services.engine.core.settle import complete
from services.engine.core.state import FINISHED, NEW, State
from services.failure import RETRYABLE, Failure
from services.json import Json

CATALOG = Catalog(roles={"Writer": UUID(int=1)}, tools=frozenset({"t", "files.read"}), kinds=frozenset(KINDS))
EXECUTION = UUID(int=7)


class Answers(list[Json | Failure]):
    """What a step answers, one after another; the last one from then on."""


def document(text: str) -> Document:
    checked = check(yaml12.read(f"name: flow\n{dedent(text)}"), CATALOG)
    assert checked.document is not None, checked.problems
    assert checked.problems == (), checked.problems
    return checked.document


def failure(code: str = "TOOL_ERROR", message: str = "no") -> Failure:
    return Failure(code=code, message=message, retryable=code in RETRYABLE)


class Play:
    """An execution in memory. `answers` are by path or by name; a step without one answers its path.

    `asked` are the paths that were started, `history` the events that the journal would keep.
    """

    def __init__(
        self, text: str, answers: Mapping[str, Json | Failure | Answers] | None = None, input: Json = None
    ) -> None:
        self.plan: Plan = plan_of(document(text))
        self.state: State = NEW
        self.history: list[AnyEvent] = []
        self.asked: list[str] = []
        self.starts: list[StartStep] = []
        self.waiting: dict[str, StartStep] = {}
        self.stopped: list[str] = []
        self._answers = {path: list(it) if isinstance(it, Answers) else [it] for path, it in (answers or {}).items()}
        self.happen(ExecutionStarted(execution=EXECUTION, at=datetime(2026, 1, 31, tzinfo=UTC), input=input))

    def happen(self, *events: AnyEvent) -> Turn:
        turn = advance(self.plan, self.state, *events)
        self.state = turn.state
        self.history += turn.events
        for command in turn.commands:
            if isinstance(command, StartStep):
                self.asked.append(command.path)
                self.starts.append(command)
                self.waiting[command.path] = command
            else:
                self.stopped.append(command.path)
                inside = [path for path in self.waiting if path == command.path or path.startswith(command.path)]
                for path in inside:
                    del self.waiting[path]
        assert decide(self.plan, self.state) == ()
        return turn

    def answer(self, path: str) -> None:
        command = self.waiting.pop(path)
        answer = self._next_answer(path)
        if isinstance(answer, Failure):
            self.happen(StepFailed(path=path, attempt=command.attempt, failure=answer))
        else:
            self.happen(complete(self.plan, self.state, path, attempt=command.attempt, output=answer))

    def signal(self, event: str, data: Json = None) -> None:
        self.happen(SignalReceived(id=len(self.history), name=event, data=data, by="anna"))

    def run(self) -> "Play":
        while self.state.phase not in FINISHED:
            self.answer(next(iter(self.waiting)))
        encoded = [journal.encode(event) for event in self.history]
        assert replay(self.plan, [journal.decode(payload) for payload in encoded]) == self.state
        return self

    @property
    def output(self) -> Json:
        assert self.state.phase == "completed", self.state.failure
        return self.state.output

    @property
    def code(self) -> str:
        assert self.state.phase == "failed"
        assert self.state.failure is not None
        return self.state.failure.code

    def _next_answer(self, path: str) -> Json | Failure:
        answers = self._answers.get(path, self._answers.get(name_of(path), [path]))
        return answers.pop(0) if len(answers) > 1 else answers[0]
