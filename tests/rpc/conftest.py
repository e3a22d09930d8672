"""Real servers for the toy routers, for the length of the session."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import msgspec
import pytest
import uvicorn

from tests.rpc import toy, toy_streams


class Reply(msgspec.Struct, frozen=True):
    """A response as it came: no header or byte has been touched."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server(msgspec.Struct, frozen=True):
    """Where a toy router is served."""

    port: int

    @property
    def url(self) -> str:
        """What a tRPC link is given."""
        return f"http://127.0.0.1:{self.port}/trpc"

    def ask(self, method: str, target: str, body: bytes | None = None, /, **headers: str) -> Reply:
        """The reply to one request; `content_type="x"` sends that header."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, body, named)
            response = connection.getresponse()
            kept = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, kept, response.read())
        finally:
            connection.close()

    def get(self, target: str, /, **headers: str) -> Reply:
        """The reply to a GET below the prefix."""
        return self.ask("GET", f"/trpc/{target}", **headers)

    def post(self, target: str, body: bytes = b"", /, **headers: str) -> Reply:
        """The reply to a POST of JSON below the prefix."""
        return self.ask("POST", f"/trpc/{target}", body, **{"content_type": "application/json", **headers})


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The toy router."""
    with serving(toy.app) as port:
        yield Server(port)


@pytest.fixture(scope="session")
def streaming() -> Iterator[Server]:
    """The toy router of streams, at every pace."""
    with serving(toy_streams.apps) as port:
        yield Server(port)


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """An application behind uvicorn, on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=process.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.should_exit = True
            thread.join()
