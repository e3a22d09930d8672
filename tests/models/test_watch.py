"""Rows change what a process calls while it runs, and never at the cost of a call under way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from socket import socket
from typing import Any

import pytest

from db.connection import Database
from services import connections, health, secrets
from services.caller import OPERATOR
from services.errors import Conflict, NotFound
from services.failure import Failed
from services.models.catalog import Models
from services.models.configuration import models, offers, providers, watch
from services.models.configuration.records import NewPrice, ProviderChanges
from services.models.configuration.watch import ConfigurationWatch
from services.models.selection import ModelConstraints
from services.outbound import Guard
from services.outbound.allowed import allowed
from services.runtime import opened
from services.secrets.keyring import Keyring, new_key
from services.secrets.secret import Secret
from services.settings import Settings
from tests.models.conversations import asking

LARGE = ModelConstraints(preferred=("gateway/large",))
SAID = {
    "id": "c",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
}


class Endpoint:
    """An endpoint of chat completions that answers when it may, and knows the keys that it was shown."""

    def __init__(self) -> None:
        self.port = 0
        self.keys: list[str] = []
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(fields["content-length"]))
                self.keys.append(fields["authorization"].removeprefix("bearer "))
                self.was_asked.set()
                await self.may_answer.wait()
                body = json.dumps(SAID).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    yield endpoint
    endpoint.may_answer.set()
    server.close()


@pytest.fixture
def in_database(database: Database) -> Iterator[Database]:
    connections.use(database, None)
    secrets.use(Keyring.from_environment({"ROLECALL_SECRETS_KEY": new_key()}))
    yield database
    secrets.use(Keyring())
    connections.use(None, None)


@asynccontextmanager
async def watched(*allow: str, environ: dict[str, str] | None = None) -> AsyncIterator[Models]:
    """Models that follow the rows, whenever a service has changed one."""
    called = Models.from_environment({"OLLAMA_HOST": "127.0.0.1:1"})
    one = ConfigurationWatch(called, environ or {}, Guard(allowed(allow)))
    watch.use(one)
    await one.refresh()
    try:
        yield called
    finally:
        watch.use(None)
        await called.close()
        await one.close()


async def gateway(called: Models, url: str, **changes: Any) -> None:
    made = ProviderChanges(base_url=url, **changes)
    await providers.create(OPERATOR, called, name="gateway", preset="compatible", changes=made)
    await models.create(OPERATOR, model="gateway/large")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 what is waited for happens in the process itself, unannounced
            await asyncio.sleep(0.01)


async def test_what_somebody_writes_with_psql_is_called_by_a_process_that_runs(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = Settings(outbound_allow=("127.0.0.1",))
    started_with = Models.from_environment({"OLLAMA_HOST": "127.0.0.1:1"})
    async with opened(settings, database_url, started_with, {}) as runtime:
        pool = runtime.database.pool
        await pool.execute(
            "INSERT INTO provider (name, preset, base_url, created_by) VALUES ('gateway', 'compatible', $1, 'anna')",
            endpoint.url,
        )
        await pool.execute("INSERT INTO model (provider_id, name, created_by) SELECT id, 'large', 'anna' FROM provider")
        await until(lambda: runtime.models.default == "gateway/large")
        answer = await runtime.models.complete(ModelConstraints(), asking())

        await pool.execute("UPDATE provider SET preset = 'compatibel'")
        await until(lambda: runtime.models.configuration.problems != ())
        seen = await health.check(runtime.models, None)

    assert (answer.text, answer.model, answer.usage.cost_usd) == ("Hi.", "gateway/large", None)
    assert (seen.status, seen.default_model) == ("degraded", "offline/extractive")
    assert any("/provider/gateway: there is no preset 'compatibel'" in problem for problem in seen.problems)


async def test_a_call_under_way_goes_on_with_the_provider_that_it_began_with(
    in_database: Database, endpoint: Endpoint
) -> None:
    hosts = [f"127.0.0.1:{endpoint.port}"]
    await secrets.set_(OPERATOR, name="Key", value=Secret("sk-first"), hosts=hosts)
    async with watched(*hosts) as called:
        await gateway(called, endpoint.url, secret="Key")
        endpoint.may_answer.clear()
        first = asyncio.create_task(called.complete(LARGE, asking()))
        await endpoint.was_asked.wait()

        await secrets.set_(OPERATOR, name="Key", value=Secret("sk-second"), hosts=hosts)
        await watch.refresh()
        endpoint.may_answer.set()
        answers = [await first, await called.complete(LARGE, asking())]
        await providers.delete(OPERATOR, called, provider="gateway")

        assert [answer.text for answer in answers] == ["Hi.", "Hi."]
        assert endpoint.keys == ["sk-first", "sk-second"]
        assert called.default == "offline/extractive"


async def test_a_provider_whose_limits_change_keeps_its_connections(in_database: Database, endpoint: Endpoint) -> None:
    async with watched("127.0.0.1") as called:
        await gateway(called, endpoint.url)
        before = called.configuration.providers["gateway"]

        await providers.update(
            OPERATOR, called, provider="gateway", changes=ProviderChanges(max_concurrent=2, timeout_ms=1500)
        )

        limits = called.configuration.limits["gateway"]
        assert called.configuration.providers["gateway"] is before
        assert (limits.max_concurrent, limits.timeout_seconds) == (2, 1.5)


async def test_a_name_that_leads_to_this_machine_is_not_asked(in_database: Database, endpoint: Endpoint) -> None:
    async with watched() as called:
        await gateway(called, f"http://localhost:{endpoint.port}/v1")
        with pytest.raises(Failed) as refused:
            await called.complete(LARGE, asking())
        checked = await offers.check(OPERATOR, called, model="gateway/large")

    assert "localhost leads to this machine and not to the public internet" in refused.value.failure.message
    assert "ROLECALL_OUTBOUND_ALLOW" in refused.value.failure.message
    assert (checked.is_available, refused.value.failure.retryable, endpoint.keys) == (False, False, [])


async def test_a_model_that_answers_is_made_the_default_for_every_process(
    in_database: Database, endpoint: Endpoint
) -> None:
    async with watched("127.0.0.1") as called:
        await gateway(called, endpoint.url)
        other = Models.from_environment({"OLLAMA_HOST": "127.0.0.1:1"})
        elsewhere = ConfigurationWatch(other, {}, Guard(allowed(["127.0.0.1"])))

        switched = await offers.switch(OPERATOR, called, model="offline/extractive")
        again = await offers.switch(OPERATOR, called, model="gateway/large")
        await offers.switch(OPERATOR, called, model="offline/extractive")
        await elsewhere.refresh()
        back = await offers.switch(OPERATOR, called, model=None)
        await other.close()

    audited = await in_database.pool.fetch("SELECT action FROM audit WHERE noun = 'default_model' ORDER BY seq")
    assert (switched.is_default, again.name, back.name) == (True, "gateway/large", "gateway/large")
    assert other.default == "offline/extractive"
    assert [row["action"] for row in audited] == ["insert", "update", "update", "delete"]


async def test_a_model_that_does_not_answer_is_not_switched_to(in_database: Database) -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    async with watched("127.0.0.1") as called:
        await gateway(called, url)
        with pytest.raises(
            Conflict, match=r"model 'gateway/large' does not answer: MODEL_ERROR: .* could not be reached"
        ):
            await offers.switch(OPERATOR, called, model="gateway/large")
        with pytest.raises(NotFound, match="there is no model 'gateway/lrge'; did you mean 'gateway/large'"):
            await offers.switch(OPERATOR, called, model="gateway/lrge")

    assert await in_database.pool.fetchval("SELECT count(*) FROM default_model") == 0


async def test_a_call_costs_what_the_price_of_its_time_says(in_database: Database, endpoint: Endpoint) -> None:
    async with watched("127.0.0.1") as called:
        await gateway(called, endpoint.url)
        price = NewPrice(input="0.1", output="0.5")
        costs = [(await called.complete(LARGE, asking())).usage.cost_usd]
        set_ = await models.set_price(OPERATOR, model="gateway/large", price=price)
        await in_database.pool.execute(
            "INSERT INTO model_price (model, valid_from, input, output, created_by) "
            "VALUES ('gateway/large', now() + interval '1 day', 9, 9, 'anna')"
        )
        await watch.refresh()
        costs.append((await called.complete(LARGE, asking())).usage.cost_usd)
        corrected = await models.set_price(
            OPERATOR, model="gateway/large", price=NewPrice(input="0.2", output="0.5"), valid_from=set_.valid_from
        )
        costs.append((await called.complete(LARGE, asking())).usage.cost_usd)
        shown = await offers.get(OPERATOR, called, model="gateway/large")

    assert costs == [None, Decimal("0.0002"), Decimal("0.0003")]
    assert shown.price is not None and shown.price.version == f"row:{corrected.number}"
