"""Connections that nobody means well with: heads without end, bodies without end, and those that never say a thing."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from api.cli.protocol import BoundedHttp
from api.rpc import Limits, RpcApp
from tests.rpc.toy import create_context, decoded, router

HEAD = b"GET /trpc/health HTTP/1.1\r\nhost: toys\r\nconnection: close\r\n"
POST = b"POST /trpc/ping HTTP/1.1\r\nhost: toys\r\ncontent-type: application/json\r\n"
WITHIN = "did not arrive within 0.2 seconds"


class Impatient(BoundedHttp):
    """As it is served, for tests that do not want to wait."""

    max_head_seconds = 0.2


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The toy router behind it, on a free port of this machine."""
    app = RpcApp(router, create_context=create_context, limits=Limits(max_body_seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", http=Impatient))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def answered(port: int, *parts: bytes) -> bytes:
    """All that the server says to these bytes until it hangs up, without our doing so first."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        said = bytearray()
        try:
            for part in parts:
                connection.sendall(part)
            while received := connection.recv(65_536):
                said += received
        except ConnectionError:
            pass  # it hung up while we were still sending
        return bytes(said)


def refusal(said: bytes) -> tuple[int, str, str]:
    """Status, code and message of an answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    error = decoded(body)["error"]
    assert b"content-type: application/json" in head
    return int(head.split()[1]), error["data"]["code"], error["message"]


@pytest.mark.parametrize(
    "parts",
    {
        "one header": (HEAD, b"x: " + b"a" * 300_000),
        "a header that comes in one piece": (HEAD + b"x: " + b"a" * 70_000 + b"\r\n\r\n",),
        "an address": (b"GET /trpc/health?" + b"a" * 100_000 + HEAD.removeprefix(b"GET /trpc/health"),),
        "many headers": (HEAD, *(b"x%d: 1\r\n" % number for number in range(30_000))),
        "a trailer": (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: " + b"a" * 300_000),
        "the extension of a chunk": (POST + b"transfer-encoding: chunked\r\n\r\n", b"1;x=" + b"a" * 300_000),
    }.items(),
    ids=lambda part: part[0],
)
def test_a_head_without_end_is_cut_off(port: int, parts: tuple[str, tuple[bytes, ...]]) -> None:
    said = answered(port, *parts[1])

    # Who is still sending when the answer comes may never read it.
    assert not said or refusal(said) == (400, "BAD_REQUEST", "the headers are larger than 65536 bytes")


def test_a_head_as_large_as_it_may_be_is_read(port: int) -> None:
    said = answered(port, HEAD + b"x: " + b"a" * 60_000 + b"\r\n\r\n")
    with_body = answered(port, POST + b"connection: close\r\ncontent-length: 90000\r\n\r\n" + b" " * 90_000)

    assert said.startswith(b"HTTP/1.1 200")
    assert with_body.startswith(b"HTTP/1.1 200")


def test_a_head_that_does_not_come_is_not_waited_for(port: int) -> None:
    assert refusal(answered(port, HEAD)) == (408, "TIMEOUT", f"the headers {WITHIN}")


def test_a_second_head_is_not_waited_for_either(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /trpc/health HTTP/1.1\r\nhost: toys\r\n\r\n")
        first = connection.recv(65_536)
        connection.sendall(b"GET /trpc/he")
        second = connection.recv(65_536)

    assert first.startswith(b"HTTP/1.1 200")
    assert refusal(second)[1] == "TIMEOUT"


def test_who_says_nothing_is_left(port: int) -> None:
    assert answered(port) == b""


@pytest.mark.parametrize("name", ["ping", "echoMut"])
def test_a_body_that_does_not_come_is_not_waited_for(port: int, name: str) -> None:
    said = answered(port, POST.replace(b"ping", name.encode()) + b'content-length: 100\r\n\r\n{"text"')

    assert refusal(said) == (408, "TIMEOUT", f"the body {WITHIN}")


@pytest.mark.parametrize(
    "head",
    [
        POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"content-length: 0\r\ncontent-length: 5\r\n\r\nhello",
        POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /trpc/health HTTP/1.1\nhost toys\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
def test_what_two_servers_could_read_differently_is_no_request(port: int, head: bytes) -> None:
    assert refusal(answered(port, head)) == (400, "BAD_REQUEST", "Invalid HTTP request received.")
