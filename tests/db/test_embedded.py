"""The embedded server: real processes, started, joined, killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from db import embedded, installation, postmaster
from db.connection import CannotOpen, connect
from db.embedded import EmbeddedError
from db.installation import Account

ROOT = Path(__file__).parents[2]
WHEEL = find_spec(installation.PACKAGE)
assert WHEEL and WHEEL.origin
PACKAGE = Path(WHEEL.origin).parent

# Says what it got and keeps it until its standard input ends.
HOLDER = """
import json, os, sys, threading
from pathlib import Path
from db import embedded

def hold():
    with embedded.start(Path(sys.argv[1])) as server:
        print(json.dumps([server.url, server.is_owner, os.getpid()]), flush=True)
        sys.stdin.read()

if sys.argv[2] == "main thread":
    hold()
else:
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
"""

Hold = Callable[..., "Holder"]
NewDirectory = Callable[[], AbstractContextManager[Path]]


class Holder:
    """A process that started the server, or joined it."""

    def __init__(
        self, data_dir: Path, *, thread: str = "main thread", python: str = sys.executable, **popen: Any
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", HOLDER, data_dir, thread], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen
        )
        assert self.process.stdout
        self.url, self.is_owner, self.pid = json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def hold() -> Iterator[Hold]:
    """`hold(data_dir)` starts a process that holds the server of `data_dir`; all of them are killed after the test."""
    holders: list[Holder] = []

    def start(*arguments: Any, **options: Any) -> Holder:
        holders.append(Holder(*arguments, **options))
        return holders[-1]

    yield start
    for holder in holders:
        holder.process.kill()
        holder.process.communicate()


@pytest.fixture
def directory(new_directory: NewDirectory) -> Iterator[Path]:
    """A place for the test, where no server is left running."""
    with new_directory() as directory:
        yield directory
        if (directory / "data.lock").exists():
            with (directory / "data.lock").open("rb") as lock:
                embedded._clear_up_after(directory / "data", lock.fileno())


@pytest.fixture
def new_dir(directory: Path) -> Path:
    """Where a server may live."""
    return directory / "data"


@pytest.fixture(scope="module")
def made(new_directory: NewDirectory) -> Iterator[Path]:
    """A server's directory after its first start and stop: making one takes longer than copying it."""
    with new_directory() as directory:
        embedded.start(directory / "data").stop()
        yield directory / "data"


@pytest.fixture
def data_dir(made: Path, new_dir: Path) -> Path:
    """Where a server has lived."""
    subprocess.run(["cp", "-a", made, new_dir], check=True)
    return new_dir


def test_a_server_is_made_at_first_and_keeps_its_rows(new_dir: Path) -> None:
    with embedded.start(new_dir) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 'here' AS what")
    with pytest.raises(CannotOpen):
        query(server.url, "SELECT 1")

    with embedded.start(new_dir) as server:
        kept = query(server.url, "SELECT what FROM kept")

    assert (kept, server.is_owner, server.data_dir) == ("here", True, new_dir)


