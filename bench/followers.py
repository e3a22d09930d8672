"""Claim: who follows an execution over HTTP costs its server little, and nothing once they have left.

Measures the resident memory of one server process before, with and after 1,000 subscriptions to `execution.follow` over
server-sent events, each to another execution in which nothing happens, round after round; and its processor time in
a second while they are there.

Expect 60 MiB more with them and 100 µs of each second for each. What Python has had from the system it keeps for the
next, so after the first rounds a flat line: a leak would make it climb.
"""

import argparse
import asyncio
import resource
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec
from harness import meters, serving
from harness.server import product, server
from harness.serving import Served
from harness.workloads import one, publish, start

from services import tokens
from services.caller import OPERATOR

AT_ONCE = 50
BUSY_SECONDS = 20
LEFT_SECONDS = 30


class Follower:
    """A client that has read the first event and waits for the next."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def to(cls, served: Served, token: str, execution: UUID) -> "Follower":
        place = urlsplit(served.url)
        assert place.hostname is not None
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        asked = quote(msgspec.json.encode({"execution": execution}))
        writer.write(
            f"GET /trpc/execution.follow?input={asked} HTTP/1.1\r\nhost: {place.netloc}\r\n"
            f"accept: text/event-stream\r\nauthorization: Bearer {token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"following was answered with {head.decode()}")
        await reader.readuntil(b"id: 1\n")
        return cls(writer)

    async def leave(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def following(served: Served, token: str, executions: Sequence[UUID]) -> list[Follower]:
    """A follower for each execution; a few connect at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def follow(execution: UUID) -> Follower:
        async with gate:
            return await Follower.to(served, token, execution)

    return list(await asyncio.gather(*map(follow, executions)))


async def until_left(served: Served) -> None:
    """Return when the server has closed every connection."""
    port = urlsplit(served.url).port
    assert port is not None
    async with asyncio.timeout(LEFT_SECONDS):
        # Only the system knows.
        while meters.connections(port):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def measure(served: Served, token: str, executions: Sequence[UUID], rounds: int) -> None:
    """Print what the server holds in each round."""
    # What the first ever needs is no follower's own.
    await (await Follower.to(served, token, executions[0])).leave()
    await until_left(served)
    before = meters.resident_bytes(served.pid)
    print(f"{'':8}{'with MiB':>10}{'more':>8}{'KiB each':>10}{'left MiB':>10}   before {before / 2**20:.0f} MiB")
    for number in range(1, rounds + 1):
        followers = await following(served, token, executions)
        resident = meters.resident_bytes(served.pid)
        if number == rounds:
            spent = meters.cpu_seconds(served.pid)
            await asyncio.sleep(BUSY_SECONDS)
            spent = meters.cpu_seconds(served.pid) - spent
        await asyncio.gather(*(follower.leave() for follower in followers))
        await until_left(served)
        more = resident - before
        print(
            f"{number:<8}{resident / 2**20:10.0f}{more / 2**20:8.0f}{more / 2**10 / len(followers):10.1f}"
            f"{meters.resident_bytes(served.pid) / 2**20:10.0f}",
            flush=True,
        )
    print(f"processor time of each second, for each follower: {spent / BUSY_SECONDS / len(executions) * 1e6:.0f} µs")


async def main(arguments: argparse.Namespace) -> None:
    with server() as running, tempfile.TemporaryDirectory() as directory:
        async with product(running, "followers") as ours:
            await publish(one("parked", kind="wait", forMs=3_600_000))
            token = (await tokens.create(OPERATOR, name="bench", scopes=("executions.read",))).token
            executions = await start("parked", arguments.followers)
            async with serving.ours(ours.url, Path(directory)) as served:
                await measure(served, token, executions, arguments.rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--followers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=8)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main(parser.parse_args()))
