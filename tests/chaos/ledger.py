"""The effect ledger: what the performers of worker processes did, whatever became of it in the database."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec

What = Literal["began", "ended", "stopped"]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger. `at` is in seconds, by the clock of the machine that Postgres also reads."""

    what: What
    at: float
    execution: UUID
    path: str
    attempt: int
    key: str
    pid: int


class Ledger:
    """The file of one worker process. A line is one write: what the kernel has taken outlives the process."""

    def __init__(self, directory: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(directory / f"{os.getpid()}-{time.time_ns()}.ledger", flags, 0o600)

    def add(self, what: What, execution: UUID, path: str, attempt: int, key: str) -> None:
        """Write a line, and let the disk have it."""
        effect = Effect(
            what=what, at=time.time(), execution=execution, path=path, attempt=attempt, key=key, pid=os.getpid()
        )
        os.write(self._file, msgspec.json.encode(effect) + b"\n")
        os.fsync(self._file)


def read(directory: Path) -> list[Effect]:
    """Every line of every worker, in the order of time."""
    lines: Iterable[bytes] = (line for file in directory.glob("*.ledger") for line in file.read_bytes().splitlines())
    return sorted((msgspec.json.decode(line, type=Effect) for line in lines), key=lambda effect: effect.at)