def test_a_server_is_durable_and_speaks_utf8_and_utc(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        names = "fsync synchronous_commit server_encoding TimeZone listen_addresses"
        settings = [query(server.url, f"SHOW {name}") for name in names.split()]
        upper = query(server.url, "SELECT upper('é')")

    assert (settings, upper) == (["on", "on", "UTF8", "UTC", ""], "É")


def test_only_its_own_account_can_come_near_it(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (data_dir, socket_dir(server.url), server.log_file)]
        owner = data_dir.stat().st_uid
        environment = Path(f"/proc/{pid}/environ").read_text() if Path("/proc").exists() else "PATH=\0LC_ALL=\0TZ="

    assert modes == [0o700, 0o700, 0o600]
    assert owner == (pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())
    assert {line.partition("=")[0] for line in environment.split("\0") if line} <= {"PATH", "LC_ALL", "TZ", "PGDATA"}


def test_a_second_process_joins_and_leaves_the_server_running(data_dir: Path, hold: Hold) -> None:
    owner = hold(data_dir)
    guest = hold(data_dir)

    guest.end()

    assert (owner.is_owner, guest.is_owner, guest.url) == (True, False, owner.url)
    assert query(owner.url, "SELECT 1") == 1
    owner.end()
    assert not socket_dir(owner.url).exists()


def test_processes_that_start_at_once_have_one_owner(new_dir: Path, hold: Hold) -> None:
    starting = [asyncio.to_thread(hold, new_dir) for _ in range(4)]

    async def together() -> list[Holder]:
        return await asyncio.gather(*starting)

    holders = asyncio.run(together())

    assert sorted(holder.is_owner for holder in holders) == [False, False, False, True]
    assert len({holder.url for holder in holders}) == 1


@pytest.mark.parametrize("thread", ["main thread", "another thread"])
def test_the_server_ends_with_a_killed_owner_and_the_next_one_recovers(data_dir: Path, hold: Hold, thread: str) -> None:
    owner = hold(data_dir, thread=thread)
    query(owner.url, "CREATE TABLE kept AS SELECT 1 AS what")

    owner.kill()
    await_end(owner.url)
    with embedded.start(data_dir) as server:
        kept = query(server.url, "SELECT what FROM kept")

    assert (kept, server.is_owner) == (1, True)
    assert not socket_dir(owner.url).exists()


@pytest.mark.parametrize("postgres_too", [False, True])
def test_a_start_right_after_a_kill_waits_and_recovers(data_dir: Path, hold: Hold, postgres_too: bool) -> None:
    owner = hold(data_dir)
    query(owner.url, "CREATE TABLE kept AS SELECT 1 AS what")
    pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])

    if postgres_too:
        os.kill(pid, signal.SIGKILL)
    owner.kill()
    with embedded.start(data_dir) as server:
        kept = query(server.url, "SELECT what FROM kept")

    assert (kept, server.is_owner) == (1, True)


def test_an_orphan_that_nobody_told_to_end_is_ended(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "ORPHAN_PATIENCE_SECONDS", 0.05)
    server = embedded.start(data_dir)
    assert server._owned
    os.close(server._owned.lock)  # as if the owner had gone, and with it every means to tell the server

    with embedded.start(data_dir) as next_server:
        assert query(next_server.url, "SELECT 1") == 1

    assert server._owned.postmaster.process.wait() == 0
    server._owned.postmaster.stop()  # where a watchdog was to end it, that waits still


def test_a_stale_pid_file_of_a_living_process_does_not_stop_a_start(data_dir: Path) -> None:
    embedded.start(data_dir).stop()
    (data_dir / "postmaster.pid").write_text(f"{os.getppid()}\n{data_dir}\n0\n5432\n/tmp\n\n  0  0\nready   \n")

    with embedded.start(data_dir) as server:
        assert query(server.url, "SELECT 1") == 1


def test_a_start_that_died_half_way_leaves_nothing_in_the_way(new_dir: Path) -> None:
    half_made = new_dir.with_name("data.new")
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")

    with embedded.start(new_dir) as server:
        assert query(server.url, "SELECT 1") == 1


def test_the_terminal_s_ctrl_c_is_not_for_the_server(data_dir: Path, hold: Hold) -> None:
    owner = hold(data_dir, start_new_session=True)

    os.killpg(owner.pid, signal.SIGCONT)  # the group exists and is the owner's
    pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])

    assert (os.getpgid(owner.pid), os.getpgid(pid)) == (owner.pid, pid)


def test_an_ordinary_user_starts_it_as_itself(directory: Path, hold: Hold) -> None:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    home = directory / "home"
    home.mkdir(mode=0o700)
    if as_user:
        os.chown(home, user.pw_uid, user.pw_gid)

    owner = hold(home / "data", python=python_of(user), env={"PYTHONPATH": f"{ROOT}:{PACKAGE.parent}"}, **as_user)

    assert (owner.is_owner, (home / "data").stat().st_uid) == (True, user.pw_uid)
    assert query(owner.url, "SELECT 1") == 1
    owner.end()


