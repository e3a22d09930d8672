"""A canary: it listens on every address of this machine, and remembers whoever comes."""

import asyncio
import fcntl
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

_SIOCGIFADDR = 0x8915


@dataclass
class Canary:
    """Whoever has come, by the address where; `port` is the same on all of them."""

    port: int = 0
    addresses: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)


@asynccontextmanager
async def listening() -> AsyncIterator[Canary]:
    """A canary on all addresses of this machine, gone afterwards."""
    canary = Canary()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        canary.visits.append(writer.get_extra_info("sockname")[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        writer.close()

    async with AsyncExitStack() as stack:
        for address in local_addresses():
            server = await asyncio.start_server(visited, address, canary.port)
            canary.port = canary.port or server.sockets[0].getsockname()[1]
            canary.addresses.append(address)
            await stack.enter_async_context(server)
        yield canary


def local_addresses() -> list[str]:
    """Every address of this machine that somebody can connect to, 127.0.0.1 first."""
    found = ["127.0.0.1", "127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # it has no address of this kind
            found.append(socket.inet_ntoa(answer[20:24]))
    return [*dict.fromkeys(found), *_of_ipv6()]


def _of_ipv6() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:
        return []
    numbers = [bytes.fromhex(line.split()[0]) for line in lines]
    # A link-local address is one only with its interface.
    return [socket.inet_ntop(socket.AF_INET6, number) for number in numbers if number[:2] != b"\xfe\x80"]
