"""The tool calls of an agent: each is kept in the journal as it ends, and none is made again that was kept.

A tool that changes something, and cannot tell a repetition, is begun in the journal before it is called. When its
worker dies in it, nobody knows whether it has worked: then it is not called again, and the model is told so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from services.engine.performer import Attempt
from services.engine.progress import ToolAnswered, ToolCalled
from services.json import Json, without_nul
from services.models.messages import ToolCall
from services.roles import RoleContent
from services.steps.agents.granting import context_of, refusal
from services.steps.agents.inner import InnerToolCalls
from services.steps.agents.notes import AnyNote, CallBegan, CallEnded
from services.steps.agents.transcript import Transcript
from services.tools.tool import Tool, ToolResult

MAX_RESULT_CHARACTERS = 256 * 1024
DEFAULT_MAX_TOOL_CALLS = 100
MAX_AT_ONCE = 8

Keep = Callable[[AnyNote], Awaitable[None]]


class ToolCalls:
    """Calls the tools of one attempt and keeps what they give."""

    def __init__(
        self,
        attempt: Attempt,
        role: RoleContent,
        tools: dict[str, Tool],
        transcript: Transcript,
        keep: Keep,
    ) -> None:
        self._attempt = attempt
        self._role = role
        self._tools = tools
        self._transcript = transcript
        self._keep = keep
        self._limit = attempt.step.max_tool_calls or DEFAULT_MAX_TOOL_CALLS

    async def answer(self) -> None:
        """Let every call of the last answer have its result.

        Calls that change nothing are made side by side, the others one after another, where the model has put them.
        """
        missing = [(place, call) for place, call in self._transcript.calls if place not in self._transcript.results]
        for batch in _batches(missing, self._tools):
            await _side_by_side([self._answer(place, call) for place, call in batch])

    async def make(self, place: str, name: str, arguments: Json) -> ToolResult:
        """What comes of the call at `place`, as the journal can keep it."""
        attempt = self._attempt
        attempt.show(ToolCalled(path=attempt.path, attempt=attempt.number, call=place, tool=name))
        result = _fitted(await self._made(place, name, arguments))
        is_error = result.error is not None
        attempt.show(ToolAnswered(path=attempt.path, attempt=attempt.number, call=place, tool=name, is_error=is_error))
        return result

    async def _answer(self, place: str, call: ToolCall) -> None:
        if self._transcript.calls_made_before(place) <= self._limit:
            result = await self.make(place, call.name, call.arguments)
            await self._keep(CallEnded(call=place, result=result))
        else:
            said = f"STEP_LIMIT: {self._limit} tool calls are allowed, and they are made; answer with what you have."
            await self._keep(CallEnded(call=place, result=ToolResult(error=said, is_final=True)))

    async def _made(self, place: str, name: str, arguments: Json) -> ToolResult:
        tool = self._tools.get(name)
        if self._transcript.has_begun(place) and (tool is None or not tool.may_be_repeated):
            said = f"OUTCOME_UNKNOWN: {name} was called, and the worker ended before it answered. It may have worked or"
            return ToolResult(error=f"{said} not; find out which before you call it again.", is_final=True)
        if tool is None:
            return ToolResult(error=refusal(name, self._role, self._tools), is_final=True)
        if not tool.may_be_repeated:
            await self._keep(CallBegan(call=place))
        context = context_of(self._role, self._attempt, place)
        return await tool.run(replace(context, inner=self._inner(place)), arguments)

    def _inner(self, place: str) -> InnerToolCalls | None:
        """What the call at `place` may call; one that was made for another call calls nobody."""
        if place.count(".") > 1:
            return None
        left = self._limit - self._transcript.calls_made_before(place)
        return InnerToolCalls(place, self._tools, self._transcript, self.make, self._keep, left)


def _batches(
    calls: Sequence[tuple[str, ToolCall]], tools: Mapping[str, Tool]
) -> Iterator[Sequence[tuple[str, ToolCall]]]:
    """The calls in their order: neighbours that change nothing together, every other one alone."""
    batch: list[tuple[str, ToolCall]] = []
    for place, call in calls:
        tool = tools.get(call.name)
        is_harmless = tool is None or tool.effect in ("none", "read")
        if batch and (not is_harmless or len(batch) == MAX_AT_ONCE):
            yield batch
            batch = []
        if is_harmless:
            batch.append((place, call))
        else:
            yield [(place, call)]
    if batch:
        yield batch


async def _side_by_side(calls: Sequence[Awaitable[None]]) -> None:
    """Wait for all of them; when one fails, the others are stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(_awaited(call))
    except BaseExceptionGroup as failures:
        # Whoever waits sorts errors by their kind; the others have been stopped because of the first.
        raise failures.exceptions[0] from None


async def _awaited(call: Awaitable[None]) -> None:
    await call


def _fitted(result: ToolResult) -> ToolResult:
    """The result as the journal can keep it and a model can read it; what is too long is cut off, and says so."""
    error = None if result.error is None else _cut(result.error)
    encoded = without_nul(msgspec.json.encode((result.value, error)))
    value, error = msgspec.json.decode(encoded)
    if len(encoded) > MAX_RESULT_CHARACTERS and error is None:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        value = _cut(text)
    return msgspec.structs.replace(result, value=value, error=error)


def _cut(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    said = f"the result has {len(text):,} characters; these are the first {MAX_RESULT_CHARACTERS:,}, so ask for less"
    return f"{text[:MAX_RESULT_CHARACTERS]}… (cut off: {said})"
