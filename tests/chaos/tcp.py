"""TCP to a server that listens on a socket of this machine only, for those who are to be as far away as another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from db.postmaster import PORT
from tests.chaos.server import Server

_CHUNK = 64 * 1024


@asynccontextmanager
async def over_tcp(server: Server, url: str) -> AsyncIterator[str]:
    """The URL, by TCP, of a database of the server."""
    door = await asyncio.start_server(partial(_connected, server), "127.0.0.1", 0)
    async with door:
        port = door.sockets[0].getsockname()[1]
        yield f"postgresql://rolecall@127.0.0.1:{port}{urlsplit(url).path}"


async def _connected(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inner_reader, inner_writer = await asyncio.open_unix_connection(str(server.socket_dir / f".s.PGSQL.{PORT}"))
    async with asyncio.TaskGroup() as group:
        group.create_task(_passed_on(reader, inner_writer))
        group.create_task(_passed_on(inner_reader, writer))


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side is gone; then the other learns of it."""
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
