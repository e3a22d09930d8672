"""What stands beside the RPC endpoint: the front page, the health check, the documents, and a clear no."""

from typing import Any

import msgspec
import pytest

from api import generate
from tests.api.client import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACES = ["/", "/admin", "/docs", "/health", "/openapi.json", "/router.ts", "/session", "/trpc/<procedure>"]


async def test_the_front_page_says_what_this_is_and_where_things_are(api: Api) -> None:
    reply = await api.ask("GET", "/")

    assert reply.status == 200
    assert (reply.body["name"], reply.body["health"], reply.body["procedures"]) == (
        "Rolecall",
        "/health",
        "/docs for people, /openapi.json for programs",
    )


async def test_a_load_balancer_is_told_the_same_as_a_client(api: Api) -> None:
    for_balancers = await api.ask("GET", "/health")
    for_clients = await api.call("system.health", token="")

    assert for_balancers.status == 200
    assert for_balancers.body == for_clients.data


async def test_a_load_balancer_may_ask_with_head(api: Api) -> None:
    reply = await api.ask("HEAD", "/health")

    assert (reply.status, reply.body) == (200, None)


async def test_the_document_that_is_served_is_the_one_in_the_tree(api: Api) -> None:
    reply = await api.ask("GET", "/openapi.json")

    assert reply.headers["content-type"] == "application/json"
    assert reply.body == msgspec.json.decode((generate.FOLDER / "openapi.json").read_bytes())


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nowhere", 404, "Not Found: GET /nowhere"),
        ("GET", "/schema", 404, "Not Found: GET /schema"),
        ("GET", "/health/deep", 404, "Not Found: GET /health/deep"),
        ("POST", "/", 405, "Method Not Allowed: POST /"),
        ("DELETE", "/health", 405, "Method Not Allowed: DELETE /health"),
    ],
)
async def test_everything_else_is_a_clear_no(api: Api, method: str, path: str, status: int, message: str) -> None:
    reply = await api.ask(method, path)

    expected: dict[str, Any] = {"error": {"message": message, "status": status, "places": PLACES}}
    assert (reply.status, reply.body) == (status, expected)


@pytest.mark.parametrize("path", ["/trpc", "/trpc/", "/trpc/nothing", "/trpc/role", "/trpcx", "/trpc/__proto__"])
async def test_an_unknown_procedure_is_refused_in_the_envelope(api: Api, path: str) -> None:
    reply = await api.ask("GET", path)

    status, code, message = reply.refusal
    assert (status, code) == (404, "NOT_FOUND")
    assert message.startswith("No procedure found on path")


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("GET", {}, 405, "METHOD_NOT_SUPPORTED"),
        ("PUT", {"content_type": "application/json"}, 405, "METHOD_NOT_SUPPORTED"),
        ("POST", {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_a_mutation_is_a_post_of_json(
    api: Api, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    before = await api.rows()

    reply = await api.ask(method, "/trpc/role.create", b"{}", authorization=f"Bearer {api.token}", **headers)

    assert reply.refusal[:2] == (status, code)
    assert await api.rows() == before
