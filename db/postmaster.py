"""A PostgreSQL server process: spawned, watched over, found again, ended; and its log."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from db.installation import Account, EmbeddedError

PORT = 5432  # only the name of the socket; no TCP port is opened

ORPHAN_PATIENCE_SECONDS = 2.0
STOP_TIMEOUT_SECONDS = 10.0
MAX_LOG_BYTES = 10_000_000

# Waits for the end of its standard input, which is the end of whoever holds the other end of the pipe.
WATCHDOG = 'read -r _; [ "$(head -n 1 "$2/postmaster.pid")" = "$1" ] && kill -INT "$1"'


@dataclass
class Postmaster:
    """The first process of a server, our child, with who ends it if we cannot: the kernel, or a watchdog."""

    process: subprocess.Popen[Any]
    watchdog: subprocess.Popen[Any] | None

    def stop(self) -> None:
        """End the server, cutting off whoever is still connected."""
        for how, seconds in ((signal.SIGINT, STOP_TIMEOUT_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
            self.process.send_signal(how)
            if self.watchdog is not None:
                # Only now, when the server knows: until then somebody has to watch us.
                self.watchdog.kill()
                self.watchdog.communicate()
                self.watchdog = None
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
                break


@dataclass(frozen=True)
class Running:
    """What a data directory's `postmaster.pid` says."""

    pid: int
    socket_dir: Path
    status: str

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        try:
            lines = (data_dir / "postmaster.pid").read_text("utf-8").splitlines()
            return cls(pid=int(lines[0]), socket_dir=Path(lines[4]), status=lines[7].strip())
        except (FileNotFoundError, IndexError, ValueError):
            return None  # not there, or still being written

    def answers(self) -> bool:
        if self.status != "ready":
            return False
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(str(self.socket_dir / f".s.PGSQL.{PORT}"))
            return True
        return False


def spawn(program: Path, data_dir: Path, socket_dir: Path, account: Account) -> Postmaster:
    """Start a server that ends with us, however we end. It is not ready yet."""
    command = [
        *(program, "-D", data_dir, "-p", str(PORT), "-c", "listen_addresses=", "-c", "logging_collector=off"),
        *("-c", f"unix_socket_directories={socket_dir}", "-c", "unix_socket_permissions=0700"),
    ]
    # A session of its own: Ctrl-C in the terminal is for us, and we need the server until we have ended well.
    apart: dict[str, Any] = {**account.popen(), "start_new_session": True}
    log = _open_log(data_dir, account)
    try:
        if _kernel_can_watch():
            apart["preexec_fn"] = _end_with_parent()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **apart)  # noqa: S603
    finally:
        os.close(log)
    if "preexec_fn" in apart:
        return Postmaster(process, None)
    try:
        watchdog = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(process.pid), data_dir],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **apart},
        )
    except BaseException:
        Postmaster(process, None).stop()
        raise
    return Postmaster(process, watchdog)


def wait_until_ready(postmaster: Postmaster, data_dir: Path, log_before: int, deadline: float) -> None:
    """Return once the server takes connections.

    Raises:
        EmbeddedError: it ended, or `deadline` (of the monotonic clock) has passed; with what its log says since byte
            `log_before`.
    """
    process = postmaster.process
    while (running := Running.read(data_dir)) is None or (running.pid, running.status) != (process.pid, "ready"):
        if process.poll() is not None:
            raise EmbeddedError(f"PostgreSQL did not start in {data_dir}{log_tail(data_dir, log_before)}")
        if time.monotonic() > deadline:
            raise EmbeddedError(f"PostgreSQL takes too long to start in {data_dir}{log_tail(data_dir, log_before)}")
        time.sleep(0.005)


def end_orphans(data_dir: Path) -> None:
    """End the servers of an owner that was killed.

    Most are shutting down already; one that was never told to is told now. Only the owner of `data_dir` may do this.
    """
    running = Running.read(data_dir)
    for how, seconds in ((None, ORPHAN_PATIENCE_SECONDS), (signal.SIGINT, STOP_TIMEOUT_SECONDS), (signal.SIGQUIT, 5.0)):
        left = _servers_in(data_dir)
        if how is not None:
            # The first process ends the others. Without it they end by themselves, or need the signal each.
            for pid in [running.pid] if running is not None and running.pid in left else left:
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            left = _servers_in(data_dir)
        if not left:
            return
    raise EmbeddedError(f"an earlier PostgreSQL still runs in {data_dir} and does not end: process {left[0]}")


def log_file(data_dir: Path) -> Path:
    """Where the server of `data_dir` writes its log."""
    return data_dir / "server.log"


def log_size(data_dir: Path) -> int:
    """Bytes in the log so far."""
    try:
        return log_file(data_dir).stat().st_size
    except FileNotFoundError:
        return 0


def log_tail(data_dir: Path, since: int) -> str:
    """What the log says from byte `since` on, its last ten lines, ready to stand behind a sentence."""
    try:
        with log_file(data_dir).open("rb") as log:
            log.seek(since if since <= log_size(data_dir) else 0)  # it may have been started anew
            lines = log.read().decode("utf-8", "replace").strip().splitlines()[-10:]
    except OSError:
        lines = []
    return "".join(["; its log says", *(f"\n  {line}" for line in lines)]) if lines else ""


def _kernel_can_watch() -> bool:
    # The kernel signals the server when the *thread* that started it ends, so that has to be the main one. Python must
    # not run code between fork and exec while other threads hold locks, so it has to be the only one.
    is_main = threading.current_thread() is threading.main_thread()
    return sys.platform == "linux" and is_main and threading.active_count() == 1


def _end_with_parent() -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def in_the_child() -> None:
        prctl(1, signal.SIGINT, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return in_the_child


def _servers_in(data_dir: Path) -> list[int]:
    """The processes of servers that run on `data_dir`."""
    if sys.platform == "linux":
        return [
            int(process.name)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and _is_server(process, data_dir)
        ]
    running = Running.read(data_dir)
    if running is None:
        return []
    shown = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "command=", "-p", str(running.pid)], capture_output=True, text=True, check=False
    )
    return [running.pid] if str(data_dir) in shown.stdout else []


def _is_server(process: Path, data_dir: Path) -> bool:
    with suppress(OSError):  # it ended meanwhile, or is somebody else's
        return (process / "comm").read_text("utf-8") == "postgres\n" and (process / "cwd").readlink() == data_dir
    return False


def _open_log(data_dir: Path, account: Account) -> int:
    # Root writes into another account's directory here: never through a link.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    if log_size(data_dir) > MAX_LOG_BYTES:
        flags |= os.O_TRUNC
    log = os.open(log_file(data_dir), flags, 0o600)
    if not account.is_ours:
        os.fchown(log, account.uid, account.gid)
    return log
