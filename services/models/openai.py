"""OpenAI and every endpoint that speaks its chat completions, through the real SDK."""

import asyncio
import importlib
from typing import Any

import msgspec

from services.models import provider as failures
from services.models import wire
from services.models.chat import Completion, Dialect, answer_of, dialect_of, parameters_of
from services.models.messages import Answer, Request

OPENAI_URL = "https://api.openai.com/v1"

_CONNECT_SECONDS = 10.0


class OpenAIProvider:
    """Chat completions at `base_url`. The SDK is imported at the first call."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = OPENAI_URL,
        name: str = "openai",
        settings: failures.Settings | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        self.name = name
        self.base_url = base_url
        self._api_key = api_key
        self._settings = settings or failures.Settings(
            key="OPENAI_API_KEY", url="OPENAI_BASE_URL", model="ROLECALL_OPENAI_MODEL"
        )
        self._dialect = dialect or dialect_of(base_url)
        self._client: Any = None

    async def complete(self, request: Request) -> Answer:
        """The model's answer; see `Provider.complete`."""
        model = f"{self.name}/{request.model}"
        names = wire.ToolNames.of(request)
        body = await self._call(model, request, parameters_of(request, names, self._dialect))
        try:
            completion = msgspec.json.decode(body, type=Completion)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise failures.not_understood(model, self._settings, error) from error
        return answer_of(completion, request, names, model)

    async def close(self) -> None:
        """Give back connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _call(self, model: str, request: Request, parameters: dict[str, Any]) -> bytes:
        # Off the event loop: the first import takes half a second.
        sdk = await asyncio.to_thread(importlib.import_module, "openai")
        client = self._opened(sdk)
        timeout = sdk.Timeout(request.timeout_seconds, connect=min(_CONNECT_SECONDS, request.timeout_seconds))
        try:
            # The SDK bounds each phase of a call; this bounds their sum.
            async with asyncio.timeout(request.timeout_seconds):
                response = await client.chat.completions.with_raw_response.create(**parameters, timeout=timeout)
        except (sdk.APITimeoutError, TimeoutError) as error:
            raise failures.timed_out(model, request.timeout_seconds) from error
        except sdk.APIConnectionError as error:
            raise failures.unreachable(model, self._settings, error.__cause__ or error) from error
        except sdk.APIStatusError as error:
            raise failures.failure_of_status(
                error.status_code,
                failures.shown(_detail(error), secret=self._api_key),
                error.response.headers,
                model=model,
                settings=self._settings,
            ) from error
        return response.content

    def _opened(self, sdk: Any) -> Any:
        if self._client is None:
            # What runs on this machine is not reached through a proxy.
            local = sdk.DefaultAsyncHttpxClient(trust_env=False) if wire.is_loopback(self.base_url) else None
            self._client = sdk.AsyncOpenAI(
                api_key=self._api_key, base_url=self.base_url, max_retries=0, http_client=local
            )
        return self._client


def _detail(error: Any) -> str:
    """What the endpoint said, with its code; a body that is no JSON error speaks for itself."""
    if isinstance(error.body, dict):
        inner = error.body.get("error", error.body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return " ".join(part for part in (inner["message"], error.code and f"({error.code})") if part)
        return str(inner)
    return error.response.text
