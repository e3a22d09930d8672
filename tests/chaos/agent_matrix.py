"""A worker that ends before or after each SQL statement, model call and tool call of an agent of five turns.

What is asked of the model is read from the model's own journal, what the tools did from their ledger: no answer that
was kept is asked for again, and what cannot be taken back is done once at most.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.roles import RoleChanges
from services.tools import registry
from services.tools.tool import ToolContext
from tests.chaos import agent_worker
from tests.chaos.arena import Arena, becomes_true
from tests.chaos.checker import Event
from tests.chaos.crash import EXIT_CODE, VARIABLE
from tests.chaos.matrix import PATIENCE_SECONDS, Report
from tests.models.aimock import Aimock

ANSWER = "That was all."
# What the model asks for in each turn: eight calls, of tools that may be repeated and of one that may not.
TURNS: tuple[tuple[tuple[str, dict[str, str]], ...], ...] = (
    (("chaos.look", {"at": "a"}), ("chaos.look", {"at": "b"})),
    (("chaos.send", {"to": "c"}),),
    (("chaos.book", {"what": "d"}), ("chaos.look", {"at": "e"}), ("chaos.send", {"to": "f"})),
    (("chaos.look", {"at": "g"}), ("chaos.look", {"at": "h"})),
)
_DOCUMENT: Any = {
    "name": "agent",
    "steps": [{"name": "Work", "roleName": "Agent"}],
    "output": {"said": "<<context.Work>>"},
}


@dataclass(frozen=True)
class Kept:
    """What the journal has of the agent: how many answers, the places of calls that began and ended, and its end."""

    answers: int
    began: frozenset[str]
    ended: frozenset[str]
    is_over: bool


class AgentMatrix:
    """One execution without a crash, and the same again with one at some point; each is judged by itself."""

    def __init__(self, arena: Arena, model: Aimock) -> None:
        self.report = Report()
        self._arena = arena
        self._model = model

    async def count(self) -> int:
        """How many points there are, in a run without a crash."""
        registry.register(*agent_worker.tools(_never))
        tools = ("chaos.look", "chaos.send", "chaos.book")
        await roles.create(OPERATOR, name="Agent", base_prompt="Work.", changes=RoleChanges(tools=tools))
        await orchestrations.create(OPERATOR, document=_DOCUMENT)
        self._teach()
        execution = await self._start("0")
        worker = self._arena.fleet.start(**{VARIABLE: "0"})
        assert await self._arena.all_finished(PATIENCE_SECONDS)
        points = self._arena.fleet.directory / f"{worker.pid}.points"
        self._arena.fleet.kill(worker)
        self.report.points = points.read_text().splitlines()
        await self._judge("0", execution, Kept(0, frozenset(), frozenset(), is_over=False), [])
        return len(self.report.points)

    async def crash_at(self, point: str) -> None:
        """An execution whose worker ends there; another one takes over, and does what was not kept."""
        self._teach()
        execution = await self._start(point)
        worker = self._arena.fleet.start(**{VARIABLE: point})

        async def is_settled() -> bool:
            return worker.exitcode is not None or await self._arena.all_finished(0.0)

        await becomes_true(is_settled, PATIENCE_SECONDS)
        if worker.exitcode == EXIT_CODE:
            self.report.reached += 1
        elif worker.exitcode is None:
            self.report.passed += 1
        else:
            self.report.violations.append(f"at {point} the worker ended with {worker.exitcode}")
        self._arena.fleet.kill(worker)
        kept, asked = await self._kept(execution), self._asked()
        rescuer = self._arena.fleet.start()
        if not await self._arena.all_finished(PATIENCE_SECONDS):
            self.report.violations.append(f"at {point} nobody finished it")
        self._arena.fleet.kill(rescuer)
        await self._judge(point, execution, kept, asked)

    def _teach(self) -> None:
        self._model.forget()
        for turn, calls in enumerate(TURNS):
            named = [{"name": name.replace(".", "_"), "arguments": arguments} for name, arguments in calls]
            self._model.teach({"toolCalls": named}, match={"turnIndex": turn})
        self._model.teach({"content": ANSWER}, match={"turnIndex": len(TURNS)})

    async def _start(self, key: str) -> UUID:
        return (await executions.start(OPERATOR, orchestration="agent", input={"key": key}, idempotency_key=key)).id

    def _asked(self) -> list[int]:
        """The turn of each request that the model has heard, from 1."""
        bodies = [heard.body for heard in self._model.heard()]
        return [1 + sum(message["role"] == "assistant" for message in body["messages"]) for body in bodies]

    async def _events(self, execution: UUID) -> list[Event]:
        _, events = await self._arena.rows()
        return [event for event in events if event.execution == execution]

    async def _kept(self, execution: UUID) -> Kept:
        events = await self._events(execution)
        notes = [event.payload["note"] for event in events if event.kind == "step_noted"]
        return Kept(
            answers=sum(note["note"] == "answered" for note in notes),
            began=frozenset(note["call"] for note in notes if note["note"] == "call_began"),
            ended=frozenset(note["call"] for note in notes if note["note"] == "call_ended"),
            is_over=any(event.kind == "step_completed" for event in events),
        )

    async def _judge(self, point: str, execution: UUID, kept: Kept, asked: list[int]) -> None:
        """Whether all was done, and nothing twice that was kept when the first worker ended or cannot be taken back."""
        found = self.report.violations
        again = self._asked()[len(asked) :]
        wanted = [] if kept.is_over else list(range(kept.answers + 1, len(TURNS) + 2))
        if again != wanted:
            found.append(f"at {point}, with {kept.answers} answers kept, the model was asked for {again}, not {wanted}")
        if asked != list(range(1, len(asked) + 1)):
            found.append(f"at {point} the first worker asked for {asked}")
        found += [f"at {point} {said}" for said in self._misdeeds(execution, kept)]
        found += [f"at {point} {said}" for said in await self._gaps(execution)]

    def _misdeeds(self, execution: UUID, kept: Kept) -> list[str]:
        """What the tools did too often."""
        deeds = [it for it in self._arena.effects() if it.execution == execution and it.what == "began"]
        return [
            f"{name} was called {times} times as {key}"
            for (name, key), times in Counter((deed.path, deed.key) for deed in deeds).items()
            if times > (1 if name == "chaos.send" or key.rpartition("/")[2] in kept.ended else 2)
        ]

    async def _gaps(self, execution: UUID) -> list[str]:
        """What the journal has too little or too much of, once the execution is over."""
        rows, _ = await self._arena.rows()
        row = next(row for row in rows if row.id == execution)
        events = await self._events(execution)
        kept = await self._kept(execution)
        wrong = [] if row.output == {"said": ANSWER} else [f"it gave {row.status} {row.output} {row.error}"]
        calls = [call for event in events if event.kind == "step_completed" for call in event.payload["calls"]]
        if len(calls) != len(TURNS) + 1:
            wrong.append(f"{len(calls)} model calls are recorded, not {len(TURNS) + 1}")
        places = {f"{turn}.{n}" for turn, calls in enumerate(TURNS, 1) for n in range(len(calls))}
        if kept.answers != len(TURNS) or kept.ended != places:
            wrong.append(f"{kept.answers} answers and the calls {sorted(kept.ended)} are kept")
        return wrong


async def _never(_context: ToolContext, name: str) -> None:
    raise AssertionError(f"{name} is called in a worker")
