"""The pure half of streams and uploads, on plain data and on noise."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rpc import Form, Limits, Octets, Pace, RpcError, Tracked, jsonl, mutation, query, sse, subscription, wire
from api.rpc.cors import cors_headers
from api.rpc.inputs import resumed
from api.rpc.uploads import read_form
from api.rpc.wire import Request
from tests.rpc.toy_streams import Context, counted, mixed, octets, plain, router, ticks

JSON_TYPE = "application/json"

ids = st.text(min_size=1).filter(lambda text: not set(text) & set("\0\r\n"))
items = st.lists(st.tuples(st.none() | ids, st.integers() | st.text()))


class EventSource:
    """What a browser makes of bytes, by the letter of the standard: (type, data, last id) of each event."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.seen: list[tuple[str, str, str]] = []

    def read(self, text: str) -> None:
        type_, data = "", ""
        for line in text.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name if line else "":
                case "":
                    if data:
                        self.seen.append((type_ or "message", data.removesuffix("\n"), self.last_id))
                    type_, data = "", ""
                case "event":
                    type_ = value
                case "data":
                    data += value + "\n"
                case "id":
                    self.last_id = value


@given(st.none() | ids, items)
def test_a_browser_hears_each_item_under_its_own_id_and_comes_back_behind_the_last(
    came_back_with: str | None, sent: list[tuple[str | None, Any]]
) -> None:
    browser, events = EventSource(came_back_with or ""), sse.Items(came_back_with)
    remembered = came_back_with or ""

    for id, data in sent:
        browser.read(events.event(msgspec.json.encode(data), id).decode())
        remembered = id or remembered
        assert browser.last_id == remembered

    heard = [(json.loads(data), last_id) for type_, data, last_id in browser.seen if type_ == "message"]
    assert heard == [(data, id or "") for id, data in sent]


def test_the_first_event_the_ping_and_the_last_are_heard_as_what_they_are() -> None:
    browser = EventSource("7")

    text = sse.connected(30, 2) + sse.PING + sse.RETURN + sse.failed({"code": 1})
    browser.read(text.decode())

    assert browser.seen == [
        ("connected", '{"reconnectAfterInactivityMs":30000}', "7"),
        ("ping", "", "7"),
        ("return", "", "7"),
        ("serialized-error", '{"code":1}', "7"),
    ]


@given(st.lists(st.binary().map(lambda data: msgspec.json.encode(data.hex())) | st.none(), max_size=5))
def test_each_line_is_one_json_text_and_none_is_blank(sent: list[bytes | None]) -> None:
    lines = [jsonl.head(2), jsonl.opened(0, 2, 3), *(jsonl.item(3, data) for data in sent), jsonl.returned(3)]

    *texts, after = b"".join(lines).split(b"\n")

    decoded = [msgspec.json.decode(text) for text in texts]
    assert after == b""
    assert decoded[3:-1] == [[3, 1, [[]] if data is None else [[msgspec.json.decode(data)]]] for data in sent]


@pytest.mark.parametrize(
    ("request_", "manner"),
    [
        (Request("GET", b"health"), "whole"),
        (Request("GET", b"health", b"batch=1"), "whole"),
        (Request("GET", b"health", b"batch=1", trpc_accept="application/jsonl"), "lines"),
        (Request("GET", b"health", b"batch=1", accept="text/html,application/jsonl;q=1"), "whole"),
        (Request("GET", b"health", b"batch=1", accept="text/html , application/jsonl"), "lines"),
        (Request("GET", b"health", b"batch=1", trpc_accept="application/jsonl, x"), "whole"),
        (Request("GET", b"ticks"), "events"),
        (Request("POST", b"ticks", content_type=JSON_TYPE), "events"),
        (Request("GET", b"ticks", b"batch=1"), "whole"),
        (Request("GET", b"counted"), "whole"),
        (Request("POST", b"ticks", content_type="application/octet-stream"), "whole"),
        (Request("POST", b"octets", b"batch=1", "application/octet-stream", trpc_accept="application/jsonl"), "whole"),
    ],
)
def test_how_an_answer_is_written_follows_from_what_is_asked(request_: Request, manner: str) -> None:
    assert wire.plan(router, request_, max_batch=2, max_url_bytes=100).manner == manner


