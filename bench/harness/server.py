"""The Postgres that everything is measured on, and the databases in it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from harness.workloads import register_tools

from db import embedded
from db.connection import Database, connect
from db.migrate import migrate
from services import connections
from services.engine.notifier import Notifier


@dataclass(frozen=True, slots=True)
class Server:
    """An embedded Postgres with the settings it has for everybody; commits are synchronous."""

    url: str
    data_dir: Path

    async def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        connection = await connect(self.url)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        await connection.close()
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()


@dataclass(frozen=True, slots=True)
class Product:
    """A migrated database of ours, opened by this process as by an API process, and one connection to look on."""

    server: Server
    url: str
    watching: asyncpg.Connection

    async def until(self, question: str, *values: object, seconds: float = 300, every: float = 0.02) -> None:
        """Return when the answer to a question is true."""
        async with asyncio.timeout(seconds):
            # Only the database knows.
            while not await self.watching.fetchval(question, *values):  # noqa: ASYNC110
                await asyncio.sleep(every)

    async def until_finished(self) -> None:
        """Return when nothing is left to run."""
        await self.until("SELECT NOT EXISTS (SELECT FROM execution WHERE status IN ('queued', 'running', 'waiting'))")


@contextmanager
def server() -> Iterator[Server]:
    """A server of our own, on the disk of the temporary directory."""
    with tempfile.TemporaryDirectory(prefix="rolecall-bench-") as directory:
        Path(directory).chmod(0o755)
        with embedded.start(Path(directory) / "data") as running:
            yield Server(running.url, running.data_dir)


@asynccontextmanager
async def product(server: Server, name: str) -> AsyncIterator[Product]:
    """A database of ours, opened."""
    url = await server.database(name)
    await migrate(url)
    register_tools()
    async with await Database.open(url) as database:
        notifier = Notifier(database.connect)
        connections.use(database, notifier)
        hints = asyncio.create_task(notifier.run())
        watching = await database.connect()
        try:
            yield Product(server, url, watching)
        finally:
            connections.use(None, None)
            hints.cancel()
            await asyncio.gather(hints, return_exceptions=True)
            await watching.close()
