"""Streams, forms and bytes as raw HTTP, the way no client of tRPC's would always ask for them."""

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.rpc.conftest import Server
from tests.rpc.toy import decoded
from tests.rpc.toy_streams import MAX_UPLOAD_BYTES, watch

LINES = {"trpc_accept": "application/jsonl"}
CONNECTED = b"event: connected\ndata: {}\n\n\n"
RETURN = b"event: return\ndata: \n\n\n"
EVENT_STREAM = "text/event-stream"


def input_of(value: Any) -> str:
    return "input=" + quote(msgspec.json.encode(value).decode())


def refusal_in(reply_body: bytes) -> tuple[str, str]:
    """Code and message of the one envelope, of the last event, or of the first call's line."""
    if b"event: serialized-error\n" in reply_body:
        error = decoded(reply_body.rpartition(b"data: ")[2].strip())
    elif reply_body.startswith(b'{"0"'):
        error = decoded(reply_body.splitlines()[1])[2][0][0]["error"]
    else:
        found = decoded(reply_body)
        error = (found[0] if isinstance(found, list) else found)["error"]
    return error["data"]["code"], error["message"]


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "content_type", "code", "message"),
    [
        # A request at fault is refused as a whole, whatever would have streamed.
        ("GET", "/trpc/health", LINES, 400, "application/json", "BAD_REQUEST", "Streaming requests must be batched"),
        ("GET", "/trpc/ticks", LINES, 400, "application/json", "BAD_REQUEST", "Streaming requests must be batched"),
        ("GET", "/trpc/health,ping?batch=1", LINES, 400, "application/json", "BAD_REQUEST", "Cannot mix procedure"),
        ("GET", "/trpc/ticks?connectionParams={", {}, 400, "application/json", "PARSE_ERROR", "Not JSON-parsable"),
        ("GET", "/trpc/ticks?connectionParams=[]", {}, 400, "application/json", "PARSE_ERROR", "Invalid connection"),
        ("GET", "/trpc/tocks", {"accept": EVENT_STREAM}, 404, "application/json", "NOT_FOUND", "No procedure found"),
        ("POST", "/trpc/ticks", {}, 415, "application/json", "UNSUPPORTED_MEDIA_TYPE", "Missing content-type header"),
        # Calls in a batch answer for themselves.
        ("GET", "/trpc/ticks?batch=1", {}, 400, "application/json", "BAD_REQUEST", "Cannot batch subscription calls"),
        ("GET", "/trpc/ticks?batch=1", LINES, 200, "application/jsonl", "BAD_REQUEST", "Cannot batch subscription"),
        ("GET", "/trpc/echo?batch=1&input={", LINES, 200, "application/jsonl", "BAD_REQUEST", "the input is not JSON"),
        (
            "GET",
            "/trpc/health?batch=1",
            {**LINES, "authorization": "Bearer expired"},
            200,
            "application/jsonl",
            "UNAUTHORIZED",
            "the token has expired",
        ),
        ("GET", "/trpc/counting?batch=1", LINES, 200, "application/jsonl", "METHOD_NOT_SUPPORTED", "Unsupported GET"),
        # What streams needs somebody who reads it.
        (
            "GET",
            "/trpc/counted?" + input_of({"to": 1}),
            {},
            415,
            "application/json",
            "UNSUPPORTED_MEDIA_TYPE",
            "Cannot use stream-like response in non-streaming request - use httpBatchStreamLink",
        ),
        ("GET", "/trpc/counted?" + input_of({}), {}, 400, "application/json", "BAD_REQUEST", "input: `to` is missing"),
        ("GET", "/trpc/counted?batch=1", LINES, 200, "application/jsonl", "BAD_REQUEST", "input: `to` is missing"),
        # A subscription says everything in events.
        ("GET", "/trpc/ticks?input={", {}, 200, EVENT_STREAM, "BAD_REQUEST", "the input is not JSON"),
        ("GET", "/trpc/ticks?" + input_of({"x": 1}), {}, 200, EVENT_STREAM, "BAD_REQUEST", "/x: there is no field"),
        ("GET", "/trpc/ticks?" + input_of([1]), {}, 200, EVENT_STREAM, "BAD_REQUEST", "input: Expected `object`"),
        (
            "GET",
            "/trpc/ticks",
            {"authorization": "Bearer expired"},
            200,
            EVENT_STREAM,
            "UNAUTHORIZED",
            "the token has expired",
        ),
        ("PUT", "/trpc/ticks", {"content_type": "application/json"}, 200, EVENT_STREAM, "METHOD_NOT_SUPPORTED", "Uns"),
        ("POST", "/strict/ticks", {"content_type": "application/json"}, 200, EVENT_STREAM, "METHOD_NOT_SUPPORTED", ""),
        # Forms and octets are one call, by POST.
        ("GET", "/trpc/octets", {"content_type": "application/octet-stream"}, 405, "application/json",
         "METHOD_NOT_SUPPORTED", "Only POST requests are supported for application/octet-stream requests"),
        ("POST", "/trpc/octets,octets?batch=1", {"content_type": "application/octet-stream"}, 404, "application/json",
         "NOT_FOUND", 'No procedure found on path "octets,octets"'),
        ("POST", "/trpc/echo", {"content_type": "application/octet-stream"}, 415, "application/json",
         "UNSUPPORTED_MEDIA_TYPE", "the input is to be application/json, not application/octet-stream"),
        ("POST", "/trpc/form", {"content_type": "application/json"}, 415, "application/json",
         "UNSUPPORTED_MEDIA_TYPE", "the input is to be multipart/form-data, not application/json"),
        ("POST", "/trpc/form?batch=1", {"content_type": "application/json"}, 415, "application/json",
         "UNSUPPORTED_MEDIA_TYPE", "the input is to be multipart/form-data, not application/json"),
        ("POST", "/trpc/ticks", {"content_type": "application/octet-stream"}, 415, "application/json",
         "UNSUPPORTED_MEDIA_TYPE", "the input is to be application/json, not application/octet-stream"),
        ("POST", "/trpc/form", {"content_type": "multipart/form-data"}, 400, "application/json",
         "BAD_REQUEST", "the input is not a form: Empty boundary"),
        ("POST", "/trpc/form", {"content_type": "multipart/form-data; boundary=x"}, 400, "application/json",
         "BAD_REQUEST", "the input is not a form: Unexpected end of multipart stream"),
        # Limits.
        ("GET", "/small/echo?input=" + "x" * 200, {}, 413, "application/json", "PAYLOAD_TOO_LARGE", "the URL is"),
        ("GET", "/small/" + "x" * 200, {}, 413, "application/json", "PAYLOAD_TOO_LARGE", "the URL is longer than 200"),
        ("GET", "/small/echo?input=[[[[]]]]", {}, 400, "application/json", "BAD_REQUEST", "the input is nested more"),
        ("GET", "/trpc/" + "x" * 40_000, {}, 413, "application/json", "PAYLOAD_TOO_LARGE", "the URL is longer than"),
    ],
)  # fmt: skip
def test_a_refusal_comes_in_the_form_that_its_reader_expects(
    streaming: Server,
    method: str,
    target: str,
    headers: dict[str, str],
    status: int,
    content_type: str,
    code: str,
    message: str,
) -> None:
    reply = streaming.ask(method, target, b"" if method != "GET" else None, **headers)

    told_code, told_message = refusal_in(reply.body)
    assert (reply.status, reply.headers["content-type"], told_code) == (status, content_type, code)
    assert told_message.startswith(message)
    assert reply.headers["vary"] == "trpc-accept, accept, origin"
    assert len(reply.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("ticks?" + input_of({"count": 1}), {}, b'data: {"tick":1}\nid: 1\n\n\n'),
        ("ticks", {"last_event_id": "2"}, b'data: {"tick":3}\nid: 3\n\n\n'),
        ("ticks?lastEventId=2", {}, b'data: {"tick":3}\nid: 3\n\n\n'),
        ("ticks?Last-Event-Id=2", {}, b'data: {"tick":3}\nid: 3\n\n\n'),
        ("ticks?lastEventId=1&Last-Event-Id=0", {"last_event_id": "2"}, b'data: {"tick":3}\nid: 3\n\n\n'),
        ("ticks?lastEventId=2&" + input_of({"lastEventId": "0", "count": 3}), {}, b'data: {"tick":3}\nid: 3\n\n\n'),
        ("ticks?lastEventId=2&" + input_of(None), {}, b'data: {"tick":3}\nid: 3\n\n\n'),
        # An empty id is none, and neither is one that no event can have had.
        ("ticks?lastEventId=&" + input_of({"count": 1}), {"last_event_id": ""}, b'data: {"tick":1}\nid: 1\n\n\n'),
        ("ticks?lastEventId=9%0Adata:x&" + input_of({"count": 1}), {}, b'data: {"tick":1}\nid: 1\n\n\n'),
        # Who cannot go on is not told.
        ("whom", {"last_event_id": "2"}, b'data: "nobody"\nid: \n\n\nevent: restore-id\ndata: \nid: 2\n\n\n'),
        ("whom?connectionParams=%7B%22user%22:%22Ada%22%7D", {}, b'data: "Ada"\n\n\n'),
        ("plain", {}, b'data: "one"\n\n\n' + b"data: null\n\n\n" * 2 + b'data: {"text":"two\\nlines"}\n\n\n'),
        (
            "mixed",
            {"last_event_id": "é0".encode().decode("latin-1")},
            'data: "behind é0"\nid: \n\n\nevent: restore-id\ndata: \nid: é0\n\n\n'
            'data: "one"\nid: é1\n\n\ndata: "between"\nid: \n\n\nevent: restore-id\ndata: \nid: é1\n\n\n'
            'data: "two"\nid: é2\n\n\ndata: "after"\nid: \n\n\nevent: restore-id\ndata: \nid: é2\n\n\n'.encode(),
        ),
    ],
)
def test_a_subscription_is_answered_byte_for_byte(
    streaming: Server, target: str, headers: dict[str, str], body: bytes
) -> None:
    reply = streaming.get(target, **headers)

    assert reply.body == CONNECTED + body + RETURN


