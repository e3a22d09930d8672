"""A subscription outlives its sockets: the server's process dies, or asks its clients to go elsewhere."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.node import HERE, node_command
from tests.rpc.sockets import SEEN, app_with, serving
from tests.rpc.toy import decoded

ROOT = Path(__file__).parents[2]
CLIENTS = {"11.25": "@trpc/client", "11.4": "trpc-client-11-4"}
KILLS = 3
OPENED = {"opened": True}


@pytest.fixture(params=CLIENTS.values(), ids=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """The package of a client."""
    return request.param


def test_kill_9_of_the_server_makes_no_gap_and_no_duplicate(client: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen: list[Any] = []
    with ExitStack() as stack:
        # It tries until somebody answers, at first as later.
        lines = stack.enter_context(following(client, f"ws://127.0.0.1:{port}/trpc"))
        for _ in range(KILLS):
            with server_at(port):  # and kill it at the end
                seen += iter(lines.__next__, OPENED)
                seen += until_more(lines, 50)

    check_whole(seen)


def test_a_client_that_is_asked_to_move_misses_nothing(client: str) -> None:
    SEEN.revoked.clear()
    seen: list[Any] = []
    with serving(app_with()) as server, following(client, server.url) as lines:
        for _ in range(KILLS):
            seen += until_more(lines, 50)
            server.leave()
            seen += iter(lines.__next__, OPENED)
        seen += until_more(lines, 50)

    check_whole(seen)


def check_whole(seen: list[Any]) -> None:
    """Each number came once and in its place, and nothing was said of errors or of an end."""
    numbers = [line["data"] for line in seen if "data" in line]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [line for line in seen if line != OPENED and line.keys() not in ({"id", "data"}, {"remark"})] == []


def until_more(lines: Iterator[Any], count: int) -> Iterator[Any]:
    """The next lines, so many that as many hold data."""
    while count:
        line = next(lines)
        count -= "data" in line
        yield line


@contextmanager
def server_at(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The toy's sockets in a process of their own."""
    with subprocess.Popen([sys.executable, "-m", "tests.rpc.server", str(port)], cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def following(client: str, url: str) -> Iterator[Iterator[Any]]:
    """What a client that follows prints."""
    script = (Path(__file__).parent / "followed.mjs").read_bytes()
    command = [*node_command(), "--input-type=module", "-"]
    environment = {"CLIENT": client, "WS_URL": url, "PATH": ""}
    with subprocess.Popen(
        command, cwd=HERE, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(script)
        process.stdin.close()
        try:
            yield map(decoded, process.stdout)
        finally:
            process.kill()
