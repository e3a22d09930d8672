"""A model endpoint on 127.0.0.1 that replays what a test scripted and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """What the peer sends.

    With `never` it takes the request and stays silent until the test is over; with `missing_bytes` it promises more
    than it sends and hangs up. With `pieces` it sends those one by one instead of a body, as server-sent events, and
    then ends the stream, hangs up in the middle of it, or falls silent, as `then` says.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    never: bool = False
    missing_bytes: int = 0
    pieces: tuple[bytes, ...] | None = None
    then: Literal["end", "hang up", "fall silent"] = "end"


class Asked(msgspec.Struct, frozen=True):
    """What the peer received; the names of `headers` are in lower case."""

    path: str
    body: Any
    authorization: str
    headers: dict[str, str] = {}


class Peer:
    """Replies in the order of the script; the last reply is repeated."""

    def __init__(self, url: str, script: tuple[Reply, ...]) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.connections = 0
        self.is_over = threading.Event()
        self._script = list(script)
        self._lock = threading.Condition()

    def wait_until_asked(self) -> None:
        """Return once somebody has asked; it blocks."""
        with self._lock:
            self._lock.wait_for(lambda: self.asked, timeout=30)

    def next_reply(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            self._lock.notify_all()
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


@contextmanager
def peer_with(*script: Reply) -> Iterator[Peer]:
    """A listening peer; it and its connections are gone afterwards."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: peer))
    peer = Peer(f"http://127.0.0.1:{server.server_address[1]}", script)
    listening = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    listening.start()
    try:
        yield peer
    finally:
        peer.is_over.set()
        server.shutdown()
        server.server_close()
        listening.join()


def completion(
    content: str | None = None, *, finish: str = "stop", calls: tuple[tuple[str, str, str], ...] = ()
) -> Reply:
    """A chat completion; `calls` are (id, name, arguments)."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return Reply(body={"id": "c", "object": "chat.completion", "choices": [choice], "usage": _COUNTED})


def message(*content: dict[str, Any], stop: str = "end_turn") -> Reply:
    """One of Anthropic's messages."""
    usage = {"input_tokens": 90, "cache_read_input_tokens": 10, "output_tokens": 20}
    return Reply(
        body={
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": list(content),
            "stop_reason": stop,
            "usage": usage,
        }
    )


_COUNTED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def events(*data: Any) -> tuple[bytes, ...]:
    """Server-sent events of JSON, each named by its type if it has one; a text is sent as it is."""
    return tuple(_event(each) for each in data)


def _event(data: Any) -> bytes:
    name = f"event: {data['type']}\n" if isinstance(data, dict) and "type" in data else ""
    return f"{name}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def _handler(peer: Callable[[], Peer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            peer().connections += 1

        def handle(self) -> None:
            # Who does not want the rest of an answer hangs up.
            with suppress(ConnectionError):
                super().handle()

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._reply(json.loads(self.rfile.read(length)))

        def do_GET(self) -> None:
            self._reply(None)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read the journal, not the console."""

        def _reply(self, body: Any) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            authorization = headers.get("authorization") or headers.get("x-api-key") or ""
            reply = peer().next_reply(Asked(self.path, body, authorization, headers))
            if reply.never:
                peer().is_over.wait()
                self.close_connection = True
            elif reply.pieces is None:
                self._send_whole(reply)
            else:
                self._send_pieces(reply, reply.pieces)

        def _send_whole(self, reply: Reply) -> None:
            payload = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self._open(reply, {"Content-Type": "application/json", **reply.headers})
            self.send_header("Content-Length", str(len(payload) + reply.missing_bytes))
            self.end_headers()
            self.wfile.write(payload)
            self.close_connection = self.close_connection or reply.missing_bytes > 0

        def _send_pieces(self, reply: Reply, pieces: tuple[bytes, ...]) -> None:
            self._open(reply, {"Content-Type": "text/event-stream", **reply.headers})
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if reply.then == "end":
                self.wfile.write(b"0\r\n\r\n")
            if reply.then == "fall silent":
                peer().is_over.wait()
            self.close_connection = self.close_connection or reply.then != "end"

        def _open(self, reply: Reply, headers: dict[str, str]) -> None:
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)

    return Handler
