"""A PostgreSQL of our own, for when nobody has given us one.

The first process that starts it on a data directory owns it: the server ends with that process, however that one ends.
Others join. A lock file beside the data directory says who owns it; the kernel lets go of it with the process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from db.installation import INSTEAD, Account, EmbeddedError, account_for, programs, reachable_data_dir
from db.postmaster import (
    PORT,
    Postmaster,
    Running,
    end_orphans,
    log_file,
    log_size,
    log_tail,
    spawn,
    wait_until_ready,
)

if sys.platform != "win32":
    import fcntl

__all__ = ["Embedded", "EmbeddedError", "start"]

USER = DATABASE = "rolecall"

# For a laptop: durable, small, quiet. They stand in postgresql.conf, where an admin may change them.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

START_TIMEOUT_SECONDS = 60.0  # recovery after a crash replays up to max_wal_size
MAX_SOCKET_PATH_BYTES = 103  # 104 with its end on macOS, 108 on Linux


@dataclass(frozen=True)
class Embedded:
    """A running server. Leaving the context, or `stop`, ends it if we own it and leaves it alone if we joined it."""

    url: str
    data_dir: Path
    _owned: _Owned | None = field(default=None, repr=False)

    @property
    def is_owner(self) -> bool:
        return self._owned is not None

    @property
    def log_file(self) -> Path:
        return log_file(self.data_dir)

    def stop(self) -> None:
        """End the server, cutting off whoever is still connected. A second call does nothing."""
        if self._owned is not None:
            self._owned.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(data_dir: Path) -> Embedded:
    """The server of `data_dir`: made if there is none, started if it is not running, joined if another process owns it.

    As root the server runs as the user nobody, and where that user cannot reach `data_dir`, under /var/lib/rolecall.

    Raises:
        EmbeddedError: it cannot run here; the message ends with the last lines of the server's log, if it got that far.
    """
    if sys.platform == "win32":
        raise EmbeddedError(f"the embedded PostgreSQL runs on Linux and macOS; here, {INSTEAD}")
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    try:
        data_dir = reachable_data_dir(data_dir.resolve())
        while True:
            lock = _lock(data_dir)
            if lock is not None:
                return _own(data_dir, lock, deadline)
            running = Running.read(data_dir)
            if running is not None and running.answers():
                return Embedded(_url(running.socket_dir), data_dir)
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"another process holds {data_dir} but its server does not answer{log_tail(data_dir, 0)}"
                )
            time.sleep(0.02)
    except OSError as problem:
        raise EmbeddedError(
            f"cannot run a database in {data_dir}: {problem}; use another directory, or {INSTEAD}"
        ) from problem


@dataclass
class _Owned:
    """What the owner holds: the server, the directory of its socket, and the lock, which is open while we own it."""

    postmaster: Postmaster
    socket_dir: Path
    lock: int

    def stop(self) -> None:
        if self.lock >= 0:
            self.postmaster.stop()
            _remove_socket_dir(self.socket_dir)
            os.close(self.lock)
            self.lock = -1


def _own(data_dir: Path, lock: int, deadline: float) -> Embedded:
    try:
        _clear_up_after(data_dir, lock)
        account = account_for(data_dir)
        bin = programs(account)
        if not (data_dir / "PG_VERSION").exists():
            _create(data_dir, bin, account)
        socket_dir = _socket_dir(account)
        try:
            # Written where the next owner finds it, should we not come to remove it.
            os.ftruncate(lock, 0)
            os.pwrite(lock, os.fsencode(socket_dir), 0)
            log_before = log_size(data_dir)
            postmaster = spawn(bin / "postgres", data_dir, socket_dir, account)
            try:
                wait_until_ready(postmaster, data_dir, log_before, deadline)
            except BaseException:
                postmaster.stop()
                raise
        except BaseException:
            _remove_socket_dir(socket_dir)
            raise
    except BaseException:
        os.close(lock)
        raise
    return Embedded(_url(socket_dir), data_dir, _Owned(postmaster, socket_dir, lock))


def _clear_up_after(data_dir: Path, lock: int) -> None:
    """End what an owner that was killed has left running, and remove what it has left lying about."""
    if (data_dir / "postmaster.pid").exists():
        end_orphans(data_dir)
        # Its number may live on, as a zombie or as somebody else's process, which PostgreSQL would take for a server.
        (data_dir / "postmaster.pid").unlink(missing_ok=True)
    socket_dir = os.fsdecode(os.pread(lock, 4096, 0))
    if socket_dir:
        _remove_socket_dir(Path(socket_dir))


def _create(data_dir: Path, bin: Path, account: Account) -> None:
    if data_dir.exists() and any(data_dir.iterdir()):
        raise EmbeddedError(f"{data_dir} is neither empty nor a database; name another directory, or {INSTEAD}")
    # Made aside and moved into place: a process that dies in between leaves no half-made database.
    aside = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    account.give(aside)
    settings = [argument for name, value in SETTINGS.items() for argument in ("--set", f"{name}={value}")]
    _must_succeed(
        [bin / "initdb", "--pgdata", aside, "--username", USER, "--auth", "trust", "--encoding", "UTF8",
         "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C", *settings],
        account,
    )  # fmt: skip
    _must_succeed([bin / "postgres", "--single", "-D", aside, "postgres"], account, f"CREATE DATABASE {DATABASE};\n")
    aside.rename(data_dir)


def _must_succeed(command: list[str | Path], account: Account, text: str = "") -> None:
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, **account.popen())  # noqa: S603
    # A single-user server reports a failed statement and still ends well.
    if done.returncode or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
        lines = "\n  ".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise EmbeddedError(f"cannot create a database: {Path(command[0]).name} says\n  {lines}")


def _lock(data_dir: Path) -> int | None:
    lock = os.open(data_dir.with_name(f"{data_dir.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _socket_dir(account: Account) -> Path:
    """A new directory that only the server's account (and root) can enter, with a short name."""
    for home in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp makes a private directory in it
        longest = home / "rolecall-xxxxxxxx" / f".s.PGSQL.{PORT}.lock"
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES and account.can_reach(home):
            socket_dir = Path(tempfile.mkdtemp(prefix="rolecall-", dir=home))
            account.give(socket_dir)
            return socket_dir
    raise EmbeddedError("no place for a socket: neither the temporary directory nor /tmp can be used")


def _remove_socket_dir(socket_dir: Path) -> None:
    if socket_dir.name.startswith("rolecall-"):
        with suppress(OSError):
            for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
                (socket_dir / name).unlink(missing_ok=True)
            socket_dir.rmdir()


def _url(socket_dir: Path) -> str:
    return f"postgresql://{USER}@/{DATABASE}?{urlencode({'host': socket_dir, 'port': PORT}, safe='/')}"