def test_the_head_of_a_subscription_keeps_proxies_from_holding_it_back(streaming: Server) -> None:
    headers = streaming.get("plain").headers

    named = {name: headers[name] for name in ("content-type", "cache-control", "x-accel-buffering", "vary")}
    assert named == {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "vary": "trpc-accept, accept, origin",
    }


def test_a_subscription_can_be_posted(streaming: Server) -> None:
    reply = streaming.post("ticks", b'{"count":1}')

    assert reply.body == CONNECTED + b'data: {"tick":1}\nid: 1\n\n\n' + RETURN


def test_a_batch_is_streamed_byte_for_byte(streaming: Server) -> None:
    inputs = input_of({"2": {"to": 2}})

    reply = streaming.get(f"health,fail,counted?batch=1&{inputs}", accept="text/html, application/jsonl")

    head, *lines = reply.body.splitlines(keepends=True)
    assert head == b'{"0":[[0],[null,0,0]],"1":[[0],[null,0,1]],"2":[[0],[null,0,2]]}\n'
    assert sorted(lines) == sorted(
        [
            b'[0,0,[[{"result":{"data":{"ok":true}}}]]]\n',
            b'[1,0,[[{"error":{"message":"nope","code":-32003,"data":{"code":"FORBIDDEN","httpStatus":403,'
            b'"path":"fail"}}}]]]\n',
            b'[2,0,[[{"result":0}],["result",0,3]]]\n',
            b'[3,0,[[{"data":0}],["data",1,4]]]\n',
            b"[4,1,[[1]]]\n",
            b"[4,1,[[2]]]\n",
            b"[4,0,[[]]]\n",
        ]
    )
    assert [line for line in lines if line.startswith(b"[4,")][-1] == b"[4,0,[[]]]\n"


