"""What a run cost: processor time of processes and of the whole server, bytes of WAL, commits, memory. Linux only."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_PROC = Path("/proc")
_ESTABLISHED, _CLOSE_WAIT = "01", "08"
_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment; what lies between two of them is their difference."""

    process_seconds: float
    server_seconds: float
    wal_bytes: int
    commits: int

    def __sub__(self, earlier: "Reading") -> "Reading":
        return Reading(
            self.process_seconds - earlier.process_seconds,
            self.server_seconds - earlier.server_seconds,
            self.wal_bytes - earlier.wal_bytes,
            self.commits - earlier.commits,
        )


async def read(connection: asyncpg.Connection, data_dir: Path, processes: Iterable[int]) -> Reading:
    """The counters now. The backend of `connection` is ours and does not count."""
    row = await connection.fetchrow(
        # Only a transaction that writes gets a number, so these are the commits that cost something.
        "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS wal_bytes,"
        " pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS commits"
    )
    assert row is not None
    return Reading(
        process_seconds=sum(map(cpu_seconds, processes)),
        server_seconds=_server_seconds(data_dir, without=connection.get_server_pid()),
        wal_bytes=int(row["wal_bytes"]),
        commits=row["commits"],
    )


def cpu_seconds(process: int) -> float:
    """Processor time of all threads of a process, also of those that have ended."""
    return time.clock_gettime(~process << 3 | 2)  # clock_getcpuclockid(3), which Python does not have


def resident_bytes(process: int) -> int:
    """How much memory a process holds at this moment."""
    pages = (_PROC / str(process) / "statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def connections(port: int) -> int:
    """How many connections to a port of this machine's IPv4 addresses the process behind it has not closed yet."""
    sockets = [line.split() for line in (_PROC / "net" / "tcp").read_text().splitlines()[1:]]
    return sum(socket[1].endswith(f":{port:04X}") and socket[3] in (_ESTABLISHED, _CLOSE_WAIT) for socket in sockets)


def _server_seconds(data_dir: Path, *, without: int) -> float:
    """Processor time of the server: its first process, the children it has, and those that have ended."""
    first = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
    ended = sum(map(int, _stat(first)[13:15])) * _TICK
    spent = cpu_seconds(first) + ended
    for process in (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()):
        with suppress(OSError):  # one that has ended just now
            if process != without and int(_stat(process)[1]) == first:
                spent += cpu_seconds(process)
    return spent


def _stat(process: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the third on; the second may hold spaces."""
    return (_PROC / str(process) / "stat").read_text().rpartition(") ")[2].split()