@pytest.mark.parametrize(
    ("procedure", "text", "id", "read"),
    [
        (ticks, None, "7", b'{"lastEventId":"7"}'),
        (ticks, b"null", "7", b'{"lastEventId":"7"}'),
        (ticks, b'{"count":1}', "7", b'{"count":1,"lastEventId":"7"}'),
        (ticks, b'{"lastEventId":"1","count":1}', "7", b'{"lastEventId":"7","count":1}'),
        (ticks, b'{"count":1}', "", b'{"count":1}'),
        (ticks, b'{"count":1}', None, b'{"count":1}'),
        (ticks, b"[1]", "7", b"[1]"),
        (ticks, b"{broken", "7", b"{broken"),
        (plain, b'{"count":1}', "7", b'{"count":1}'),
    ],
)
def test_only_a_subscription_that_can_go_on_learns_behind_what(
    procedure: Any, text: bytes | None, id: str | None, read: bytes
) -> None:
    assert resumed(procedure, text, id) == read


@given(st.binary(), st.text())
def test_noise_is_a_form_or_a_refusal(body: bytes, content_type: str) -> None:
    for boundary in (f"multipart/form-data; boundary={content_type}", "multipart/form-data; boundary=x"):
        for noise in (
            body,
            b"--x\r\n" + body,
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n' + body + b"\r\n--x--",
        ):
            try:
                read = read_form(boundary, noise, max_parts=3)
            except RpcError as error:
                assert error.code in ("BAD_REQUEST", "PAYLOAD_TOO_LARGE")
            else:
                assert isinstance(read, Form)


def test_what_a_procedure_yields_is_told_apart() -> None:
    assert (ticks.is_tracked, ticks.untracked_type, ticks.resumes) == (True, None, True)
    assert (mixed.output_type, mixed.is_tracked, mixed.untracked_type) == (str, True, str)
    assert (plain.is_tracked, plain.resumes, counted.streams) == (False, False, True)
    assert (octets.input_type, octets.media_type, octets.takes_input) == (None, "application/octet-stream", True)


def test_an_upload_is_the_only_parameter() -> None:
    async def two(ctx: Context, *, body: Octets, name: str) -> int:
        """Bytes and a name."""
        return 0

    async def positional(ctx: Context, form: Form) -> int:
        """A form."""
        return 0

    for function in (two, positional):
        with pytest.raises(TypeError, match="takes a form or octets, and so nothing else"):
            mutation(function)


def test_a_stream_of_bytes_is_no_answer() -> None:
    async def back(ctx: Context, *, body: Octets) -> Octets:
        """The bytes again."""
        return body

    with pytest.raises(TypeError, match="a type that JSON cannot carry"):
        query(back)


def test_a_subscription_yields() -> None:
    async def once(ctx: Context) -> Tracked[int]:
        """One."""
        return Tracked("1", 1)

    with pytest.raises(TypeError, match="must be an async generator"):
        subscription(once)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ping", "reconnect"), [(10, 10), (10, 5)])
def test_a_ping_that_would_come_too_late_is_refused(ping: float, reconnect: float) -> None:
    with pytest.raises(ValueError, match="has to come sooner"):
        Pace(ping_seconds=ping, reconnect_after_seconds=reconnect)


@pytest.mark.parametrize(
    ("allowed", "origin", "granted", "credentials"),
    [
        ([], "https://a.example", None, None),
        (["https://a.example"], None, None, None),
        (["https://a.example"], "https://a.example", "https://a.example", "true"),
        (["https://a.example"], "https://a.example.evil", None, None),
        (["*"], "https://b.example", "*", None),
        (["*"], "*", "*", None),
        (["*"], None, "*", None),
        (["*", "https://a.example"], "https://a.example", "https://a.example", "true"),
        (["*", "https://a.example"], "https://b.example", "*", None),
        (["https://a.example"], "null", None, None),
    ],
)
def test_only_an_origin_that_is_named_may_send_credentials(
    allowed: list[str], origin: str | None, granted: str | None, credentials: str | None
) -> None:
    headers = cors_headers(allowed, origin)

    assert headers.get("access-control-allow-origin") == granted
    assert headers.get("access-control-allow-credentials") == credentials
    assert ("vary" in headers) == bool(allowed)


def test_limits_are_what_they_say() -> None:
    limits = Limits()

    assert limits.max_url_bytes < 64 * 1024  # from there on servers refuse by themselves, and not in JSON
