"""Examples as a user has them: loaded from their files into a database, run by a worker."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

import meta_tools
from db.connection import Database
from services import bundles, connections, executions
from services.caller import OPERATOR
from services.executions import ExecutionDetail, StepLog
from services.json import Json
from services.tools import files, registry
from tests.examples.cast import Answer, Cast, Turn
from tests.examples.example import DOCUMENTS, Example
from tests.meta_tools.agents import model_that, working


@dataclass(frozen=True)
class Run:
    """An execution of an example, over."""

    turns: list[Turn]
    execution: ExecutionDetail
    steps: list[StepLog]

    @property
    def called(self) -> list[str]:
        """The roles in the order in which they were asked."""
        return [turn.role for turn in self.turns]

    def inputs(self, role: str) -> list[Any]:
        """What a role was given, each conversation once."""
        return [turn.input for turn in self.turns if turn.role == role and not turn.brought]

    @property
    def output(self) -> Json:
        assert self.execution.status == "completed", self.execution.error
        return self.execution.output

    @property
    def statuses(self) -> dict[str, str]:
        """How each step that has begun has ended, by its path."""
        return {step.path: step.status for step in self.steps}


RunExample: TypeAlias = Callable[..., Awaitable[Run]]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own, as a server has it that opens the documents of the examples."""
    monkeypatch.setattr(registry, "_tools", {})
    registry.register(*files.tools(str(DOCUMENTS)))
    meta_tools.install()


@pytest.fixture
async def database_opened(database: Database) -> AsyncIterator[None]:
    """Services over a database of the test's own."""
    connections.use(database, None)
    yield
    connections.use(None, None)


@pytest.fixture
def run(database_url: str, tools: None) -> RunExample:
    """Runs the example at a path with the answers of its roles, on the input of its header or another.

    The `signals`, each an event and its data, are sent as it starts; they are kept until they are waited for.
    """

    async def run_example(
        path: str, answers: dict[str, Answer], input: Json = None, signals: Sequence[tuple[str, Json]] = ()
    ) -> Run:
        example = Example(path)
        cast = Cast(example.bundle["roles"], answers)
        with model_that(cast) as model:
            async with working(database_url, model) as ends:
                # The runtime has just registered a `files.read` without a folder.
                registry.register(*files.tools(str(DOCUMENTS)))
                loaded = await bundles.load(OPERATOR, bundles.read(example.text))
                *_, orchestration = loaded.orchestrations
                given = example.input if input is None else input
                started = await executions.start(OPERATOR, orchestration=orchestration.name, input=given)
                for event, data in signals:
                    await executions.signal(OPERATOR, execution=started.id, event=event, data=data)
                finished = await ends.of(started.id)
                steps = await executions.steps(OPERATOR, execution=started.id)
        return Run(cast.turns, finished, steps)

    return run_example
