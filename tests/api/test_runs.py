"""Orchestrations as procedures: found by their names when they are called, waited for, and told apart."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from services import executions, orchestrations, procedure_names, tokens
from services.caller import OPERATOR
from services.errors import StillRunning
from services.runs import run, runnable
from tests.api.client import Api, Reply
from tests.api.documents import quoting

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING = [
    {"name": "Fine", "kind": "transform", "inputMapping": {"one": 1}},
    {"name": "Refuse", "kind": "fail", "code": "TOO_SAD", "message": "no poem today"},
]
WAITING = [{"name": "Rest", "kind": "wait", "forMs": 3_600_000}]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def known(api: Api) -> None:
    """What there is to run."""
    output = {"said": "<<context.Quote.said>>"}
    for document in (
        quoting("quote-it", output=output),
        {"name": "Fail Always", "steps": FAILING},
        {"name": "slow", "steps": WAITING},
        {"name": "twice it", "steps": FAILING},
        {"name": "twice-it", "steps": FAILING},
        {"name": "switched off", "steps": FAILING},
        {"name": "then", "steps": [FAILING[0]]},
    ):
        await orchestrations.create(OPERATOR, document=document)
    await orchestrations.update(OPERATOR, orchestration="switched off", is_active=False)


async def call(api: Api, name: str, input: Any, **headers: str) -> Reply:
    body = b"" if input is msgspec.UNSET else msgspec.json.encode(input)
    given = {"content_type": "application/json", "authorization": f"Bearer {api.token}", **headers}
    return await api.ask("POST", f"/trpc/run.{name}", body, **given)


async def test_a_call_answers_with_the_output(api: Api) -> None:
    reply = await call(api, "quoteIt", {"topic": "ink"})

    assert (reply.status, reply.body) == (200, {"result": {"data": {"said": "ink"}}})


async def test_an_input_that_does_not_fit_is_refused_where_it_is_wrong(api: Api) -> None:
    before = await api.rows()

    reply = await call(api, "quoteIt", {"topic": 7})

    assert reply.refusal[:2] == (400, "BAD_REQUEST")
    assert reply.error["data"]["problems"][0]["path"] == "/topic"
    assert await api.rows() == before


async def test_a_failed_execution_is_an_error_that_says_where_and_why(api: Api) -> None:
    reply = await call(api, "failAlways", msgspec.UNSET)

    data = reply.error["data"]
    assert reply.refusal[:2] == (422, "UNPROCESSABLE_CONTENT")
    assert reply.error["message"].endswith("of 'Fail Always' failed at the step Refuse: TOO_SAD: no poem today")
    assert (data["failure"]["code"], data["step"], data["path"]) == ("TOO_SAD", "Refuse", "run.failAlways")
    assert (await executions.get(OPERATOR, execution=UUID(data["executionId"]))).status == "failed"


async def test_whoever_waits_for_what_is_cancelled_is_told(api: Api) -> None:
    waiting = asyncio.create_task(call(api, "slow", {}, idempotency_key="cancelled"))
    execution = await started(api, "cancelled")

    await executions.cancel(OPERATOR, execution=execution)

    reply = await waiting
    assert reply.refusal == (422, "UNPROCESSABLE_CONTENT", f"execution {str(execution)!r} of 'slow' was cancelled")
    assert reply.error["data"]["executionId"] == str(execution)


async def test_whoever_leaves_does_not_cancel_it(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /trpc/run.slow HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {api.token}\r\nidempotency-key: left\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    execution = await started(api, "left")

    writer.close()
    await writer.wait_closed()

    assert await reader.read() == b""
    assert (await executions.get(OPERATOR, execution=execution)).status == "waiting"


async def test_one_key_starts_one_execution_and_every_call_gets_its_output(api: Api) -> None:
    replies = [await call(api, "quoteIt", {"topic": "once"}, idempotency_key="once") for _ in range(2)]
    other = await call(api, "quoteIt", {"topic": "other"}, idempotency_key="once")

    assert [reply.data for reply in replies] == [{"said": "once"}] * 2
    count = "SELECT count(*) FROM execution WHERE idempotency_key = 'once'"
    assert await api.runtime.database.pool.fetchval(count) == 1
    assert other.refusal[:2] == (409, "CONFLICT")


@pytest.mark.parametrize("length", [0, 201])
async def test_a_key_is_as_long_as_elsewhere(api: Api, length: int) -> None:
    reply = await call(api, "quoteIt", {"topic": "x"}, idempotency_key="k" * length)

    assert reply.refusal == (400, "BAD_REQUEST", f"an idempotency key has 1 to 200 characters, not {length}")


async def test_nobody_waits_longer_than_the_limit(api: Api) -> None:
    with pytest.raises(StillRunning, match=r"is waiting after 0\.2 seconds and goes on") as refused:
        await run(OPERATOR, procedure="slow", input=None, wait_seconds=0.2)

    assert (await executions.get(OPERATOR, execution=refused.value.execution)).status == "waiting"


@pytest.mark.parametrize("name", ["nothing", "QuoteIt", "quote_it", "quoteit", "quote", "switchedoff", "x" * 2_000])
async def test_another_name_is_not_found(api: Api, name: str) -> None:
    reply = await call(api, name, {"topic": "x"})

    assert reply.refusal[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("name", ["", "a.b", "1st", "quote-it", "__proto__.x", "größe"])
async def test_what_is_no_name_is_no_procedure(api: Api, name: str) -> None:
    reply = await api.post(f"run.{name.encode().decode('latin-1') if name.isascii() else 'gr%C3%B6%C3%9Fe'}", b"{}")

    assert (reply.refusal[:2], reply.error["message"][:23]) == ((404, "NOT_FOUND"), "No procedure found on p")


async def test_two_that_would_be_called_alike_are_both_refused(api: Api) -> None:
    reply = await call(api, "twiceIt", {})

    assert reply.refusal == (
        409,
        "CONFLICT",
        "procedure 'run.twiceIt' could be any of 'twice it', 'twice-it';"
        " this needs all but one of them renamed or inactive",
    )


async def test_of_two_that_are_called_alike_the_active_one_is_run(api: Api) -> None:
    await orchestrations.update(OPERATOR, orchestration="twice-it", is_active=False)

    reply = await call(api, "twiceIt", {})

    await orchestrations.update(OPERATOR, orchestration="twice-it", is_active=True)
    assert "of 'twice it' failed" in reply.error["message"]


async def test_an_inactive_one_says_so(api: Api) -> None:
    reply = await call(api, "switchedOff", {})

    assert reply.refusal == (
        409,
        "CONFLICT",
        "orchestration 'switched off' is inactive; this needs an active one; update it with isActive: true",
    )


async def test_a_name_that_clients_cannot_call_has_another(api: Api) -> None:
    assert (await call(api, "then_", {})).data == {"Fine": {"one": 1}, "input": {}}
    assert (await call(api, "then", {})).status == 404


async def test_the_policy_is_that_of_starting(api: Api) -> None:
    reader = await tokens.create(OPERATOR, name="run reader", scopes=("orchestrations.read",))
    before = await api.rows()

    stranger = await api.call("run.quoteIt", {"topic": "x"}, token="")
    reply = await api.call("run.quoteIt", {"topic": "x"}, token=reader.token)
    wrong = await api.ask("GET", "/trpc/run.quoteIt", authorization=f"Bearer {api.token}")

    assert stranger.status == 401
    assert reply.refusal == (
        403,
        "FORBIDDEN",
        "service 'run reader' holds orchestrations.read; this needs executions.run",
    )
    assert wrong.refusal[:2] == (405, "METHOD_NOT_SUPPORTED")
    assert await api.rows() == before


async def test_what_can_be_run_is_listed_with_its_schemas(api: Api) -> None:
    found = {each.procedure: each for each in await runnable(OPERATOR)}

    assert found.keys() == {"failAlways", "quoteIt", "slow", "then_"}
    assert (found["quoteIt"].orchestration, found["quoteIt"].version, found["quoteIt"].needs_input) == (
        "quote-it",
        1,
        True,
    )
    assert found["quoteIt"].input_schema == quoting("quote-it")["input"]
    assert (found["slow"].input_schema, found["slow"].output_schema, found["slow"].needs_input) == (True, True, False)


async def test_the_procedure_of_a_name_is_looked_up_by_an_index(api: Api) -> None:
    names = ["research-brief", "URL check", "a", "Then", "x_1.y-2 z"]
    rows = await api.runtime.database.pool.fetch(
        "SELECT translate(lower(name COLLATE \"C\"), ' _.-', '') AS letters FROM unnest($1::varchar[]) AS name", names
    )

    found = [procedure_names.letters(procedure_names.procedure_name(name)) for name in names]
    assert [row["letters"] for row in rows] == found
    async with api.runtime.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        (plan,) = await connection.fetchrow(
            "EXPLAIN (FORMAT JSON) SELECT id FROM orchestration"
            " WHERE translate(lower(name COLLATE \"C\"), ' _.-', '') = 'quoteit'"
        )
    assert "orchestration__by_letters" in plan


async def started(api: Api, key: str) -> UUID:
    """The execution that a call with this key has started, once it waits; the test's own time limit ends the wait."""
    while True:
        row = await api.runtime.database.pool.fetchrow(
            "SELECT id FROM execution WHERE idempotency_key = $1 AND status = 'waiting'", key
        )
        if row is not None:
            return row["id"]
