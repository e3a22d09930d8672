"""Sockets over the wire, text by text."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import reduce
from typing import Any

import pytest
from msgspec import UNSET
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.rpc import MAX_MESSAGE_BYTES, SocketLimits
from tests.rpc.sockets import ORIGIN, PATIENCE_SECONDS, SEEN, Client, Serving, app_with, call, serving, stop
from tests.rpc.toy import RENDEZVOUS

ASKED_TO_MOVE = '{"id":null,"method":"reconnect"}'


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    """Sockets as the product limits them."""
    with serving(app_with()) as serving_:
        yield serving_


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    """Each test waits for what happens in it alone."""
    for event in (SEEN.begun, SEEN.ended, SEEN.let_go, RENDEZVOUS.started, RENDEZVOUS.cancelled):
        event.clear()
    SEEN.revoked.clear()
    SEEN.contexts.clear()
    SEEN.made = 0


@pytest.fixture
def client(server: Serving) -> Iterator[Client]:
    """A socket of its own."""
    with server.client() as client:
        yield client


def error(id: Any, message: str, code: int, name: str, status: int, path: str | None = None, **data: Any) -> Any:
    own: dict[str, Any] = {"code": name, "httpStatus": status}
    return {
        "id": id,
        "error": {"message": message, "code": code, "data": own | ({} if path is None else {"path": path}) | data},
    }


def data(ref: Any, value: Any = UNSET, /, **more: Any) -> Any:
    return {"id": ref, "result": {"type": "data"} | ({} if value is UNSET else {"data": value}) | more}


def sign(id: Any, name: str) -> Any:
    return {"id": id, "result": {"type": name}}


NOT_A_QUERY = 'No "query"-procedure on path "{}"'
FORBIDDEN = (-32003, "FORBIDDEN", 403)
BAD_REQUEST = (-32600, "BAD_REQUEST", 400)
NOT_FOUND = (-32004, "NOT_FOUND", 404)

ANSWERS: dict[str, tuple[Any, list[Any]]] = {
    "a query": (call(1, "query", "health"), [data(1, {"ok": True})]),
    "a query with an input": (call("a", "query", "echo", {"text": "ü"}), [data("a", {"text": "ü"})]),
    "a mutation": (call(1.5, "mutation", "ping"), [data(1.5, "pong")]),
    "an array of one": ([call(1, "query", "health")], [data(1, {"ok": True})]),
    "null": (call(1, "query", "nothing"), [data(1, None)]),
    "undefined": (call(1, "query", "undefined"), [data(1)]),
    "an input for who takes none": (call(1, "query", "health", {"bad": 1}), [data(1, {"ok": True})]),
    "json-rpc": (
        call(1, "query", "health") | {"jsonrpc": "2.0"},
        [{"id": 1, "jsonrpc": "2.0", "result": {"type": "data", "data": {"ok": True}}}],
    ),
    "json-rpc refused": (
        call(1, "query", "fail") | {"jsonrpc": "2.0"},
        [{**error(1, "nope", *FORBIDDEN, "fail"), "jsonrpc": "2.0"}],
    ),
    "a refusal": (call(1, "query", "fail"), [error(1, "nope", *FORBIDDEN, "fail")]),
    "a name that is near": (
        call(1, "query", "heath"),
        [error(1, NOT_A_QUERY.format("heath"), *NOT_FOUND, "heath", suggestion="health")],
    ),
    "no name at all": (call(1, "query", ""), [error(1, NOT_A_QUERY.format(""), *NOT_FOUND, "")]),
    "another kind": (call(1, "query", "ping"), [error(1, NOT_A_QUERY.format("ping"), *NOT_FOUND, "ping")]),
    "a subscription asked for once": (
        call(1, "query", "ticks", {"count": 1}),
        [error(1, NOT_A_QUERY.format("ticks"), *NOT_FOUND, "ticks")],
    ),
    "a query subscribed to": (
        call(1, "subscription", "health"),
        [error(1, 'No "subscription"-procedure on path "health"', *NOT_FOUND, "health")],
    ),
    "a stream": (
        call(1, "query", "stream"),
        [
            error(
                1,
                "Cannot return an async iterable from a query procedure with WebSockets - use httpBatchStreamLink",
                *(-32015, "UNSUPPORTED_MEDIA_TYPE", 415),
                "stream",
            )
        ],
    ),
    "a form": (
        call(1, "mutation", "form", {"name": "x"}),
        [
            error(
                1,
                "Cannot take multipart/form-data over WebSockets, which carry JSON - use httpLink",
                *(-32015, "UNSUPPORTED_MEDIA_TYPE", 415),
                "form",
            )
        ],
    ),
    "tracked items": (
        call(2, "subscription", "ticks", {"count": 2}),
        [
            sign(2, "started"),
            data(2, {"id": "1", "data": {"tick": 1}}, id="1"),
            data(2, {"id": "2", "data": {"tick": 2}}, id="2"),
            sign(2, "stopped"),
        ],
    ),
    "tracked items behind the last": (
        call(2, "subscription", "ticks", {"count": 1}, lastEventId="7"),
        [sign(2, "started"), data(2, {"id": "8", "data": {"tick": 8}}, id="8"), sign(2, "stopped")],
    ),
    "the last item in the input": (
        call(2, "subscription", "ticks", {"count": 1, "lastEventId": "3"}),
        [sign(2, "started"), data(2, {"id": "4", "data": {"tick": 4}}, id="4"), sign(2, "stopped")],
    ),
    "a last item for who cannot go on": (
        call(2, "subscription", "numbers", {"count": 1}, lastEventId="7"),
        [sign(2, "started"), data(2, 0), sign(2, "stopped")],
    ),
    "untracked items": (
        call(2, "subscription", "numbers", {"count": 2}),
        [sign(2, "started"), data(2, 0), data(2, 1), sign(2, "stopped")],
    ),
    "no items": (call(2, "subscription", "numbers", {"count": 0}), [sign(2, "started"), sign(2, "stopped")]),
    "an item that is undefined": (
        call(2, "subscription", "gap"),
        [sign(2, "started"), data(2), sign(2, "stopped")],
    ),
    "untracked items keep the place": (
        call(2, "subscription", "mixed"),
        [
            sign(2, "started"),
            data(2, "before"),
            data(2, {"id": "1", "data": 1}, id="1"),
            data(2, "after", id="1"),
            sign(2, "stopped"),
        ],
    ),
    "untracked items keep the place that was given": (
        call(2, "subscription", "mixed", lastEventId="0"),
        [
            sign(2, "started"),
            data(2, "before", id="0"),
            data(2, {"id": "1", "data": 1}, id="1"),
            data(2, "after", id="1"),
            sign(2, "stopped"),
        ],
    ),
    "a refusal among the items": (
        call(2, "subscription", "fails"),
        [sign(2, "started"), data(2, 1), error(2, "stop it", *FORBIDDEN, "fails"), sign(2, "stopped")],
    ),
    "a subscription without its input": (
        call(2, "subscription", "ticks"),
        [
            error(
                2,
                "input: `count` is missing",
                *BAD_REQUEST,
                "ticks",
                problems=[{"code": "REQUIRED", "path": "", "message": "`count` is missing", "allowed": ["count"]}],
            )
        ],
    ),
    "a stop of nothing": ([stop(9), call(1, "query", "health")], [data(1, {"ok": True})]),
    "a batch that is refused and answered": (
        [call(None, "query", "health"), call(1, "query", "health")],
        [error(None, "`id` is required", -32700, "PARSE_ERROR", 400), data(1, {"ok": True})],
    ),
    "one id for two subscriptions": (
        [call(1, "subscription", "numbers", {"count": 1}), call(1, "subscription", "numbers", {"count": 1})],
        [
            error(1, "Duplicate id 1", *BAD_REQUEST, "numbers"),
            sign(1, "started"),
            data(1, 0),
            sign(1, "stopped"),
        ],
    ),
    "half a character": (
        '{"id":1,"method":"query","params":{"path":"echo","input":{"text":"\\ud83d"}}}',
        [error(1, "the input is not JSON: Input data was truncated", *BAD_REQUEST, "echo")],
    ),
    "an input too deep": (
        call(1, "query", "anything", {"value": reduce(lambda it, _: [it], range(70), 1)}),
        [error(1, "the input is nested more than 64 levels deep", *BAD_REQUEST, "anything")],
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_message_is_answered(client: Client, case: str) -> None:
    message, answers = ANSWERS[case]

    client.say(message)

    assert [client.heard() for _ in answers] == answers
    assert client.rest() == []


@pytest.mark.parametrize(
    ("message", "path", "before"),
    [
        (call(1, "query", "crash"), "crash", []),
        (call(1, "query", "unwritable"), "unwritable", []),
        (call(1, "subscription", "crashes"), "crashes", [sign(1, "started"), data(1, 1)]),
        (call(1, "subscription", "unwritableItems"), "unwritableItems", [sign(1, "started")]),
    ],
)
def test_a_mistake_of_ours_is_told_by_its_request_id_only(
    client: Client, caplog: pytest.LogCaptureFixture, message: Any, path: str, before: list[Any]
) -> None:
    client.say(message)

    assert [client.heard() for _ in before] == before
    told = client.heard()["error"]
    assert told["data"].pop("requestId") in caplog.text
    assert told == {
        "message": "something went wrong on our side; the request id finds it in our log",
        "code": -32603,
        "data": {"code": "INTERNAL_SERVER_ERROR", "httpStatus": 500, "path": path},
    }
    assert client.rest() == ([] if not before else ['{"id":1,"result":{"type":"stopped"}}'])


def test_answers_come_as_they_are_ready(client: Client) -> None:
    client.say(call(1, "mutation", "held"))
    client.say(call(2, "query", "health"))

    assert client.heard() == data(2, {"ok": True})
    SEEN.let_go.set()
    assert client.heard() == data(1, "let go")


def test_the_calls_of_a_message_run_side_by_side(client: Client) -> None:
    client.say([call(1, "query", "meet"), call(2, "query", "meet")])

    assert sorted(client.heard()["id"] for _ in range(2)) == [1, 2]


def test_ids_of_queries_may_repeat(client: Client) -> None:
    client.say([call(1, "query", "meet"), call(1, "query", "meet")])

    assert [client.heard() for _ in range(2)] == [data(1, "met")] * 2


def test_a_stop_cleans_up_and_frees_the_id(client: Client) -> None:
    for _ in range(2):
        client.say(call(1, "subscription", "endless"))
        assert [client.heard(), client.heard()] == [sign(1, "started"), data(1, 1)]

        client.say([stop("1"), stop(1), stop(1)])

        assert client.heard() == sign(1, "stopped")
        assert SEEN.ended.is_set()
        SEEN.ended.clear()
    assert client.rest() == []


def test_a_stop_in_the_same_message_comes_in_time(client: Client) -> None:
    client.say([call(1, "subscription", "endless"), stop(1)])

    *before, last = iter(client.heard, sign(1, "stopped")), sign(1, "stopped")
    assert data(1, 1) not in [text for some in before for text in some]
    assert last == sign(1, "stopped")
    assert client.rest() == []


def test_a_stop_succeeds_against_a_generator_that_resists(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.say(call(1, "subscription", "stubborn"))
    assert [client.heard(), client.heard()] == [sign(1, "started"), data(1, 1)]

    client.say(stop(1))

    assert list(iter(client.heard, sign(1, "stopped"))) in ([], [data(1, 2)])
    assert SEEN.ended.is_set()
    assert "while cleaning up" in caplog.text
    client.say(call(1, "query", "health"))
    assert client.heard() == data(1, {"ok": True})


def test_a_duplicate_leaves_the_first_alone(client: Client) -> None:
    client.say(call(1, "subscription", "endless"))
    assert [client.heard(), client.heard()] == [sign(1, "started"), data(1, 1)]

    client.say(call(1, "subscription", "numbers", {"count": 1}))

    assert client.heard() == error(1, "Duplicate id 1", *BAD_REQUEST, "numbers")
    assert not SEEN.ended.is_set()
    client.say(call(1, "query", "health"))
    assert client.heard() == data(1, {"ok": True})


def test_what_runs_on_a_socket_ends_with_it(server: Serving) -> None:
    with server.client() as client:
        client.say([call(1, "subscription", "endless"), call(2, "query", "wait")])
        assert SEEN.begun.wait(PATIENCE_SECONDS)
        assert RENDEZVOUS.started.wait(PATIENCE_SECONDS)

    assert SEEN.ended.wait(PATIENCE_SECONDS)
    assert RENDEZVOUS.cancelled.wait(PATIENCE_SECONDS)


def test_what_runs_on_a_socket_ends_with_its_connection(server: Serving) -> None:
    with server.client() as client:
        client.say([call(1, "subscription", "endless"), call(2, "query", "wait")])
        assert SEEN.begun.wait(PATIENCE_SECONDS)
        assert RENDEZVOUS.started.wait(PATIENCE_SECONDS)

        client.connection.socket.shutdown(socket.SHUT_RDWR)

        assert SEEN.ended.wait(PATIENCE_SECONDS)
        assert RENDEZVOUS.cancelled.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "message",
    ["{", "[1]", '{"id":true}', '{"id":1,"method":"nope"}', b"PING", b'{"id":1,"method":"query"}'],
)
def test_a_malformed_message_leaves_the_socket_open(client: Client, message: str | bytes) -> None:
    client.say(message)

    told = client.heard()
    assert (told["id"], told["error"]["code"]) == (None, -32700)
    assert told["error"]["message"].startswith("this is no message of tRPC: ")
    assert client.rest() == []


def test_pong_is_taken_note_of(client: Client) -> None:
    client.say("PONG")

    assert client.rest() == []


def test_text_that_is_not_utf_8_closes_the_socket(client: Client) -> None:
    client.connection.send(b"\xff", text=True)

    assert client.closed() == 1007


@pytest.mark.parametrize("is_in_pieces", [False, True])
def test_a_frame_beyond_the_limit_closes_the_socket(client: Client, is_in_pieces: bool) -> None:
    piece = "x" * (MAX_MESSAGE_BYTES // 4)

    with suppress(ConnectionClosed):  # before all of it was sent
        client.connection.send([piece] * 5 if is_in_pieces else piece * 5)

    # A connection that is still written to when it is closed may be reset, and the code be lost.
    assert client.closed() in (1009, 1006)


def test_an_input_beyond_the_limit_is_refused_and_its_neighbours_are_not(client: Client) -> None:
    limit = SocketLimits().max_input_bytes

    client.say([call(1, "query", "echo", {"text": "x" * limit}), call(2, "query", "health")])

    answers = [client.heard(), client.heard()]
    too_large = error(
        1, "PAYLOAD_TOO_LARGE", *(-32013, "PAYLOAD_TOO_LARGE", 413), "echo", maxBytes=limit
    )  # fmt: skip
    assert sorted(answers, key=lambda it: it["id"]) == [too_large, data(2, {"ok": True})]


def test_many_unknown_names_are_not_all_compared(client: Client) -> None:
    client.say([call(id, "query", "heath") for id in range(30)])

    suggested = [client.heard()["error"]["data"].get("suggestion") for _ in range(30)]
    assert suggested == ["health"] * 20 + [None] * 10


def test_more_calls_than_a_request_may_hold_come_in_one_message(client: Client) -> None:
    client.say([call(id, "query", "health") for id in range(200)])

    assert sorted(client.heard()["id"] for _ in range(200)) == list(range(200))


class TestLimits:
    @pytest.fixture
    def client(self) -> Iterator[Client]:
        """A socket that may do little."""
        limits = SocketLimits(max_batch=3, max_calls=1, max_subscriptions=1)
        with serving(app_with(limits)) as server, server.client() as client:
            yield client

    def test_a_batch_that_is_too_long_is_refused_call_by_call(self, client: Client) -> None:
        client.say([call(id, "query", "health") for id in range(3)] + [stop(9)])

        assert [client.heard() for _ in range(3)] == [
            error(id, "Batch call exceeds maximum size", *BAD_REQUEST, maxBatch=3) for id in range(3)
        ]
        assert client.rest() == []

    def test_too_many_calls_at_once_are_refused(self, client: Client) -> None:
        client.say([call(1, "mutation", "held"), call(2, "query", "health")])

        message = "this socket has 1 calls under way already"
        assert client.heard() == error(2, message, *(-32029, "TOO_MANY_REQUESTS", 429), "health", limit=1)
        SEEN.let_go.set()
        assert client.heard() == data(1, "let go")
        client.say(call(3, "query", "health"))
        assert client.heard() == data(3, {"ok": True})

    def test_too_many_subscriptions_at_once_are_refused(self, client: Client) -> None:
        client.say(call(1, "subscription", "endless"))
        assert [client.heard(), client.heard()] == [sign(1, "started"), data(1, 1)]
        client.say(call(2, "subscription", "endless"))

        message = "this socket has 1 subscriptions under way already"
        assert client.heard() == error(2, message, *(-32029, "TOO_MANY_REQUESTS", 429), "endless", limit=1)
        client.say(stop(1))
        assert client.heard() == sign(1, "stopped")
        client.say(call(2, "subscription", "numbers", {"count": 0}))
        assert [client.heard(), client.heard()] == [sign(2, "started"), sign(2, "stopped")]


class TestConnectionParams:
    def test_they_reach_the_context(self, server: Serving) -> None:
        with server.client("?connectionParams=1") as client:
            client.say("PING")
            client.say({"method": "connectionParams", "data": {"user": "Ada"}})
            client.say(call(1, "query", "who"))

            assert [client.hear(), client.heard()] == ["PONG", data(1, "Ada")]

    @pytest.mark.parametrize("query", ["", "?connectionParams=0", "?connectionParams=0&connectionParams=1"])
    def test_without_the_flag_they_are_no_message(self, server: Serving, query: str) -> None:
        with server.client(query) as client:
            client.say({"method": "connectionParams", "data": {"user": "Ada"}})
            client.say(call(1, "query", "who"))

            assert client.heard()["error"]["data"]["code"] == "PARSE_ERROR"
            assert client.heard() == data(1, "nobody")

    def test_null_is_none(self, server: Serving) -> None:
        with server.client("?connectionParams=1") as client:
            client.say({"method": "connectionParams", "data": None})
            client.say(call(1, "query", "who"))

            assert client.heard() == data(1, "nobody")

    @pytest.mark.parametrize(
        ("message", "told"),
        [
            ("{", "Malformed TRPCConnectionParamsMessage"),
            ([], "Malformed TRPCConnectionParamsMessage"),
            ({"method": "connectionParams", "data": {"user": 1}}, "Invalid connection params shape"),
            (call(1, "query", "health"), "Invalid connection params shape"),
        ],
    )
    def test_others_close_the_socket(self, server: Serving, message: Any, told: str) -> None:
        with server.client("?connectionParams=1") as client:
            client.say(message)

            assert client.heard() == error(None, told, -32700, "PARSE_ERROR", 400)
            assert client.closed() == 1008


class TestContexts:
    def test_each_message_has_one_and_knows_its_calls(self, client: Client) -> None:
        client.say([call(1, "query", "health"), call(2, "query", "nope"), call(3, "mutation", "ping")])
        client.say(call(4, "subscription", "numbers", {"count": 0}))
        heard = [client.heard() for _ in range(5)]

        assert len(heard) == 5
        assert [[it.path for it in info.calls] for info in SEEN.contexts] == [["health", "ping"], ["numbers"]]
        assert len({info.request_id for info in SEEN.contexts}) == 2

    def test_none_is_made_for_what_cannot_be_called(self, client: Client) -> None:
        client.say([call(1, "query", "nope"), call(2, "query", "stream"), stop(3)])

        assert {client.heard()["id"], client.heard()["id"]} == {1, 2}
        assert SEEN.contexts == []

    def test_one_that_is_refused_closes_the_socket_behind_an_answer_to_each(self, server: Serving) -> None:
        refused = ("the token has expired", -32001, "UNAUTHORIZED", 401)
        with server.client("?connectionParams=1") as client:
            client.say({"method": "connectionParams", "data": {"user": "expired"}})
            client.say([call(1, "query", "health"), call(2, "query", "nope"), call(3, "subscription", "endless")])

            assert [client.heard() for _ in range(4)] == [
                error(2, NOT_A_QUERY.format("nope"), *NOT_FOUND, "nope"),
                error(None, *refused),
                error(1, *refused, "health"),
                error(3, *refused, "endless"),
            ]
            assert client.closed() == 1008
        assert not SEEN.begun.is_set()

    def test_the_header_of_the_request_that_opened_the_socket_counts(self, server: Serving) -> None:
        with server.client(additional_headers={"Authorization": "Bearer Ada"}) as client:
            client.say(call(1, "query", "who"))

            assert client.heard() == data(1, "Ada")

    def test_the_guard_is_asked(self, server: Serving) -> None:
        with server.client(additional_headers={"Authorization": "Bearer guest"}) as client:
            client.say([call(1, "subscription", "packing"), call(2, "mutation", "box.pack")])

            assert [client.heard(), client.heard()] == [
                error(1, "guests do not pack", *FORBIDDEN, "packing"),
                error(2, "guests do not pack", *FORBIDDEN, "box.pack"),
            ]

    def test_a_client_whose_token_is_of_no_use_any_more_is_asked_once_to_open_another_socket(
        self, server: Serving
    ) -> None:
        with server.client(additional_headers={"Authorization": "Bearer Ada"}) as client:
            client.say([call(1, "query", "who"), call(2, "mutation", "held")])
            assert client.heard() == data(1, "Ada")

            SEEN.revoked.add("Ada")
            client.say(call(3, "query", "who"))

            assert client.heard() == error(3, "the token was revoked", -32001, "UNAUTHORIZED", 401, "who")
            SEEN.let_go.set()  # a call under way is answered first: an older client closes the socket at once
            assert [client.heard(), client.hear()] == [data(2, "let go"), ASKED_TO_MOVE]
            client.say(call(4, "query", "who"))
            assert client.heard()["id"] == 4
            assert client.rest() == []

    def test_so_is_one_whose_subscription_ends_by_that(self, server: Serving) -> None:
        with server.client(additional_headers={"Authorization": "Bearer Ada"}) as client:
            client.say(call(1, "subscription", "watched"))
            assert client.heard() == sign(1, "started")

            SEEN.revoked.add("Ada")

            *_, refused = iter(client.heard, sign(1, "stopped"))
            assert refused == error(1, "the token was revoked", -32001, "UNAUTHORIZED", 401, "watched")
            assert client.hear() == ASKED_TO_MOVE


class TestOrigins:
    def test_a_page_of_a_foreign_origin_opens_nothing(self, server: Serving) -> None:
        for origin in ("https://elsewhere.example", "null", f"http://127.0.0.1:{server.port + 1}", "http://[", ""):
            with pytest.raises(InvalidStatus) as refused, server.client(additional_headers={"Origin": origin}):
                pass
            assert refused.value.response.status_code == 403

    def test_allowed_pages_and_those_of_our_own_origin_do(self, server: Serving) -> None:
        for origin in (ORIGIN, f"http://127.0.0.1:{server.port}"):
            with server.client(origin=origin) as client:
                assert client.rest() == []


class TestSilence:
    def test_a_client_that_says_nothing_is_asked_and_then_dropped(self) -> None:
        with serving(app_with(SocketLimits(ping_seconds=0.02, pong_seconds=0.02))) as server, server.client() as client:
            assert client.hear() == "PING"
            with pytest.raises(ConnectionClosed):
                client.hear()

    def test_a_client_that_answers_is_kept(self) -> None:
        with serving(app_with(SocketLimits(ping_seconds=0.02, pong_seconds=10))) as server, server.client() as client:
            for _ in range(3):
                assert client.hear() == "PING"
                client.say("PONG")


class TestSlowReaders:
    def test_nothing_piles_up_for_a_client_that_does_not_read(self, server: Serving) -> None:
        count = 20_000
        with server.client() as slow, server.client() as quick:
            slow.say(call(1, "subscription", "chatter"))

            quick.say(call(1, "subscription", "numbers", {"count": count}))
            assert sum(1 for _ in iter(quick.heard, sign(1, "stopped"))) == count + 1

            # What the kernel's buffers and the client's own take; the fast socket has been served meanwhile.
            assert SEEN.made < 500

    def test_a_client_that_never_reads_is_dropped(self) -> None:
        with serving(app_with(SocketLimits(send_seconds=0.05))) as server, server.client() as slow:
            slow.say(call(1, "subscription", "chatter"))

            assert SEEN.ended.wait(PATIENCE_SECONDS)


class TestLeaving:
    def test_clients_are_asked_to_move_and_served_until_they_have(self, server: Serving) -> None:
        with server.client() as one, server.client() as other:
            leaving = threading.Thread(target=server.leave)
            leaving.start()
            assert [one.hear(), other.hear()] == [ASKED_TO_MOVE] * 2

            one.say(call(1, "query", "health"))

            assert one.heard() == data(1, {"ok": True})
            other.connection.close()
            assert leaving.is_alive()
            one.connection.close()
            leaving.join(PATIENCE_SECONDS)
            assert not leaving.is_alive()

    def test_nobody_waits_for_ever_for_one_that_stays(self, server: Serving) -> None:
        with server.client() as client:
            server.leave(patience_seconds=0.01)

            assert client.rest() == [ASKED_TO_MOVE]

    def test_nobody_waits_for_nobody(self, server: Serving) -> None:
        server.leave()

    def test_a_server_that_ends_says_that_it_will_be_back(self) -> None:
        with ExitStack() as client_stays:
            with serving(app_with()) as server:
                client = client_stays.enter_context(server.client())

            assert client.closed() == 1012
