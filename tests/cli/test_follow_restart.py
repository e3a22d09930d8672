"""A client follows over HTTP while the server is killed, or told to end, and started again: no gap, nothing twice."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.connection import connect
from tests.cli.processes import Rolecall, Up
from tests.node import HERE, node_command

SCRIPT = Path(__file__).parent / "scripts" / "follow.mjs"
ROUNDS = 60
DOCUMENT: Any = {
    "name": "long",
    "steps": [
        {
            "name": "Loop",
            "kind": "loop",
            "maxIterations": ROUNDS,
            "steps": [{"name": "Nap", "kind": "wait", "forMs": 25}],
        }
    ],
}


class Following:
    """The lines that the client prints, as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.seen: list[Any] = []
        self._lines = iter(process.stdout)

    def until(self, is_there: Callable[[Any], bool]) -> None:
        """Read on until something is told."""
        for line in self._lines:
            self.seen.append(json.loads(line))
            if is_there(self.seen[-1]):
                return
        raise AssertionError(f"the client ended, and was told at last: {self.seen[-3:]}")

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events so far."""
        items = [line["item"] for line in self.seen if line["told"] == "item"]
        return [item["data"]["seq"] for item in items if "id" in item]

    @property
    def starts(self) -> int:
        """How often it has connected."""
        return sum(line["told"] == "started" for line in self.seen)


@contextmanager
def following(up: Up, execution: str, client: str, link: str) -> Iterator[Following]:
    """The client under way; it ends with the execution."""
    token = up.token_file.read_text().strip()
    env = {
        "ROLECALL_URL": f"{up.url}/trpc",
        "ROLECALL_TOKEN": token,
        "EXECUTION": execution,
        "CLIENT": client,
        "LINK": link,
    }
    command = [*node_command(), "--input-type=module", "-"]
    with subprocess.Popen(
        command, cwd=HERE, env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(SCRIPT.read_text())
        process.stdin.close()
        try:
            yield Following(process)
        finally:
            process.kill()


def has_seq(least: int) -> Callable[[Any], bool]:
    return lambda line: line["told"] == "item" and "id" in line["item"] and line["item"]["data"]["seq"] >= least


def is_over(line: Any) -> bool:
    return line["told"] == "complete"


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


async def recorded(database_url: str, execution: str) -> list[int]:
    """The numbers of the journal."""
    connection: asyncpg.Connection = await connect(database_url)
    try:
        rows = await connection.fetch("SELECT seq FROM journal WHERE execution_id = $1 ORDER BY seq", execution)
    finally:
        await connection.close()
    return [row["seq"] for row in rows]


@pytest.mark.parametrize(
    ("client", "link", "how"),
    [
        ("@trpc/client", "events", signal.SIGKILL),
        ("trpc-client-11-4", "events", signal.SIGKILL),
        ("@trpc/client", "events", signal.SIGTERM),
        ("@trpc/client", "socket", signal.SIGKILL),
        ("trpc-client-11-4", "socket", signal.SIGKILL),
        ("@trpc/client", "socket", signal.SIGTERM),
        ("trpc-client-11-4", "socket", signal.SIGTERM),
    ],
)
async def test_no_event_is_missed_or_repeated_when_the_server_dies(
    rolecall: Rolecall, database_url: str, client: str, link: str, how: signal.Signals
) -> None:
    settings = {"ROLECALL_DATABASE_URL": database_url, "ROLECALL_PORT": free_port()}

    def played() -> tuple[str, Following, list[float]]:
        took: list[float] = []
        with rolecall.up(**settings) as up:
            up.mutate("orchestration.create", document=DOCUMENT)
            execution = up.mutate("execution.start", orchestration="long", input={})["id"]
            with following(up, execution, client, link) as follower:
                follower.until(has_seq(20))
                took.append(ended(up, how))
                with rolecall.up(**settings) as second:
                    follower.until(has_seq(follower.seqs[-1] + 20))
                    took.append(ended(second, how))
                with rolecall.up(**settings):
                    follower.until(is_over)
        return execution, follower, took

    execution, follower, took = await asyncio.to_thread(played)

    assert follower.seqs == await recorded(database_url, execution)
    assert len(follower.seqs) == 3 * ROUNDS + 3
    assert link == "socket" or follower.starts >= 3
    # Nobody had to wait for a stream that has no end; a socket is served until its client finds another server.
    assert max(took) < (5 if link == "events" else 10)


def ended(server: Up, how: signal.Signals) -> float:
    """How many seconds the process took to end."""
    since = time.monotonic()
    code = server.end(how)
    assert code == (0 if how is signal.SIGTERM else -how)
    return time.monotonic() - since
