"""A process of aimock on 127.0.0.1: it speaks as OpenAI, Anthropic and others do, and remembers what it was asked."""

import http.client
import json
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from urllib.parse import urlsplit

import msgspec

from tests.node import NODE_MODULES, installed, node_command

_CLI = NODE_MODULES / "@copilotkit" / "aimock" / "dist" / "cli.js"


class Heard(msgspec.Struct, frozen=True):
    """A request as aimock journaled it; the names of `headers` are in lower case, keys are "[REDACTED]"."""

    path: str
    headers: dict[str, str]
    body: Any


class Aimock:
    """Answers with what was taught: the first fixture that matches a request, status 404 where none does.

    Fixtures and their matches are aimock's own (`{"userMessage": "hi"}`, `{"turnIndex": 1}`, `{}` for everything).
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def openai_url(self) -> str:
        """What stands in OPENAI_BASE_URL; Anthropic's is `url`."""
        return f"{self.url}/v1"

    def teach(self, response: dict[str, Any], *, match: dict[str, Any] | None = None, **options: Any) -> None:
        """Answer `response` to what matches, behind what was taught before; `options`: `latency`, `chunkSize` …"""
        self._call(
            "POST", "/__aimock/fixtures", {"fixtures": [{"match": match or {}, "response": response, **options}]}
        )

    def disturb(self, **rates: float) -> None:
        """Fail every request until `forget`: `dropRate`, `malformedRate`, `disconnectRate`, `latencyMs`."""
        self._call("POST", "/__aimock/chaos", rates)

    def heard(self) -> list[Heard]:
        """The requests since `forget`, in the order of their answers."""
        return msgspec.convert(self._call("GET", "/__aimock/journal"), list[Heard])

    def forget(self) -> None:
        """Nothing is taught, disturbed or heard any more."""
        self._call("POST", "/__aimock/reset")
        self._call("DELETE", "/__aimock/chaos")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status < 300, f"aimock answered {response.status} to {method} {path}: {answer.decode()}"
        return json.loads(answer) if answer else None


@contextmanager
def aimock_running() -> Iterator[Aimock]:
    """A process of aimock; it is gone afterwards."""
    with TemporaryDirectory() as directory:
        nothing = Path(directory) / "nothing.json"
        nothing.write_text('{"fixtures": []}')
        command = [
            *node_command(),
            str(installed(_CLI)),
            "--port",
            "0",
            "--journal-max",
            "0",
            "--fixtures",
            str(nothing),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        assert process.stdout is not None
        url = _listening_at(process.stdout)
        # A process whose output nobody reads stands still when the pipe is full.
        reader = threading.Thread(target=deque, args=(process.stdout, 0))
        reader.start()
        try:
            yield Aimock(url)
        finally:
            process.terminate()
            process.wait()
            reader.join()
            process.stdout.close()


def _listening_at(output: TextIO) -> str:
    said = []
    for line in output:
        said.append(line)
        if "listening on " in line:
            return line.split("listening on ")[1].strip()
    raise AssertionError(f"aimock does not listen: {''.join(said)}")
