"""A way to Postgres on which no notice arrives, as behind a pooler in transaction mode; all else passes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

_CHUNK = 64 * 1024
_ASKS_FOR_TLS = 80877103
_NOTICE_OF_NOTIFY = b"A"


@contextmanager
def without_notices(url: str) -> Iterator[str]:
    """The URL of the same database by this way. It lives in a thread of its own, so that whoever waits may block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        door = asyncio.run_coroutine_threadsafe(_opened(url), loop).result(10)
        place = urlsplit(url)
        who = place.netloc.rpartition("@")[0] or "rolecall"
        yield f"postgresql://{who}@127.0.0.1:{door.sockets[0].getsockname()[1]}{place.path}"
        door.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened(url: str) -> asyncio.Server:
    return await asyncio.start_server(partial(_connected, url), "127.0.0.1", 0)


async def _connected(url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inner_reader, inner_writer = await _postgres(url)
    try:
        first = await reader.readexactly(8)
        inner_writer.write(first)
        if int.from_bytes(first[4:]) == _ASKS_FOR_TLS:
            writer.write(await inner_reader.readexactly(1))
        async with asyncio.TaskGroup() as group:
            group.create_task(_passed_on(reader, inner_writer))
            group.create_task(_sifted(inner_reader, writer))
    except* (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        inner_writer.close()


async def _postgres(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    if directory := parse_qs(place.query).get("host"):
        return await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.{place.port or 5432}")
    return await asyncio.open_connection(place.hostname, place.port or 5432)


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def _sifted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every message of the server's but those of NOTIFY; each has its kind and its length before it."""
    while head := await reader.read(1):
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size) - 4)
        if head != _NOTICE_OF_NOTIFY:
            writer.write(head + size + body)
            await writer.drain()
    writer.close()
