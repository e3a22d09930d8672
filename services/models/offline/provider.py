"""The provider `offline`, model `extractive`: calls a tool it has the arguments for, else answers from what it sees."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from services.models.capabilities import Capabilities
from services.models.messages import (
    CHARACTERS_PER_TOKEN,
    Answer,
    Embeddings,
    Request,
    ToolCall,
    ToolSpec,
    Usage,
    about_request_tokens,
    about_tokens,
)
from services.models.offline import writing
from services.models.offline.filling import fill
from services.models.offline.reading import SIGNATURE, Reading, read, tools_called
from services.models.provider import Emit, check_request, no_embeddings, unheard
from services.schema import problems_of_schema, problems_of_value

MODEL = "extractive"


class OfflineProvider:
    """Answers at once, without a network, the same to the same request."""

    name = "offline"
    capabilities = Capabilities()

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The answer, emitted line by line; token counts are a quarter of the characters.

        Raises:
            Failed: OUTPUT_INVALID when the output schema asks for what no extract can be; MODEL_ERROR for images.
        """
        check_request(request, self.capabilities, f"{self.name}/{MODEL}")
        # Counting words of a large input takes a moment the event loop should not wait.
        found = await asyncio.to_thread(answer, request)
        for line in found.text.splitlines(keepends=True):
            emit(line)
        return found

    async def embed(self, model: str, texts: Sequence[str], *, timeout_seconds: float = 60.0) -> Embeddings:
        """Nothing: there are no embeddings without a model that was trained for them.

        Raises:
            Failed: always; it says who has some.
        """
        raise no_embeddings(f"{self.name}/{model}")

    async def close(self) -> None:
        """There is nothing to close."""


def answer(request: Request) -> Answer:
    """The answer to `request`; see `OfflineProvider.complete`."""
    reading = read(request.messages)
    call = _next_call(request, reading)
    if call is not None:
        spent = about_tokens(msgspec.json.encode(call).decode())
        return _answered(request, "", (call,), "tools", spent)
    if request.output_schema is not None:
        text = msgspec.json.encode(fill(request.output_schema, reading)).decode()
        return _answered(request, text, (), "end", about_tokens(text))
    text = f"{writing.text_of(reading)}\n\n{SIGNATURE}"
    limit = request.max_output_tokens
    if limit is not None and about_tokens(text) > limit:
        return _answered(request, text[: limit * CHARACTERS_PER_TOKEN], (), "length", limit)
    return _answered(request, text, (), "end", about_tokens(text))


def _answered(request: Request, text: str, calls: tuple[ToolCall, ...], stop: Any, spent: int) -> Answer:
    usage = Usage(input_tokens=about_request_tokens(request), output_tokens=spent)
    return Answer(text=text, tool_calls=calls, usage=usage, model=f"offline/{MODEL}", stop=stop)


def _next_call(request: Request, reading: Reading) -> ToolCall | None:
    """The first offered tool that was not called yet and whose required arguments the input has by name."""
    called = tools_called(request.messages)
    for tool in request.tools:
        arguments = None if tool.name in called else _arguments(tool, reading)
        if arguments is not None:
            return ToolCall(id=f"call_{len(called) + 1}", name=tool.name, arguments=arguments)
    return None


def _arguments(tool: ToolSpec, reading: Reading) -> dict[str, Any] | None:
    if problems_of_schema(tool.input_schema):
        return None
    required = tool.input_schema.get("required") or []
    members = tool.input_schema.get("properties") or {}
    if not required or any(name not in reading.input for name in required):
        return None
    everything = {name: reading.input[name] for name in members if name in reading.input}
    necessary = {name: reading.input[name] for name in required}
    fitting = (given for given in (everything, necessary) if not problems_of_value(tool.input_schema, given))
    return next(fitting, None)
