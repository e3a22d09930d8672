"""An endpoint through its maker's SDK: opened at the first call, its errors told as failures."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import msgspec

from services.models import provider as failures
from services.models.wire import is_loopback

_CONNECT_SECONDS = 10.0

Send: TypeAlias = Callable[[Any, Any], Awaitable[bytes]]
"""Sends a call through an SDK's client, within an SDK's timeout, and gives back the body of the answer."""


class Endpoint:
    """What is at `base_url`, by the client class `client` of the SDK `package`, which is imported at the first call.

    The SDKs of OpenAI and Anthropic have the same names for their clients' options and their errors. `detail_of` says
    what such an error tells.
    """

    def __init__(
        self,
        package: str,
        client: str,
        *,
        api_key: str,
        base_url: str,
        variables: failures.Variables,
        detail_of: Callable[[Any], str],
    ) -> None:
        self._package = package
        self._class = client
        self._api_key = api_key
        self._base_url = base_url
        self._variables = variables
        self._detail_of = detail_of
        self._client: Any = None

    async def sdk(self) -> Any:
        """The SDK's module."""
        # Off the event loop: the first import takes up to a second.
        return await asyncio.to_thread(importlib.import_module, self._package)

    async def call(self, model: str, timeout_seconds: float, send: Send) -> bytes:
        """The body of the answer to `send`; `model` is "provider/name".

        Raises:
            Failed: RATE_LIMITED, MODEL_ERROR or TIMEOUT.
        """
        sdk = await self.sdk()
        client = self._opened(sdk)
        timeout = sdk.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds))
        try:
            # The SDK bounds each phase of a call; this bounds their sum.
            async with asyncio.timeout(timeout_seconds):
                return await send(client, timeout)
        except (sdk.APITimeoutError, TimeoutError) as error:
            raise failures.timed_out(model, timeout_seconds) from error
        except sdk.APIConnectionError as error:
            raise failures.unreachable(model, self._variables, error.__cause__ or error) from error
        except sdk.APIStatusError as error:
            raise failures.failure_of_status(
                error.status_code,
                failures.shown(self._detail_of(error), secret=self._api_key),
                error.response.headers,
                model=model,
                variables=self._variables,
            ) from error

    @contextmanager
    def reading(self, model: str) -> Iterator[None]:
        """Inside, a body that cannot be read is a failure of the endpoint.

        Raises:
            Failed: MODEL_ERROR.
        """
        try:
            yield
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise failures.not_understood(model, self._variables, error) from error

    async def close(self) -> None:
        """Give back connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _opened(self, sdk: Any) -> Any:
        if self._client is None:
            # What runs on this machine is not reached through a proxy.
            local = sdk.DefaultAsyncHttpxClient(trust_env=False) if is_loopback(self._base_url) else None
            self._client = getattr(sdk, self._class)(
                api_key=self._api_key, base_url=self._base_url, max_retries=0, http_client=local
            )
        return self._client
