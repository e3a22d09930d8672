"""OpenAI and every endpoint that speaks as it does, by chat completions or by Responses, through the real SDK."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.models import chat, embeddings, responses
from services.models import provider as failures
from services.models.capabilities import Capabilities
from services.models.endpoint import Endpoint
from services.models.messages import Answer, Embeddings, Request
from services.models.provider import Emit, unheard
from services.models.wire import ToolNames

SDK = "openai"
CLIENT = "AsyncOpenAI"


class _OpenAIProvider:
    """What both ways have in common: an endpoint, its capabilities and its embeddings."""

    def __init__(self, name: str, endpoint: Endpoint, capabilities: Capabilities) -> None:
        self.name = name
        self.capabilities = capabilities
        self._endpoint = endpoint

    async def embed(self, model: str, texts: Sequence[str], *, timeout_seconds: float = 60.0) -> Embeddings:
        """A vector for each text; see `Provider.embed`."""
        full_name = f"{self.name}/{model}"
        if not self.capabilities.embeddings:
            raise failures.no_embeddings(full_name)
        return await embeddings.of(self._endpoint, full_name, model, texts, timeout_seconds)

    async def close(self) -> None:
        """Give back connections."""
        await self._endpoint.close()

    def _broken_off(self, model: str) -> Exception:
        return failures.broken_off(model, self._endpoint.variables, "its answer has no end")


class ChatProvider(_OpenAIProvider):
    """Chat completions at an endpoint. The SDK is imported at the first call."""

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        failures.check_request(request, self.capabilities, model)
        names = ToolNames.of(request)
        parameters = chat.parameters_of(request, names, self.capabilities, model)
        pieces = chat.Pieces(emit)

        def opening(client: Any, within: Any) -> Any:
            return client.chat.completions.with_streaming_response.create(**parameters, timeout=within)

        body = await self._endpoint.call(model, request.timeout_seconds, opening, pieces.take)
        if body is None and not pieces.is_whole:
            raise self._broken_off(model)
        with self._endpoint.reading(model):
            said = pieces.completion() if body is None else msgspec.json.decode(body, type=chat.Completion)
            answer = chat.answer_of(said, request, names, self.capabilities, model)
        if body is not None:
            emit(answer.text)
        return answer


class ResponsesProvider(_OpenAIProvider):
    """Responses at an endpoint. The SDK is imported at the first call."""

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        failures.check_request(request, self.capabilities, model)
        names = ToolNames.of(request)
        parameters = responses.parameters_of(request, names, self.capabilities, model)
        pieces = responses.Pieces(emit)

        def opening(client: Any, within: Any) -> Any:
            return client.responses.with_streaming_response.create(**parameters, timeout=within)

        body = await self._endpoint.call(model, request.timeout_seconds, opening, pieces.take)
        if body is None and not pieces.is_whole:
            raise self._broken_off(model)
        with self._endpoint.reading(model):
            said = pieces.response() if body is None else msgspec.json.decode(body, type=responses.Response)
            answer = responses.answer_of(said, request, names, model)
        if body is not None:
            emit(answer.text)
        return answer


def detail_of(error: Any) -> str:
    """What an error of the SDK's says, with its code; a body that is no JSON error speaks for itself."""
    if isinstance(error.body, dict):
        inner = error.body.get("error", error.body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return " ".join(part for part in (inner["message"], error.code and f"({error.code})") if part)
        return str(inner)
    return error.response.text
