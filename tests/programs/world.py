"""Programs with tools to call, and what became of the calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from services.caller import OPERATOR
from services.json import Json, JsonObject
from services.programs.program import Outcome, run
from services.programs.recorded import Recorded
from services.programs.stubs import library
from services.programs.surroundings import Surroundings
from services.programs.workers import Workers
from services.tools.tool import ToolContext, ToolError, tool

CLOCK = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


@tool("notes.read")
async def read(_context: ToolContext, *, path: str, lines: int = 10) -> dict[str, Any]:
    """Read a note."""
    if path == "gone":
        raise ToolError("there is no note 'gone'")
    return {"path": path, "text": path.upper(), "lines": lines}


@tool("notes.write")
async def write(
    _context: ToolContext,
    *,
    path: str,
    rows: list[dict[str, Any]] = [],  # noqa: B006 - msgspec copies it
    level: Literal["low", "high"] = "low",
    class_: str | None = None,
) -> int:
    """Write a note."""
    return len(rows)


@tool("count")
async def count(_context: ToolContext, *, what: str) -> int:
    """Count something."""
    return len(what)


TOOLS = {tool.name: tool for tool in (read, write, count)}
LIBRARY = library(TOOLS.values())


@dataclass
class World:
    """Runs programs, makes their calls and keeps what came of them; `held` calls wait until they are let go."""

    workers: Workers
    made: list[tuple[int, str, JsonObject]] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    held: dict[int, asyncio.Event] = field(default_factory=dict)
    began: dict[int, asyncio.Event] = field(default_factory=dict)

    def hold(self, number: int) -> asyncio.Event:
        """Let the call of this number wait once it has begun; gives the event of its beginning."""
        self.held[number] = asyncio.Event()
        return self.began.setdefault(number, asyncio.Event())

    async def call(self, number: int, name: str, arguments: JsonObject) -> Json:
        self.made.append((number, name, arguments))
        self.began.setdefault(number, asyncio.Event()).set()
        if number in self.held:
            await self.held[number].wait()
        context = ToolContext(caller=OPERATOR, role_id=UUID(int=1), idempotency_key=str(number))
        return (await TOOLS[name].run(context, arguments)).unwrapped()

    async def record(self, recorded: Recorded) -> None:
        self.recorded.append(recorded)

    async def run(self, code: str, recorded: Sequence[Recorded] = (), input: Json = None) -> Outcome:
        return await run(code, self.surroundings(), recorded, input)

    async def value(self, code: str, input: Json = None) -> Json:
        return (await self.run(code, input=input)).value

    def surroundings(self, **others: Any) -> Surroundings:
        given: dict[str, Any] = {
            "library": LIBRARY,
            "workers": self.workers,
            "call": self.call,
            "record": self.record,
            "clock": CLOCK,
            "seed": "seed",
        }
        return Surroundings(**{**given, **others})
