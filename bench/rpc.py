"""Claim: a call costs no more here than on the official server on Node, and brings the same answer.

Measures requests by wrk over 16 connections to our server and to its peers on Node 20 (`@trpc/server` standalone with
zod, once on `pg` and once on Prisma), one process each, all warm, in turn, on the same Postgres and the same rows: a
list of 20 roles, a role created, a batch of ten roles by name. Each request brings a token, which each server looks up.
Per core is requests for each second of processor time of the server's process. Medians of the rounds; ratios are
taken within a round.

Expect, per core, no less than the peer on `pg` and twice the one on Prisma, and no longer a p99 than theirs.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import msgspec
from harness import meters, serving
from harness.load import Answered, NoWrk, Request, load
from harness.server import Product, product, server
from harness.serving import Served

from services import roles, tokens
from services.caller import OPERATOR
from services.models.selection import ModelConstraints
from services.principal import SCOPES
from services.roles import Parameters, RoleChanges

ROLES = 20
CONNECTIONS = 16
WARM_REQUESTS = 2_000
PROMPT = "You read what you are given, slowly and to its end, and say in three sentences what is new in it. " * 4


def _batch(names: Sequence[str]) -> str:
    inputs = msgspec.json.encode({str(index): {"role": name} for index, name in enumerate(names)}).decode()
    return f"/trpc/{','.join(['role.get'] * len(names))}?batch=1&input={quote(inputs)}"


NAMES = [f"Reader {number:02}" for number in range(ROLES)]
NEW = {
    "name": "Written %d",
    "basePrompt": PROMPT,
    "description": "Made by a benchmark.",
    "parameters": {"temperature": 1},
}
REQUESTS = {
    "list": Request("role.list, 20 rows", "GET", "/trpc/role.list?input=" + quote('{"limit":20}')),
    "create": Request("role.create", "POST", "/trpc/role.create", msgspec.json.encode(NEW).decode()),
    "batch": Request("batch of 10 × role.get", "GET", _batch(NAMES[:10]), calls=10),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run of requests took and cost."""

    answered: Answered
    spent: meters.Reading
    resident_bytes: int

    @property
    def per_second(self) -> float:
        return self.answered.requests / self.answered.seconds

    @property
    def per_core(self) -> float:
        return self.answered.requests / self.spent.process_seconds

    def per_request(self, cost: float) -> float:
        return cost / self.answered.requests


async def fill() -> str:
    """The roles that are listed, and the token of who asks."""
    for name in NAMES:
        changes = RoleChanges(
            description="Reads.",
            model=ModelConstraints(preferred=("anthropic", "openai"), min_context_tokens=32_000),
            parameters=Parameters(temperature=0.2, max_output_tokens=2_000),
            output_schema={"type": "object", "properties": {"said": {"type": "string"}}},
        )
        await roles.create(OPERATOR, name=name, base_prompt=PROMPT, changes=changes)
    return (await tokens.create(OPERATOR, name="bench", scopes=SCOPES)).token


async def measured(product: Product, served: Served, token: str, request: Request, how: argparse.Namespace) -> Sample:
    """A run of one request over and over."""
    before = await _read(product, served)
    answered = await load(served.url, token, request, connections=how.connections, seconds=how.seconds)
    spent = await _read(product, served) - before
    resident = meters.resident_bytes(served.pid)
    await product.watching.execute("DELETE FROM role WHERE NOT name = ANY($1)", NAMES)
    await product.watching.execute("VACUUM ANALYZE role, role_version")
    return Sample(answered, spent, resident)


async def warm(served: Served, token: str, request: Request, connections: int) -> None:
    """Have it answered so often that a compiler in the server has done its work."""
    answered = 0
    while answered < WARM_REQUESTS:
        answered += (await load(served.url, token, request, connections=connections, seconds=1)).requests


async def _read(product: Product, served: Served) -> meters.Reading:
    return await meters.read(product.watching, product.server.data_dir, [served.pid])


