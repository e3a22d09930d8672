"""The unmodified @trpc/client against our server."""

from pathlib import Path
from typing import Any

import pytest

from tests.node import run_script
from tests.rpc.conftest import Server
from tests.rpc.toy import decoded

PACKED = {
    "id": "00000000-0000-0000-0000-000000000007",
    "madeAt": "2026-01-02T03:04:05Z",
    "price": "1.50",
    "box": {
        "name": "b",
        "colour": "red",
        "holds": [{"kind": "circle", "radius": 1}, None],
        "inside": None,
        "labels": {},
    },
    "size": "m",
}


@pytest.fixture(scope="module")
def seen(server: Server) -> dict[str, Any]:
    """What the client saw, by the link it used."""
    return decoded(run_script(Path(__file__).parent / "client.mjs", env={"TRPC_URL": server.url}))


@pytest.mark.parametrize("link", ["single", "batch", "override"])
def test_every_link_gets_what_the_procedures_return(seen: dict[str, Any], link: str) -> None:
    answers = {name: value for name, value in seen[link].items() if name != "errors"}

    assert answers == {
        "health": {"ok": True},
        "text": {"text": 'ä "b" +&%2C'},
        "pong": "pong",
        "changed": {"text": "x"},
        "nothing": None,
        "missing": True,
        "packed": PACKED,
        "optional": ["hello nobody from us", "hello nobody from me"],
    }


@pytest.mark.parametrize("link", ["single", "batch", "override"])
def test_every_link_tells_errors_with_their_data(seen: dict[str, Any], link: str) -> None:
    fail, limited, unknown, refused = seen[link]["errors"]

    assert fail == {
        "message": "nope",
        "code": -32003,
        "data": {"code": "FORBIDDEN", "httpStatus": 403, "path": "fail"},
    }
    assert limited["data"] == {"code": "TOO_MANY_REQUESTS", "httpStatus": 429, "path": "limited", "limit": 10}
    assert unknown["message"] == 'No procedure found on path "nope"'
    assert refused["data"]["problems"][0] == {
        "code": "UNKNOWN_FIELD",
        "path": "/txet",
        "message": "there is no field `txet` here",
        "allowed": ["text"],
        "suggestion": "text",
    }


def test_a_mutation_called_as_a_query_is_refused(seen: dict[str, Any]) -> None:
    assert seen["wrongKind"] == {
        "message": 'Unsupported GET-request to mutation procedure at path "ping"',
        "code": -32005,
        "data": {"code": "METHOD_NOT_SUPPORTED", "httpStatus": 405, "path": "ping"},
    }


def test_calls_of_one_tick_travel_together(seen: dict[str, Any]) -> None:
    assert seen["batched"] == {
        "requests": ["GET /trpc/health,fail", "POST /trpc/ping"],
        "settled": ["fulfilled", "rejected", "fulfilled"],
    }


def test_method_override_sends_queries_by_post(seen: dict[str, Any]) -> None:
    assert seen["posted"]["requests"] == ["POST /trpc/health,fail", "POST /trpc/ping"]


def test_headers_reach_the_context(seen: dict[str, Any]) -> None:
    assert seen["token"] == "hello Ada from us"
    assert seen["expired"]["data"] == {"code": "UNAUTHORIZED", "httpStatus": 401, "path": "health"}


def test_a_refused_request_rejects_each_of_its_calls(seen: dict[str, Any]) -> None:
    assert [error["message"] for error in seen["tooMany"]] == ["Batch call exceeds maximum size"] * 21


def test_a_body_over_the_limit_is_told_to_the_client(seen: dict[str, Any]) -> None:
    assert seen["tooLarge"]["data"] == {
        "code": "PAYLOAD_TOO_LARGE",
        "httpStatus": 413,
        "path": "echoMut",
        "maxBytes": 1024 * 1024,
    }
