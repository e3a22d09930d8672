"""The calls that one of an agent's tool calls makes itself: numbered there, kept in the journal as the agent's own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime

from services.json import Json, JsonObject
from services.steps.agents.notes import AnyNote, CallBegan, CallEnded
from services.steps.agents.transcript import Transcript
from services.tools.inner import InnerCall
from services.tools.tool import Tool, ToolResult

LIMIT_REACHED = "STEP_LIMIT: the tool calls that the step allows are made; go on with what there is."


class InnerToolCalls:
    """The calls for the one at `place`, up to `limit`; the place of each is its number below that."""

    def __init__(
        self,
        place: str,
        tools: Mapping[str, Tool],
        transcript: Transcript,
        make: Callable[[str, str, Json], Awaitable[ToolResult]],
        keep: Callable[[AnyNote], Awaitable[None]],
        limit: int,
    ) -> None:
        self.tools = tools
        self._limit = limit
        self._place = place
        self._transcript = transcript
        self._make = make
        self._keep = keep
        self._changing = asyncio.Lock()

    @property
    def kept(self) -> list[InnerCall]:
        """The calls that are kept, in the order in which they were."""
        return [_inner(note) for note in self._transcript.inner.get(self._place, [])]

    async def begin(self) -> datetime:
        """When the call that they are made for first began; the same in every attempt."""
        if (began := self._transcript.began_at.get(self._place)) is None:
            began = datetime.now(UTC)
            await self._keep(CallBegan(call=self._place, at=began))
        return began

    async def make(self, number: int, tool: str, arguments: JsonObject) -> ToolResult:
        """What comes of a call. Those that change something are made one after another, as an agent's own."""
        if number > self._limit:
            return ToolResult(error=LIMIT_REACHED, is_final=True)
        is_harmless = self.tools[tool].effect in ("none", "read")
        async with nullcontext() if is_harmless else self._changing:
            return await self._make(f"{self._place}.{number}", tool, arguments)

    async def keep(self, call: InnerCall) -> None:
        """Return when what came of a call is committed."""
        place = f"{self._place}.{call.number}"
        await self._keep(CallEnded(call=place, result=call.result, tool=call.tool, arguments=call.arguments))


def _inner(note: CallEnded) -> InnerCall:
    number = int(note.call.rpartition(".")[2])
    return InnerCall(number=number, tool=note.tool or "", arguments=note.arguments or {}, result=note.result)