def test_an_unexpected_error_between_items_is_told_to_the_log_only(
    streaming: Server, caplog: pytest.LogCaptureFixture
) -> None:
    replies = [streaming.get("crashed"), streaming.get("unwritable")]

    for reply in replies:
        code, message = refusal_in(reply.body)
        assert (code, b"secret" in reply.body) == ("INTERNAL_SERVER_ERROR", False)
        assert message == "something went wrong on our side; the request id finds it in our log"
        assert reply.headers["x-request-id"] in caplog.text
    assert "the secret is 42" in caplog.text


@pytest.mark.parametrize(
    ("sent", "is_kept"), [("abc-1.2:3", True), ("x" * 129, False), ("two words", False), ("", False)]
)
def test_a_sane_request_id_is_kept(streaming: Server, sent: str, is_kept: bool) -> None:
    for method, target in (
        ("GET", "health"),
        ("HEAD", "health"),
        ("OPTIONS", "health"),
        ("GET", "nope"),
        ("GET", "plain"),
    ):
        reply = streaming.ask(method, f"/trpc/{target}", x_request_id=sent)

        assert (reply.headers["x-request-id"] == sent) == is_kept


@pytest.mark.parametrize("target", ["health?batch=1", "plain", "ticks?batch=1", "nope"])
def test_every_answer_may_be_read_by_pages_of_an_allowed_origin(streaming: Server, target: str) -> None:
    headers = streaming.get(target, origin="https://app.example", **LINES).headers

    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == "x-request-id,retry-after"


