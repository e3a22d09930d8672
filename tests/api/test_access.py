"""Who may call what: for every procedure there is, with and without a token, with and without scopes."""

import asyncio

import pytest

from api.policy import Public
from api.root import router
from services import tokens
from services.caller import OPERATOR
from tests.api.client import Api
from tests.api.inputs import smallest_input

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOR_ANYBODY = {"system.health"}
FOR_ANY_CALLER = {"system.health", "system.whoami"}
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'token'::regclass AND NOT granted"


async def test_only_health_is_public() -> None:
    assert {name for name, procedure in router if isinstance(procedure.meta, Public)} == FOR_ANYBODY


@pytest.mark.parametrize("name", [name for name, _ in router if name not in FOR_ANYBODY])
async def test_without_a_token_nobody_is_let_in(api: Api, name: str) -> None:
    procedure = router.procedures[name]
    before = await api.rows()

    reply = await api.call(name, smallest_input(procedure), token="")

    assert reply.refusal == (
        401,
        "UNAUTHORIZED",
        "no token was sent; send the header `Authorization: Bearer <token>`",
    )
    # The head of a subscription is sent before anything is known.
    if procedure.kind != "subscription":
        assert reply.headers["www-authenticate"] == 'Bearer realm="rolecall"'
    assert await api.rows() == before


@pytest.mark.parametrize("name", [name for name, _ in router if name not in FOR_ANYBODY])
async def test_a_stranger_is_refused_before_the_input_is_read(api: Api, name: str) -> None:
    reply = await api.post(name, b"{broken", token="")

    assert reply.status == 401


async def test_without_scopes_everything_but_whoami_is_forbidden(api: Api) -> None:
    powerless = await tokens.create(OPERATOR, name="powerless", scopes=())
    before = await api.rows()

    replies = {
        name: await api.call(name, smallest_input(procedure), token=powerless.token) for name, procedure in router
    }

    statuses = {name: reply.status for name, reply in replies.items()}
    assert statuses == {name: 200 if name in FOR_ANY_CALLER else 403 for name, _ in router}
    assert await api.rows() == before


async def test_a_missing_scope_is_named(api: Api) -> None:
    reader = await tokens.create(OPERATOR, name="reader", scopes=("roles.read",))

    reply = await api.call("role.delete", {"role": "Critic"}, token=reader.token)

    assert reply.refusal == (403, "FORBIDDEN", "service 'reader' holds roles.read; this needs roles.write")


async def test_whoami_says_what_the_token_stands_for(api: Api) -> None:
    agent = await tokens.create(OPERATOR, name="scout", scopes=("executions.run", "roles.read"), kind="agent")

    reply = await api.call("system.whoami", token=agent.token)

    assert reply.data == {"kind": "agent", "name": "scout", "scopes": ["roles.read", "executions.run"]}


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "rc_abcdefgh", "Bearer a b", "Bearer Bearer x"])
async def test_a_malformed_header_says_how_it_should_read(api: Api, header: str) -> None:
    reply = await api.ask("GET", "/trpc/system.whoami", authorization=header)

    assert reply.refusal == (
        401,
        "UNAUTHORIZED",
        "the Authorization header is malformed; it should read `Bearer <token>`",
    )


async def test_the_word_bearer_may_be_written_in_any_case(api: Api) -> None:
    reply = await api.ask("GET", "/trpc/system.whoami", authorization=f"bearer  {api.token}")

    assert reply.data["name"] == "tester"


async def test_health_answers_also_to_a_wrong_token(api: Api) -> None:
    reply = await api.call("system.health", token="rc_wrong")

    assert reply.status == 200


async def test_health_does_not_wait_for_the_token_to_be_looked_up(api: Api) -> None:
    async with api.runtime.database.pool.acquire() as holder, holder.transaction():
        await holder.execute("LOCK TABLE token")

        asked = asyncio.create_task(api.call("system.health", token=api.token))
        while not asked.done():
            assert not await holder.fetchval(WAITING)

    assert (asked.result().status, asked.result().data["database"]) == (200, "up")


async def test_in_a_batch_each_call_has_its_own_answer(api: Api) -> None:
    reply = await api.ask("GET", "/trpc/system.health,system.whoami?batch=1")

    health, whoami = reply.body
    assert (reply.status, health["result"]["data"]["status"]) == (207, "ok")
    assert whoami["error"]["data"] == {"code": "UNAUTHORIZED", "httpStatus": 401, "path": "system.whoami"}
