"""A little web site on this machine that answers as a test wants it, byte by byte, and remembers what it was sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Answers: TypeAlias = "dict[str, bytes | None]"


@dataclass(frozen=True)
class Sent:
    """What the site was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """What it answers by path, the whole of it; with None it takes the request and stays silent."""

    port: int
    answers: Answers
    sent: list[Sent] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def site(answers: Answers, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """A listening site; it and its connections are gone afterwards. `names` are those that its guests asked TLS for."""
    found = Site(0, answers)
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: found.names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (answer := await _answer(found, reader)) is not None:
                writer.write(answer)
                await writer.drain()
                if b"\r\nconnection: close" in answer.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        found.is_over.set()
        server.close()


async def _answer(found: Site, reader: asyncio.StreamReader) -> bytes | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    found.sent.append(Sent(method, path, headers, body))
    found.was_asked.set()
    answer = found.answers.get(path, answered(404))
    if answer is None:
        await found.is_over.wait()
    return answer


def answered(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it goes over the wire; underscores in the names of headers are dashes."""
    told = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1") + body