if os.geteuid() == 0:
    # Only root steps down to another account; for everybody else there is nothing here to test, or to skip.

    def test_what_the_account_cannot_reach_is_put_where_it_can(
        directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = directory / "var"
        monkeypatch.setattr(installation, "SYSTEM_DIRS", (Path("/proc/nowhere"), system))
        private = tmp_path / "venv"  # pytest makes it with mode 700
        shutil.copytree(PACKAGE / "pginstall18", private / PACKAGE.name / "pginstall18")
        shutil.copytree(PACKAGE.with_name(f"{PACKAGE.name}.libs"), private / f"{PACKAGE.name}.libs")
        (private / PACKAGE.name / "__init__.py").touch()
        monkeypatch.syspath_prepend(private)
        mode = stat.S_IMODE(tmp_path.stat().st_mode)

        with embedded.start(tmp_path / "data") as first:
            query(first.url, "CREATE TABLE kept AS SELECT 1 AS what")
        with embedded.start(tmp_path / "data") as second:
            kept = query(second.url, "SELECT what FROM kept")

        assert (kept, first.data_dir.parent, second.data_dir) == (1, system / "data", first.data_dir)
        assert [path.name for path in (system / "programs").iterdir()] == ["pginstall18-0.6.0"]
        assert (stat.S_IMODE(tmp_path.stat().st_mode), (tmp_path / "data").exists()) == (mode, False)

    def test_a_directory_of_a_user_is_served_as_that_user(new_dir: Path) -> None:
        user = pwd.getpwnam("daemon")
        new_dir.mkdir(mode=0o700)
        os.chown(new_dir, user.pw_uid, user.pw_gid)

        with embedded.start(new_dir) as server:
            assert query(server.url, "SELECT 1") == 1

        assert (new_dir / "PG_VERSION").stat().st_uid == user.pw_uid

    def test_reach_goes_by_owner_group_and_mode(directory: Path) -> None:
        account = Account(uid=1234, gid=5678)
        inner = directory / "inner"
        inner.mkdir()

        def reached(uid: int, gid: int, mode: int) -> bool:
            os.chown(inner, uid, gid)
            inner.chmod(mode)
            return account.can_reach(inner)

        assert [
            reached(0, 0, 0o755), reached(0, 0, 0o750), reached(0, 5678, 0o750), reached(0, 5678, 0o705),
            reached(1234, 0, 0o500), reached(1234, 0, 0o055), reached(0, 0, 0o701),
        ] == [True, False, True, False, True, False, False]  # fmt: skip


def test_a_platform_without_a_wheel_is_told_what_to_do(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "PACKAGE", "no_such_wheel")

    with pytest.raises(
        EmbeddedError, match=r"^there is no embedded PostgreSQL for Python .*; set ROLECALL_DATABASE_URL"
    ):
        embedded.start(new_dir)


def test_a_directory_with_something_else_in_it_is_left_alone(new_dir: Path) -> None:
    new_dir.mkdir()
    (new_dir / "letters.txt").touch()

    with pytest.raises(EmbeddedError, match="is neither empty nor a database"):
        embedded.start(new_dir)

    assert [path.name for path in new_dir.iterdir()] == ["letters.txt"]


def test_a_place_where_nothing_can_be_written_is_named(directory: Path) -> None:
    (directory / "file").touch()

    with pytest.raises(EmbeddedError, match=r"^cannot run a database in .*/file/data: .*/file is not a directory; use"):
        embedded.start(directory / "file" / "data")


def test_a_server_that_does_not_start_shows_the_end_of_its_log(data_dir: Path) -> None:
    embedded.start(data_dir).stop()
    with (data_dir / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = nonsense\n")

    with pytest.raises(EmbeddedError) as refusal:
        embedded.start(data_dir)

    first, *log = str(refusal.value).splitlines()
    assert first == f"PostgreSQL did not start in {data_dir}; its log says"
    assert any('invalid value for parameter "shared_buffers": "nonsense"' in line for line in log)


def query(url: str, statement: str) -> Any:
    async def ask() -> Any:
        connection = await connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def socket_dir(url: str) -> Path:
    return Path(url.partition("host=")[2].partition("&")[0])


def await_end(url: str) -> None:
    """Returns once nobody listens on the socket: a connection that is open ends with the server."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(30)
        connection.connect(str(socket_dir(url) / ".s.PGSQL.5432"))
        connection.recv(1)


def python_of(user: pwd.struct_passwd) -> str:
    """A Python that `user` can run: ours may live under a home directory."""
    candidates = [sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")]
    for python in filter(None, candidates):
        if Account(user.pw_uid, user.pw_gid).can_reach(Path(python).resolve()):
            return python
    pytest.skip(f"no Python that {user.pw_name} can run")
