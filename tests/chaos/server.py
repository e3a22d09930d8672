"""A PostgreSQL that can be killed and started again under the same address, which the embedded one does not offer."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import asyncpg

from db import embedded, postmaster
from db.connection import connect
from db.installation import Account, account_for, programs
from db.migrate import migrate
from db.postmaster import PORT, Postmaster

START_TIMEOUT_SECONDS = 60.0
# Whatever an outage test has set for everybody does not hold for who takes it back.
_SESSION = {"application_name": "chaos", "default_transaction_read_only": "off"}


@dataclass
class Server:
    """A running server; its supervisor is this process, never a worker."""

    data_dir: Path
    socket_dir: Path
    account: Account
    process: Postmaster

    @property
    def url(self) -> str:
        """Of the database that every server has."""
        return self._url("rolecall")

    def crash(self) -> None:
        """Kill the first process with SIGKILL, and wait until the others have noticed and ended."""
        self.process.process.send_signal(signal.SIGKILL)
        self.process.stop()
        postmaster.end_orphans(self.data_dir)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it again; it recovers from its log and is ready when this returns."""
        self.process = _spawned(self.data_dir, self.socket_dir, self.account)

    async def restart_after(self, seconds: float) -> None:
        """Crash, stay away for some time, and come back."""
        await asyncio.to_thread(self.crash)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.start)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Run a statement of an administrator's."""
        connection: asyncpg.Connection = await connect(self.url, session=_SESSION)
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    @asynccontextmanager
    async def new_database(self) -> AsyncIterator[str]:
        """The URL of a migrated database, dropped at the end."""
        name = f"chaos_{uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name}")
        try:
            await migrate(self._url(name))
            yield self._url(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def cut_off(self, url: str) -> int:
        """End every connection to a database; how many there were."""
        connection: asyncpg.Connection = await connect(self.url, session=_SESSION)
        try:
            ended = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
                urlsplit(url).path.removeprefix("/"),
            )
        finally:
            await connection.close()
        return len(ended)

    def _url(self, database: str) -> str:
        return f"postgresql://rolecall@/{database}?{urlencode({'host': self.socket_dir, 'port': PORT}, safe='/')}"


@contextmanager
def running(directory: Path) -> Iterator[Server]:
    """A server in a new data directory, which the server's account can enter, ended at the end."""
    with embedded.start(directory / "data") as made:
        data_dir = made.data_dir
    account = account_for(data_dir)
    socket_dir = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    account.give(socket_dir)
    try:
        server = Server(data_dir, socket_dir, account, _spawned(data_dir, socket_dir, account))
        try:
            yield server
        finally:
            server.process.stop()
    finally:
        shutil.rmtree(socket_dir, ignore_errors=True)


def _spawned(data_dir: Path, socket_dir: Path, account: Account) -> Postmaster:
    since = postmaster.log_size(data_dir)
    process = postmaster.spawn(programs(account) / "postgres", data_dir, socket_dir, account)
    try:
        postmaster.wait_until_ready(process, data_dir, since, time.monotonic() + START_TIMEOUT_SECONDS)
    except BaseException:
        process.stop()
        raise
    return process
