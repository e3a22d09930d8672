"""OpenAI and every endpoint that speaks its chat completions, through the real SDK."""

from typing import Any

import msgspec

from services.models.chat import Completion, Dialect, answer_of, dialect_of, parameters_of
from services.models.endpoint import Endpoint
from services.models.messages import Answer, Request
from services.models.provider import Emit, Variables, unheard
from services.models.wire import ToolNames

OPENAI_URL = "https://api.openai.com/v1"

_VARIABLES = Variables(key="OPENAI_API_KEY", url="OPENAI_BASE_URL", model="ROLECALL_OPENAI_MODEL")


class OpenAIProvider:
    """Chat completions at `base_url`. The SDK is imported at the first call."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = OPENAI_URL,
        name: str = "openai",
        variables: Variables = _VARIABLES,
        dialect: Dialect | None = None,
    ) -> None:
        self.name = name
        self._dialect = dialect or dialect_of(base_url)
        self._endpoint = Endpoint(
            "openai", "AsyncOpenAI", api_key=api_key, base_url=base_url, variables=variables, detail_of=_detail
        )

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        names = ToolNames.of(request)
        parameters = parameters_of(request, names, self._dialect)

        async def send(client: Any, within: Any) -> bytes:
            response = await client.chat.completions.with_raw_response.create(**parameters, timeout=within)
            return response.content

        body = await self._endpoint.call(model, request.timeout_seconds, send)
        with self._endpoint.reading(model):
            completion = msgspec.json.decode(body, type=Completion)
        answer = answer_of(completion, request, names, model)
        emit(answer.text)
        return answer

    async def close(self) -> None:
        """Give back connections."""
        await self._endpoint.close()


def _detail(error: Any) -> str:
    """What the endpoint said, with its code; a body that is no JSON error speaks for itself."""
    if isinstance(error.body, dict):
        inner = error.body.get("error", error.body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return " ".join(part for part in (inner["message"], error.code and f"({error.code})") if part)
        return str(inner)
    return error.response.text
