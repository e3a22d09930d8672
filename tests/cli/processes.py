"""`rolecall` as a user runs it: real processes over a data directory of the test's own, and their API over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.01

T = TypeVar("T")


@dataclass(frozen=True)
class Rolecall:
    """The command line over one data directory, in an environment of its own."""

    data_dir: Path
    settings: dict[str, str]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command, finished."""
        return subprocess.run(
            self._command(arguments),
            capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False, **self._place(settings),
        )  # fmt: skip

    @contextmanager
    def started(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """A command under way, told to end if it still runs. What it says on stderr stands among the rest."""
        with subprocess.Popen(
            self._command(arguments),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self._place(settings),
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=DEADLINE_SECONDS)

    @contextmanager
    def up(self, *, command: str = "up", **settings: str) -> Iterator["Up"]:
        """`rolecall up`, or `serve`, once it answers."""
        with self.started(command, **settings) as process:
            token = self.data_dir / "admin-token"
            yield Up(process, _url(process), token)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "api.cli", *arguments]

    def _place(self, settings: dict[str, str]) -> dict[str, Any]:
        own = {"ROLECALL_DATA_DIR": str(self.data_dir), "ROLECALL_PORT": "0", "PATH": os.environ["PATH"]}
        return {"cwd": ROOT, "env": {**own, **self.settings, **settings}}


@dataclass(frozen=True)
class Up:
    """A serving process and how to call it."""

    process: subprocess.Popen[str]
    url: str
    token_file: Path

    def query(self, procedure: str, **input: Any) -> Any:
        """The result of a query."""
        return self._call(f"{procedure}?input={quote(json.dumps(input))}", None)

    def mutate(self, procedure: str, **input: Any) -> Any:
        """The result of a mutation."""
        return self._call(procedure, json.dumps(input).encode())

    def statuses(self, execution: str) -> dict[str, str]:
        """The status of each step."""
        return {log["name"]: log["status"] for log in self.query("execution.steps", execution=execution)}

    def finished(self, execution: str) -> Any:
        """The execution, once it is finished."""
        is_finished = {"completed", "failed", "cancelled", "timed_out"}.__contains__
        return until(lambda: self.query("execution.get", execution=execution), lambda it: is_finished(it["status"]))

    def end(self, how: signal.Signals) -> int:
        """The exit code after that signal; the rest of what was said is read, so that nobody waits for a full pipe."""
        self.process.send_signal(how)
        self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode

    def _call(self, path: str, body: bytes | None) -> Any:
        headers = {
            "Authorization": f"Bearer {self.token_file.read_text().strip()}", "Content-Type": "application/json"
        }  # fmt: skip
        try:
            with urlopen(Request(f"{self.url}/trpc/{path}", data=body, headers=headers), timeout=10) as response:
                return json.load(response)["result"]["data"]
        except HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from None


def until(look: Callable[[], T], is_there: Callable[[T], bool]) -> T:
    """What `look` sees once it is there; it looks every few milliseconds."""
    deadline, pause = time.monotonic() + DEADLINE_SECONDS, threading.Event()
    while not is_there(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_SECONDS:.0f} s; last seen: {seen}")
        pause.wait(POLL_SECONDS)
    return seen


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"at (http://\S+),", line):
            return found[1]
    raise AssertionError(f"it ended before it served: {''.join(said)}")
