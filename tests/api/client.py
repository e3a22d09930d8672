"""The served API, asked over plain HTTP the way curl would."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec

from db.tables import TABLES
from db.tables import Worker as WorkerRow
from services.executions import FINISHED
from services.runtime import Runtime
from tests.node import run_script

SCRIPTS = Path(__file__).parent / "scripts"

NO_INPUT = msgspec.UNSET


class Reply(msgspec.Struct, frozen=True):
    """A response, its JSON decoded."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def data(self) -> Any:
        """What the procedure returned."""
        return self.body["result"]["data"]

    @property
    def error(self) -> Any:
        """The envelope's error."""
        return self.body["error"]

    @property
    def refusal(self) -> tuple[int, str, str]:
        """Status, code and message of a call that was refused; the envelope agrees with the status."""
        data = self.error["data"]
        assert data["httpStatus"] == self.status
        return self.status, data["code"], self.error["message"]


@dataclass(frozen=True)
class Api:
    """Where it is served, what it runs on, and a token that holds every scope."""

    port: int
    runtime: Runtime
    token: str

    @property
    def url(self) -> str:
        """What a tRPC link is given."""
        return f"http://127.0.0.1:{self.port}/trpc"

    async def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Reply:
        """The reply to one request; `content_type="x"` sends that header."""
        return await asyncio.to_thread(self._ask, method, target, body, headers)

    def text(self, target: str) -> str:
        """What stands at an address, for the token that holds every scope."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target, headers={"authorization": f"Bearer {self.token}"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    async def read(self, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        """The reply to a request that is not answered in JSON: its body is the text."""
        return await asyncio.to_thread(self._ask, method, target, body, headers, bytes.decode)

    async def post(self, procedure: str, body: bytes, *, token: str | None = None) -> Reply:
        """The reply to a POST of these bytes as JSON, with the token that holds every scope unless another is given."""
        headers = {"content_type": "application/json"}
        if sent := self.token if token is None else token:
            headers["authorization"] = f"Bearer {sent}"
        return await self.ask("POST", f"/trpc/{procedure}", body, **headers)

    async def call(self, procedure: str, input: Any = NO_INPUT, *, token: str | None = None) -> Reply:
        """The reply to one call; an empty token sends none."""
        body = b"" if input is NO_INPUT else msgspec.json.encode(input)
        return await self.post(procedure, body, token=token)

    async def finished(self, execution: str) -> Any:
        """The execution, once it has finished; the test's own time limit ends the wait for one that does not."""
        while True:
            found = (await self.call("execution.get", {"execution": execution})).data
            if found["status"] in FINISHED:
                return found

    async def rows(self) -> Mapping[str, int]:
        """How many rows each table holds; a worker's own row comes and goes with it."""
        names = [table._meta.tablename for table in TABLES if table is not WorkerRow]
        counts = (f"SELECT '{name}' AS name, count(*) FROM \"{name}\"" for name in names)
        return dict(await self.runtime.database.pool.fetch(" UNION ALL ".join(counts)))

    async def node(self, script: str, **env: str) -> list[Any]:
        """What a script of ours prints, a JSON value a line, given our URL and token."""
        env = {"ROLECALL_URL": self.url, "ROLECALL_TOKEN": self.token, **env}
        printed = await asyncio.to_thread(run_script, SCRIPTS / script, env=env)
        return [msgspec.json.decode(line) for line in printed.splitlines()]

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        decode: Callable[[bytes], Any] = msgspec.json.decode,
    ) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, body, named)
            response = connection.getresponse()
            kept = {name.lower(): value for name, value in response.getheaders()}
            content = response.read()
            if kept.get("content-type") == "text/event-stream":
                return _of_events(kept, content)
            return Reply(response.status, kept, decode(content) if content else None)
        finally:
            connection.close()


def _of_events(headers: dict[str, str], content: bytes) -> Reply:
    """A subscription as one reply: its items, or why it was refused, with the status that this has elsewhere."""
    events = [
        dict(line.partition(b": ")[::2] for line in lines.split(b"\n")) for lines in content.split(b"\n\n\n") if lines
    ]
    first, *items, last = events
    assert first[b"event"] == b"connected"
    if last[b"event"] == b"serialized-error":
        error = msgspec.json.decode(last[b"data"])
        return Reply(error["data"]["httpStatus"], headers, {"error": error})
    assert last[b"event"] == b"return"
    data = [msgspec.json.decode(event[b"data"]) for event in items if b"event" not in event]
    return Reply(200, headers, {"result": {"data": data}})
