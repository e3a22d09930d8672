"""No hostile URL is asked, by no way that leads outside: nobody comes to a canary on every address of this machine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import httpx2
import pytest

from services.caller import OPERATOR
from services.outbound import Guard, Outbound, OutboundError, Refused, Unanswered
from services.outbound.allowed import allowed
from services.outbound.guard import by_the_system
from services.outbound.transport import GuardedTransport
from services.tools import http, web
from services.tools.tool import ToolContext
from tests.outbound.canary import Canary, listening, local_addresses
from tests.outbound.hostile_urls import NAMES, urls
from tests.outbound.site import answered, site

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A")
HOSTILE = urls()


async def resolve(host: str, port: int) -> Sequence[str]:
    """Where the names of the corpus lead; this machine's own are looked up as always, and there are no others."""
    if host in NAMES:
        return NAMES[host]
    if "localhost" in host:
        return await by_the_system(host, port)
    raise OSError


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    async with listening() as canary:
        yield canary


@asynccontextmanager
async def outbound_to(*allow: str) -> AsyncIterator[Outbound]:
    made = Outbound(Guard(allowed(allow), resolve=resolve))
    yield made
    await made.close()


def at(url: str, port: int) -> str:
    return url.replace("{port}", str(port))


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 289


async def test_the_canary_listens_on_every_address(canary: Canary) -> None:
    assert canary.addresses == local_addresses()
    async with httpx2.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{canary.port}/")
    assert canary.visits == ["127.0.0.1"]


async def test_without_the_guard_many_of_them_are_asked(canary: Canary) -> None:
    async with outbound_to("0.0.0.0/0", "::/0") as outbound:

        async def ask(url: str) -> None:
            with suppress(OutboundError):
                await outbound.request("GET", at(url, canary.port), timeout_seconds=2)

        await asyncio.gather(*(ask(url) for url in HOSTILE if "{port}" in url))

    assert len(canary.visits) >= 30


async def test_the_client_refuses_each_by_name(canary: Canary) -> None:
    passed: list[str] = []
    async with outbound_to() as outbound:
        for url in HOSTILE:
            for method in ("GET", "POST"):
                try:
                    await outbound.request(method, at(url, canary.port), timeout_seconds=5, follow=3)
                except (Refused, Unanswered):
                    continue
                passed.append(url)

    assert (passed, canary.visits) == ([], [])


async def test_nothing_that_is_refused_was_connected_to(canary: Canary) -> None:
    """What is no address of this machine cannot be seen by the canary; it has to be refused before any connecting."""
    asked: list[str] = []
    async with outbound_to() as outbound:
        for url in HOSTILE:
            try:
                await outbound.request("GET", at(url, canary.port), timeout_seconds=5)
            except Unanswered:
                asked.append(url)  # a name that there is not
            except OutboundError:
                continue

    assert all("localhost" in url or "localhoſt" in url or "public" in url for url in asked), asked


async def test_the_tools_refuse_each_and_say_so_as_errors(canary: Canary) -> None:
    async with outbound_to() as outbound:
        (get, request), (read,) = http.tools(outbound), web.tools(outbound)
        for url in HOSTILE:
            there = at(url, canary.port)
            for tool, given in ((get, {}), (request, {"method": "POST", "json": {"a": 1}}), (read, {})):
                result = await tool.run(CONTEXT, {"url": there, "timeoutSeconds": 5, **given})
                assert result.error is not None, url

    assert canary.visits == []


async def test_no_redirect_leads_to_any_of_them(canary: Canary) -> None:
    places = {f"/{n}": at(url, canary.port) for n, url in enumerate(HOSTILE)}
    # A line's end would end the header; a server cannot send it.
    redirects = {path: answered(302, location=_sendable(url)) for path, url in places.items()}
    async with site(redirects) as start, outbound_to(f"site.test:{start.port}") as outbound:
        reached: list[str] = []
        for path, url in places.items():
            try:
                answer = await outbound.request(
                    "GET", f"http://site.test:{start.port}{path}", timeout_seconds=5, follow=3
                )
            except (Refused, Unanswered):
                continue
            if answer.status != 404:  # a relative path leads back to the same site
                reached.append(url)

    assert (reached, canary.visits) == ([], [])


async def test_no_client_over_the_transport_reaches_any_of_them(canary: Canary) -> None:
    guard = Guard(resolve=resolve)
    async with httpx2.AsyncClient(transport=GuardedTransport(guard), timeout=5) as client:
        for url in HOSTILE:
            with pytest.raises((OutboundError, httpx2.HTTPError, httpx2.InvalidURL)):
                await client.get(at(url, canary.port), follow_redirects=True)

    assert canary.visits == []


def _sendable(url: str) -> str:
    return quote(url, safe="".join(map(chr, range(0x21, 0x7F))))
