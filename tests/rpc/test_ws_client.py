"""The unmodified wsLink, of the newest client and of an older one, against our sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node import run_script
from tests.rpc.sockets import SEEN, Serving, app_with, serving
from tests.rpc.toy import decoded

CLIENTS = {"11.25": "@trpc/client", "11.4": "trpc-client-11-4"}


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    """Sockets and requests, on one port."""
    with serving(app_with()) as serving_:
        yield serving_


@pytest.fixture(scope="module", params=CLIENTS.values(), ids=CLIENTS)
def seen(server: Serving, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a client saw."""
    SEEN.revoked.add("Revoked")
    http = server.url.replace("ws:", "http:")
    script = Path(__file__).parent / "sockets.mjs"
    return decoded(run_script(script, env={"CLIENT": request.param, "WS_URL": server.url, "HTTP_URL": http}))


def test_calls_are_answered(seen: dict[str, Any]) -> None:
    assert seen["calls"]["answers"] == [
        {"ok": True},
        {"text": 'ä "b"'},
        "pong",
        {"text": "x"},
        None,
        True,
        {"large": str(2**60), "small": 1, "not": None, "text": f"[{2**60}]"},
    ]
    assert seen["calls"]["seen"]["opened"] == 1


def test_errors_are_told_with_their_data(seen: dict[str, Any]) -> None:
    told = [(error["data"]["code"], error["data"]["path"], error["message"]) for error in seen["calls"]["errors"]]

    assert told == [
        ("FORBIDDEN", "fail", "nope"),
        ("NOT_FOUND", "nope", 'No "query"-procedure on path "nope"'),
        ("NOT_FOUND", "ping", 'No "query"-procedure on path "ping"'),
        (
            "BAD_REQUEST",
            "echo",
            "/txet: there is no field `txet` here (did you mean `text`? accepted: text); input: `text` is missing",
        ),
        ("BAD_REQUEST", "echo", "the input is not JSON: Input data was truncated"),
        (
            "UNSUPPORTED_MEDIA_TYPE",
            "stream",
            "Cannot return an async iterable from a query procedure with WebSockets - use httpBatchStreamLink",
        ),
    ]


def test_as_many_calls_as_a_tick_has_travel_together(seen: dict[str, Any]) -> None:
    assert seen["calls"]["many"] == 100


def test_subscriptions_say_what_they_have(seen: dict[str, Any]) -> None:
    said = seen["subscriptions"]

    def ticks(*numbers: int) -> list[Any]:
        return ["started", *({"id": str(it), "data": {"tick": it}} for it in numbers), "complete"]

    assert said["tracked"] == ticks(1, 2, 3)
    assert said["resumed"] == ticks(8)
    assert said["untracked"] == ["started", 0, 1, 2, "complete"]
    assert said["mixed"] == ["started", "before", {"id": "1", "data": 1}, "after", "complete"]


def test_subscriptions_end_by_errors(seen: dict[str, Any]) -> None:
    said = seen["subscriptions"]

    assert said["refused"][:2] == ["started", 1]
    assert [lines[-1]["data"]["code"] for lines in (said["refused"], said["invalid"], said["unknown"])] == [
        "FORBIDDEN",
        "BAD_REQUEST",
        "NOT_FOUND",
    ]


def test_subscriptions_can_be_stopped_and_asked_for_again(seen: dict[str, Any]) -> None:
    assert seen["subscriptions"]["stopped"][:2] == ["started", 1]
    assert seen["subscriptions"]["again"][:2] == ["started", 1]


def test_a_socket_for_subscriptions_stands_beside_requests(seen: dict[str, Any]) -> None:
    assert seen["split"] == [{"ok": True}, ["started", 0, "complete"]]


def test_a_lazy_socket_is_opened_when_it_is_needed(seen: dict[str, Any]) -> None:
    assert seen["lazy"] == {"before": 0, "health": {"ok": True}, "after": 1, "again": {"ok": True}}


def test_the_clients_own_pings_are_answered(seen: dict[str, Any]) -> None:
    assert seen["kept"] == 1


def test_callers_show_who_they_are_by_parameters_or_headers(seen: dict[str, Any]) -> None:
    assert seen["shown"] == ["Ada", "nobody", "Grace"]


def test_a_client_that_was_refused_comes_back_with_other_parameters(seen: dict[str, Any]) -> None:
    assert seen["refused"]["first"]["data"]["code"] == "UNAUTHORIZED"
    assert seen["refused"]["second"] == "Ada"


def test_a_client_whose_token_has_ended_shows_the_next_one(seen: dict[str, Any]) -> None:
    assert seen["renewed"] == {
        "first": "UNAUTHORIZED",
        "second": "Ada",
        "other": ["started", 0, 1, 2, "complete"],
    }