async def compare(product: Product, servers: dict[str, Served], token: str, how: argparse.Namespace) -> None:
    """A table for each request: ourselves first, then the peers."""
    for request in (REQUESTS[name] for name in how.only or REQUESTS):
        for served in servers.values():
            await warm(served, token, request, how.connections)
        taken: dict[str, list[Sample]] = {name: [] for name in servers}
        for _ in range(how.rounds):
            for name, served in servers.items():
                taken[name].append(await measured(product, served, token, request, how))
        print(f"\n{request.title}\n{'':26}{'/s':>8}{'per core':>10}{'ours is':>9}{'p50 ms':>8}{'p99 ms':>8}", end="")
        print(f"{'CPU µs':>8}{'PG µs':>8}{'MiB':>6}")
        for name, samples in taken.items():
            print(f"{name:26}{_figures(samples, next(iter(taken.values())))}", flush=True)


def _figures(taken: list[Sample], baseline: list[Sample]) -> str:
    def median(value: Callable[[Sample], float]) -> float:
        return statistics.median(map(value, taken))

    ratios = [ours.per_core / theirs.per_core for ours, theirs in zip(baseline, taken, strict=True)]
    return (
        f"{median(lambda it: it.per_second):8,.0f}"
        f"{median(lambda it: it.per_core):10,.0f}"
        f"{statistics.median(ratios):8.2f}×"
        f"{median(lambda it: it.answered.p50) * 1e3:8.2f}"
        f"{median(lambda it: it.answered.p99) * 1e3:8.2f}"
        f"{median(lambda it: it.per_request(it.spent.process_seconds)) * 1e6:8,.0f}"
        f"{median(lambda it: it.per_request(it.spent.server_seconds)) * 1e6:8,.0f}"
        f"{median(lambda it: it.resident_bytes) / 2**20:6.0f}"
    )


async def check(servers: dict[str, Served], token: str) -> None:
    """Nothing when all servers give the same answer to what is only read.

    Raises:
        RuntimeError: one of them does not.
    """
    for request in (REQUESTS["list"], REQUESTS["batch"]):
        answers = {
            name: await asyncio.to_thread(_answer, served.url + request.path, token) for name, served in servers.items()
        }
        expected = next(iter(answers.values()))
        for name, answer in answers.items():
            if answer != expected:
                raise RuntimeError(f"{name} answers {request.title} with\n{answer}\nand not with\n{expected}")


def _answer(url: str, token: str) -> Any:
    with urlopen(HttpRequest(url, headers={"authorization": f"Bearer {token}"})) as answer:
        return _without_times(msgspec.json.decode(answer.read()))


def _without_times(value: Any) -> Any:
    """The answer but for its times, of which Node keeps milliseconds."""
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if not key.endswith("At")}
    return value


async def measure(product: Product, names: Sequence[str], directory: Path, how: argparse.Namespace) -> None:
    """Print the tables."""
    token = await fill()
    async with AsyncExitStack() as stack:
        servers = {"rolecall": await stack.enter_async_context(serving.ours(product.url, directory))}
        for name in names:
            peer = serving.peer(name, product.url)
            servers[serving.title(name)] = await stack.enter_async_context(peer)
        await check(servers, token)
        await compare(product, servers, token, how)


async def main(how: argparse.Namespace) -> None:
    installed = [name for name in how.peer if _is_installed(name)]
    with server() as running, tempfile.TemporaryDirectory() as directory:
        async with product(running, "rpc") as ours:
            await measure(ours, installed, Path(directory), how)


def _is_installed(name: str) -> bool:
    try:
        serving.install(name)
    except serving.NotInstalled as error:
        print(error)
        return False
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], choices=REQUESTS, help="measure this request, not all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--peer", action="append", default=[], choices=serving.PEERS, help="compare with it")
    try:
        asyncio.run(main(parser.parse_args()))
    except NoWrk as error:
        print(error)
