"""Sockets of the whole product: who calls, and for how long."""

import asyncio
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from services import tokens
from services.caller import OPERATOR
from tests.api.client import Api

WAITING: Any = {"name": "waiting-for-ever", "steps": [{"name": "Nap", "kind": "wait", "forMs": 3_600_000}]}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("client", ["@trpc/client", "trpc-client-11-4"])
async def test_a_caller_is_known_by_its_header_or_its_parameters(api: Api, client: str) -> None:
    (said,) = await api.node("sockets.mjs", CLIENT=client)

    assert said == {
        "header": "tester",
        "token": "tester",
        "authorization": "tester",
        "wrong": "UNAUTHORIZED",
        "nobody": ["UNAUTHORIZED", "ok"],
        "written": f"By socket of {client.replace('@', '').replace('/', '')}",
    }


async def test_a_token_that_is_revoked_is_of_no_use_on_a_socket_that_is_open(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="short-lived", scopes=("roles.read",))
    async with connect(_url(api), additional_headers={"Authorization": f"Bearer {made.token}"}) as socket:
        before = await _answer(socket, "role.list")
        await tokens.revoke(OPERATOR, token="short-lived")
        after = await _answer(socket, "role.list")

        assert "result" in before
        assert after["error"]["data"]["code"] == "UNAUTHORIZED"
        assert await _heard(socket) == {"id": None, "method": "reconnect"}
        assert "result" in await _answer(socket, "system.health")


async def test_scopes_are_asked_for_as_they_are_over_requests(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="reader", scopes=("roles.read",))
    async with connect(f"{_url(api)}?connectionParams=1") as socket:
        await _say(socket, {"method": "connectionParams", "data": {"token": made.token}})
        refused = await _answer(socket, "role.create", "mutation", {"name": "x", "basePrompt": "y"})

    over_http = await api.call("role.create", {"name": "x", "basePrompt": "y"}, token=made.token)
    assert refused["error"] == over_http.error


async def test_no_caller_is_looked_up_for_what_is_public(api: Api) -> None:
    async with api.runtime.database.pool.acquire() as connection, connect(_url(api)) as socket:
        # Whoever looks up a token now waits for this.
        await connection.execute("BEGIN; LOCK token IN ACCESS EXCLUSIVE MODE")
        try:
            answer = await asyncio.wait_for(_answer(socket, "system.health"), 10)
        finally:
            await connection.execute("ROLLBACK")

    assert "result" in answer


def _url(api: Api) -> str:
    return api.url.replace("http", "ws")


async def _answer(socket: ClientConnection, path: str, method: str = "query", input: Any = None) -> Any:
    params = {"path": path} if input is None else {"path": path, "input": input}
    await _say(socket, {"id": 1, "method": method, "params": params})
    return await _heard(socket)


async def _say(socket: ClientConnection, message: Any) -> None:
    await socket.send(msgspec.json.encode(message).decode())


async def _heard(socket: ClientConnection) -> Any:
    return msgspec.json.decode(await asyncio.wait_for(socket.recv(), 10))


async def test_whoever_follows_is_told_that_its_token_is_revoked(api: Api) -> None:
    made = await tokens.create(OPERATOR, name="follower", scopes=("executions.read",))
    await api.call("orchestration.create", {"document": WAITING})
    execution = (await api.call("execution.start", {"orchestration": "waiting-for-ever"})).data["id"]
    async with connect(_url(api), additional_headers={"Authorization": f"Bearer {made.token}"}) as socket:
        await _say(
            socket,
            {
                "id": 1,
                "method": "subscription",
                "params": {"path": "execution.follow", "input": {"execution": execution}},
            },
        )
        heard = [await _heard(socket), await _heard(socket)]
        await tokens.revoke(OPERATOR, token="follower")
        while heard[-1].get("method") != "reconnect":
            heard.append(await _heard(socket))

    assert heard[0] == {"id": 1, "result": {"type": "started"}}
    assert heard[1]["result"]["id"] == "1"
    refused, stopped, _ = heard[-3:]
    assert refused["error"]["data"]["code"] == "UNAUTHORIZED"
    assert stopped == {"id": 1, "result": {"type": "stopped"}}
