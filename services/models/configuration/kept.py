"""A provider that is closed when the last call to it has ended, so that a change of its row breaks no call off."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.models.messages import Answer, Embeddings, Request
from services.models.provider import Emit, Provider, unheard


class KeptProvider:
    """`provider` as it is, with its calls counted."""

    def __init__(self, provider: Provider) -> None:
        self.name = provider.name
        self.capabilities = provider.capabilities
        self._provider = provider
        self._calls = 0
        self._is_given_up = False
        self._closing: asyncio.Task[None] | None = None

    async def complete(self, request: Request, emit: Emit = unheard) -> Answer:
        """The model's answer; see `Provider.complete`."""
        with self._counted():
            return await self._provider.complete(request, emit)

    async def embed(self, model: str, texts: Sequence[str], *, timeout_seconds: float = 60.0) -> Embeddings:
        """A vector for each text; see `Provider.embed`."""
        with self._counted():
            return await self._provider.embed(model, texts, timeout_seconds=timeout_seconds)

    async def give_up(self) -> None:
        """Close it: now, or when the last call has ended. One that comes later opens it once more, and closes it."""
        self._is_given_up = True
        if not self._calls:
            await self._provider.close()

    async def close(self) -> None:
        """Give back connections, whatever is under way."""
        await self._provider.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if self._is_given_up and not self._calls:
                # Whoever was answered does not wait for it.
                self._closing = asyncio.create_task(self._provider.close(), name=f"closing {self.name}")
