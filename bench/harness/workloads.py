"""The work: documents whose steps call a tool that does nothing, so that the engine alone is measured."""

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

from services import executions, orchestrations
from services.caller import OPERATOR
from services.json import Json, JsonObject
from services.tools import registry
from services.tools.tool import ToolContext, tool

_STARTS_AT_ONCE = 8
_LONGEST_LOOP = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """So many executions of one document; `shape` tells the peers what it is."""

    name: str
    title: str
    shape: str
    executions: int
    steps: int
    document: JsonObject

    @property
    def total_steps(self) -> int:
        return self.executions * self.steps

    def times(self, share: float) -> "Workload":
        """The same with another number of executions."""
        return replace(self, executions=max(1, round(self.executions * share)))


@tool("bench.nothing", effect="none")
async def nothing(_context: ToolContext) -> int:
    """Do nothing and say so."""
    return 1


@tool("bench.hold", effect="none")
async def hold(_context: ToolContext) -> None:
    """Never come back."""
    await asyncio.get_running_loop().create_future()


def register_tools() -> None:
    """Make the tools of the workloads known to this process."""
    registry.register(nothing, hold)


def _step(name: str, **more: Json) -> JsonObject:
    return {"name": name, "kind": "tool", "tool": "bench.nothing", "inputMapping": {}, **more}


def sequence(name: str, steps: int) -> JsonObject:
    """Steps one after another."""
    return {"name": name, "steps": [_step(f"S{n}") for n in range(steps)]}


def _fan(name: str, members: int) -> JsonObject:
    parallel = [_step(f"S{n}", order=0, parallelGroup="all") for n in range(members)]
    return {"name": name, "steps": [*parallel, _step("Join", order=1)]}


def loop(name: str, steps: int) -> JsonObject:
    """A loop of ten steps that makes so many runs of them."""
    body: list[Json] = [_step(f"S{n}") for n in range(10)]
    return {"name": name, "steps": [{"name": "Loop", "kind": "loop", "maxIterations": steps // 10, "steps": body}]}


def one(name: str, **step: Json) -> JsonObject:
    """A single step."""
    return {"name": name, "steps": [{"name": "Only", **step}]}


SINGLE = Workload(name="w1", title="1 step", shape="single", executions=2_000, steps=1, document=sequence("w1", 1))
SEQUENCE = Workload(
    name="w2", title="10 steps in a row", shape="sequence", executions=500, steps=10, document=sequence("w2", 10)
)
FAN = Workload(
    name="w3", title="20 steps at once and a join", shape="fan", executions=200, steps=21, document=_fan("w3", 20)
)


def looping(steps: int, executions: int) -> Workload:
    """Executions of one loop; the language allows 10,000 steps, of which the loop itself is one."""
    runs = min(steps // 10, _LONGEST_LOOP) * 10
    name = f"loop{runs}"
    return Workload(
        name=name, title=f"{runs:,} steps", shape="loop", executions=executions, steps=runs, document=loop(name, runs)
    )


async def start(orchestration: str, count: int) -> list[UUID]:
    """Start so many executions through the service, a few at a time, as an API process does."""
    left = iter(range(count))
    started: list[UUID] = []

    async def client() -> None:
        for number in left:
            execution = await executions.start(OPERATOR, orchestration=orchestration, input={"n": number})
            started.append(execution.id)

    async with asyncio.TaskGroup() as group:
        for _ in range(_STARTS_AT_ONCE):
            group.create_task(client())
    return started


async def publish(*documents: JsonObject) -> None:
    """Make orchestrations of the documents."""
    for document in documents:
        await orchestrations.create(OPERATOR, document=document)
