"""The whole product behind uvicorn on a free port of this machine: one database, one worker, the offline model."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest_asyncio
import uvicorn
from litestar import Litestar

from api.app import create_app
from services import tokens
from services.caller import OPERATOR
from services.engine.worker import Worker
from services.models.catalog import Models
from services.models.offline.provider import MODEL, OfflineProvider
from services.models.selection import Offer
from services.principal import SCOPES
from services.runtime import opened
from services.secrets.keyring import VARIABLE, new_key
from services.settings import Settings
from tests.api.client import Api
from tests.conftest import CopyOf

_SECRETS_KEY = new_key()

# Every test of a module shares one server, and therefore one loop.


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(copy_of: CopyOf, template: str) -> AsyncIterator[Api]:
    """The API with a worker beside it."""
    async with copy_of(template) as url, serving(url) as api:
        yield api


@asynccontextmanager
async def serving(url: str, *, with_worker: bool = True, settings: Settings = Settings()) -> AsyncIterator[Api]:  # noqa: B008
    """The API over the migrated database at `url`, with a worker beside it or nobody to do the work."""
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(opened(settings, url, _offline(), {VARIABLE: _SECRETS_KEY}))
        token = await tokens.create(OPERATOR, name="tester", scopes=SCOPES, kind="human")
        worker = await stack.enter_async_context(_working(runtime.worker())) if with_worker else None
        port = await stack.enter_async_context(_served(create_app(runtime, worker=worker)))
        yield Api(port, runtime, token.token)


def _offline() -> Models:
    offer = Offer("offline", MODEL, ("tools", "json"))
    return Models({"offline": OfflineProvider()}, [offer])


@asynccontextmanager
async def _working(worker: Worker) -> AsyncIterator[Worker]:
    task = asyncio.create_task(worker.run())
    await worker.until_live()
    try:
        yield worker
    finally:
        worker.stop()
        await task


@asynccontextmanager
async def _served(app: Litestar) -> AsyncIterator[int]:
    # Whoever connects before the server accepts waits in the listener's queue.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio does this only for sockets that say they are TCP; without it each answer on a kept connection is late.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task