# --- while it lasts


@contextmanager
def reading(
    streaming: Server, target: str, *headers: str, method: str = "GET", body: bytes = b""
) -> Iterator[socket.socket]:
    """A connection on which this was asked."""
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "host: x", *headers, "", ""])
    with socket.create_connection(("127.0.0.1", streaming.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        yield connection


def until(connection: socket.socket, end: bytes) -> bytes:
    """What comes, up to and with `end`."""
    seen = b""
    while end not in seen:
        chunk = connection.recv(65536)
        assert chunk, f"it ended with {seen[-200:]!r}"
        seen += chunk
    return seen


def test_silence_is_filled_with_pings(streaming: Server) -> None:
    name = {"name": "pinged"}
    with reading(streaming, "/quick/waiting?" + input_of(name)) as connection:
        events = until(connection, b"event: ping\ndata: \n\n\n")
    with reading(
        streaming, "/quick/gated?batch=1&" + input_of({"0": name}), "trpc-accept: application/jsonl"
    ) as connection:
        lines = until(connection, b"1\r\n \r\n1\r\n \r\n")
        watch("pinged").open()
        lines += until(connection, b"0\r\n\r\n")

    assert b'{"reconnectAfterInactivityMs":250}' in events
    assert lines.endswith(b'[0,0,[[{"result":{"data":"pinged"}}]]]\n\r\n0\r\n\r\n')


def test_after_its_time_a_subscription_ends_without_return(streaming: Server) -> None:
    reply = streaming.ask("GET", "/brief/waiting?" + input_of({"name": "brief"}))

    assert reply.body == b"retry: 20\nevent: connected\ndata: {}\n\n\n" + b'data: "first"\n\n\n'
    assert watch("brief").closed.wait(10)


def test_a_server_that_ends_breaks_off_what_has_no_end(streaming: Server) -> None:
    names = input_of({"0": {"name": "ended"}, "1": {"name": "going"}})
    with (
        reading(streaming, "/ending/waiting?" + input_of({"name": "off"})) as events,
        reading(streaming, f"/ending/endless,gated?batch=1&{names}", "trpc-accept: application/jsonl") as lines,
    ):
        until(events, b'"first"')
        until(lines, b'"first"')
        streaming.ask("GET", "/end/")
        rest_of_events = until(events, b"0\r\n\r\n")
        broken_off = until(lines, b"[3,2,")
        watch("going").open()
        rest_of_lines = broken_off + until(lines, b"0\r\n\r\n")

    assert b"event: return" not in rest_of_events
    assert b'"code":"SERVICE_UNAVAILABLE"' in rest_of_lines
    # What has an end gets there.
    assert b'[1,0,[[{"result":{"data":"going"}}]]]\n' in rest_of_lines


@pytest.mark.parametrize(
    ("target", "headers", "name", "first"),
    [
        ("/trpc/waiting?{}", (), "left events", b'"first"'),
        ("/trpc/endless?batch=1&{}", ("trpc-accept: application/jsonl",), "left lines", b'"first"'),
        ("/trpc/gated?batch=1&{}", ("trpc-accept: application/jsonl",), "left call", b'{"0"'),
    ],
)
def test_a_client_that_leaves_cancels_what_streams(
    streaming: Server, target: str, headers: tuple[str, ...], name: str, first: bytes
) -> None:
    input: Any = {"name": name} if "batch" not in target else {"0": {"name": name}}
    with reading(streaming, target.format(input_of(input)), *headers) as connection:
        until(connection, first)
        assert watch(name).started.wait(10)

    assert watch(name).closed.wait(10)


@pytest.mark.parametrize(
    ("target", "headers", "first"),
    [
        ("/trpc/waiting?{}", (), b'"first"'),
        ("/trpc/endless?batch=1&{}", ("trpc-accept: application/jsonl",), b'"first"'),
    ],
)
def test_streams_that_were_left_leave_no_garbage_behind(
    streaming: Server, target: str, headers: tuple[str, ...], first: bytes
) -> None:
    # A server with much in memory looks for garbage in circles so seldom that it would count as a leak.
    names = [f"{target} {number}" for number in range(30)]
    gc.collect()
    gc.disable()
    try:
        for name in names:
            input: Any = {"name": name} if "batch" not in target else {"0": {"name": name}}
            with reading(streaming, target.format(input_of(input)), *headers) as connection:
                until(connection, first)
            assert watch(name).closed.wait(10)
        assert streaming.get("health").status == 200
        found = gc.collect()
    finally:
        gc.enable()

    assert found < 10 * len(names)


@pytest.mark.parametrize("manner", ["events", "lines"])
def test_nobody_is_asked_for_more_than_the_client_takes(streaming: Server, manner: str) -> None:
    name = f"flood of {manner}"
    target, headers = f"/trpc/flood?{input_of({'name': name})}", ()
    if manner == "lines":
        target, headers = f"/trpc/floods?batch=1&{input_of({'0': {'name': name}})}", ("trpc-accept: application/jsonl",)
    with reading(streaming, target, *headers) as connection:
        until(connection, b"xxx")
        # Whoever else is answered meanwhile had their turn, and nothing stops the flood but the client.
        before = -1
        while before != watch(name).yielded:
            before = watch(name).yielded
            for _ in range(20):
                assert streaming.get("health").status == 200
        taken = watch(name).yielded
        connection.recv(1024)

    assert taken < 2_000  # of ten kilobytes each; what systems hold for a socket is far less
    assert watch(name).closed.wait(10)


# --- forms and bytes


def part(name: str, content: bytes, **options: str) -> bytes:
    also = "".join(f'; {key}="{value}"' for key, value in options.items())
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{also}\r\n\r\n'.encode() + content + b"\r\n"


def form_reply(streaming: Server, body: bytes, procedure: str = "form") -> Any:
    return streaming.post(procedure, body, content_type="multipart/form-data; boundary=x")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"--x--\r\n", {"texts": {}, "files": {}}),
        (part("", b"") + b"--x--", {"texts": {"": [""]}, "files": {}}),
        (part("a", b"1") + part("a", b"2") + b"--x--\r\n", {"texts": {"a": ["1", "2"]}, "files": {}}),
        (part("ä", "ü\r\n--".encode()) + b"--x--\r\n", {"texts": {"ä": ["ü\r\n--"]}, "files": {}}),
    ],
)
def test_a_form_is_read(streaming: Server, body: bytes, found: dict[str, Any]) -> None:
    assert decoded(form_reply(streaming, body).body)["result"]["data"] == found


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (part("a", b"1") * 6 + b"--x--", 413, "the form is too large: Maximum segment count exceeded"),
        (part("a", b"1"), 400, "the input is not a form: Unexpected end of multipart stream"),
        (part("a", b"\xff") + b"--x--", 400, "the input is not a form: 'utf-8' codec can't decode byte 0xff"),
        (part("a", b"a\0b") + b"--x--", 400, "/a: text cannot hold the NUL character"),
        (part("a", b"", filename="a\0b") + b"--x--", 400, "/a: text cannot hold the NUL character"),
        (b"--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x--", 400, "the input is not a form: Missing Content-Disp"),
        (b"--x\r\n" + b"h: " + b"v" * 10_000 + b"\r\n\r\n\r\n--x--", 413, "the form is too large: Maximum segment he"),
        (b'{"a":1}', 400, "the input is not a form: "),
        (b"x" * (MAX_UPLOAD_BYTES + 1), 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_a_hostile_form_is_refused(streaming: Server, body: bytes, status: int, message: str) -> None:
    reply = form_reply(streaming, body)

    assert (reply.status, refusal_in(reply.body)[1][: len(message)]) == (status, message)


def test_a_form_is_one_call_whatever_the_url_says(streaming: Server) -> None:
    reply = form_reply(streaming, part("a", b"1") + b"--x--", "form?batch=1&connectionParams={")

    assert decoded(reply.body) == {"result": {"data": {"texts": {"a": ["1"]}, "files": {}}}}


def test_who_may_not_send_is_told_before_the_body_is_read(streaming: Server) -> None:
    headers = ("content-type: application/octet-stream", "content-length: 1000", "authorization: Bearer guest")
    with reading(streaming, "/trpc/octets", *headers, method="POST") as connection:
        assert b"403" in until(connection, b"\r\n")


def test_what_is_declared_to_be_too_large_is_not_waited_for(streaming: Server) -> None:
    headers = ("content-type: application/octet-stream", f"content-length: {MAX_UPLOAD_BYTES + 1}")
    with reading(streaming, "/trpc/octets", *headers, method="POST") as connection:
        assert b"413" in until(connection, b"\r\n")


def test_a_stream_of_unknown_length_is_read_no_further_than_the_limit(streaming: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    headers = ("content-type: application/octet-stream", "transfer-encoding: chunked")
    with reading(streaming, "/trpc/kept", *headers, method="POST", body=chunk * 65) as connection:
        assert b"413" in until(connection, b"\r\n")


def test_bytes_are_taken_no_faster_than_they_are_read(streaming: Server) -> None:
    size = MAX_UPLOAD_BYTES
    headers = ("content-type: application/octet-stream", f"content-length: {size}")
    with reading(streaming, "/trpc/sipped", *headers, method="POST", body=b"x") as connection:
        assert watch("sipped").started.wait(10)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sent = 1
        with pytest.raises(BlockingIOError):
            while sent < size:
                sent += connection.send(b"x" * min(65536, size - sent))
        connection.settimeout(10)
        watch("sipped").open()
        connection.sendall(b"x" * (size - sent))
        reply = until(connection, b"}}")

    assert reply.endswith(b'{"result":{"data":%d}}' % size)


def test_a_client_that_leaves_while_it_sends_cancels_the_call(streaming: Server) -> None:
    headers = ("content-type: application/octet-stream", "content-length: 1000")
    with reading(streaming, "/trpc/waited", *headers, method="POST", body=b"x"):
        assert watch("waited").started.wait(10)

    assert watch("waited").closed.wait(10)
