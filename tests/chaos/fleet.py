"""Worker processes, and what can be done to them."""

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.chaos import agent_worker, worker

# A server process that has imported everything forks each worker: hundreds of them are started in a run.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.chaos.worker", "tests.chaos.agent_worker"])

# The lease is what a stopped worker is given; the rest is a fraction of it, as in production.
QUICK: Mapping[str, Any] = {
    "lease_seconds": 2,
    "heartbeat_seconds": 0.25,
    "poll_seconds": 0.2,
    "retry_seconds": 0.1,
    "grace_seconds": 5.0,
    "put_off_seconds": 1.0,
}


@dataclass
class Fleet:
    """The workers of one database. `settings` are theirs; `directory` takes what they write down.

    With a `model`, the address of one, they are agents' workers.
    """

    url: str
    directory: Path
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(QUICK))
    model: str | None = None
    workers: list[BaseProcess] = field(default_factory=list[BaseProcess])
    stopped: set[int] = field(default_factory=set[int])
    disturbed: set[int] = field(default_factory=set[int])
    """Those that others may have taken for dead while they were at work."""

    def start(self, **environment: str) -> BaseProcess:
        """A new worker."""
        given = {
            "ROLECALL_DATABASE_URL": self.url,
            worker.DIRECTORY: str(self.directory),
            worker.SETTINGS: json.dumps(self.settings),
            **environment,
        }
        main = worker.main
        if self.model is not None:
            given[agent_worker.MODEL] = self.model
            main = agent_worker.main
        process = _PROCESSES.Process(target=main, args=(given,))
        process.start()
        self.workers.append(process)
        return process

    def kill(self, process: BaseProcess) -> None:
        """End it at whatever instruction it is at, and forget it."""
        process.kill()
        process.join()
        self.workers.remove(process)

    def halt(self, process: BaseProcess) -> None:
        """Let it stand still, its connections open."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        self.stopped.add(process.pid)
        self.disturbed.add(process.pid)

    def resume(self, process: BaseProcess) -> None:
        """Let it go on as if nothing had happened."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGCONT)
        self.stopped.discard(process.pid)

    def going(self) -> list[BaseProcess]:
        """The workers that do not stand still."""
        return [process for process in self.workers if process.pid not in self.stopped]

    def disturb_all(self) -> None:
        """Remember that any of them may have lost its executions without knowing it."""
        self.disturbed |= {process.pid for process in self.workers if process.pid is not None}

    def fallen(self) -> list[BaseProcess]:
        """Workers that have ended though nobody ended them."""
        return [process for process in self.workers if process.exitcode is not None]


@contextmanager
def fleet(
    url: str, directory: Path, settings: Mapping[str, Any] = QUICK, *, model: str | None = None
) -> Iterator[Fleet]:
    """No workers yet; those that are there at the end are killed."""
    directory.mkdir(parents=True)
    fleet = Fleet(url, directory, settings, model)
    try:
        yield fleet
    finally:
        for process in list(fleet.workers):
            fleet.kill(process)
