"""A real browser for the tests, spoken to over its DevTools protocol: what it shows, asks for and complains of."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE_SECONDS = 20.0


class BrowserMissing(Exception):
    """There is none on this machine; the message says what to do."""


@dataclass
class Page:
    """A page that has been loaded: the URLs that it asked for, and what the console says."""

    _connection: ClientConnection
    _session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1_000))

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to in the page; promises are waited for."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """What an expression comes to once it is true of the page, or of one that the page leads to."""
        look = f"(async () => {{ await new Promise((done) => setTimeout(done, 20)); return {expression}; }})()"
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            said = self._answer("Runtime.evaluate", expression=look, returnByValue=True, awaitPromise=True)
            # A page that is being left answers with an error, and what is not there yet may raise one.
            found = said.get("result", {})
            if "exceptionDetails" not in found and (value := found.get("result", {}).get("value")):
                return value
        shown = self.value("document.body.innerText")
        raise AssertionError(f"this did not come to be: {expression}; the page shows: {shown}")

    def send(self, method: str, **params: Any) -> Any:
        """The answer to a command; what happens meanwhile is noted."""
        said = self._answer(method, **params)
        assert "error" not in said, said
        return said["result"]

    def loaded(self, url: str) -> None:
        """Go to a URL and wait until all of it is there."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.navigate", url=url)
        self._until(lambda said: said.get("method") == "Page.loadEventFired")

    def _answer(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, "sessionId": self._session}
        self._connection.send(json.dumps(message))
        return self._until(lambda said: said.get("id") == number)

    def _until(self, is_it: Any) -> Any:
        while True:
            said = json.loads(self._connection.recv(timeout=PATIENCE_SECONDS))
            self._note(said)
            if is_it(said):
                return said

    def _note(self, said: Mapping[str, Any]) -> None:
        match said.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            case "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["params"]))


@contextmanager
def shown(url: str) -> Iterator[Page]:
    """The page at a URL, in a browser of its own that nobody sees.

    Raises:
        BrowserMissing: there is no browser.
    """
    with ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        process = stack.enter_context(_started(profile))
        address = _address(process)
        connection = stack.enter_context(connect(address, max_size=None))
        page = Page(connection, "")
        yield _opened(page, url)


def found() -> str | None:
    """Where a browser is, if there is one: `ROLECALL_BROWSER`, or on PATH."""
    return os.environ.get("ROLECALL_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def _started(profile: str) -> Iterator[subprocess.Popen[str]]:
    browser = found()
    if browser is None:
        raise BrowserMissing("no browser on this machine: install chromium, or set ROLECALL_BROWSER")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={Path(profile)}", "--remote-debugging-port=0", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if "listening on ws://" in line:
            return line.partition("listening on ")[2].strip()
    raise AssertionError(f"the browser ended before it listened: {''.join(said)}")


def _opened(page: Page, url: str) -> Page:
    # Commands without a session are for the browser itself; it gives a new tab one.
    target = page.send("Target.createTarget", url="about:blank")["targetId"]
    page._session = page.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page.loaded(url)
    return page
