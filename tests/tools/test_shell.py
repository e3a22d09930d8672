"""`shell.run` runs in a sandbox, from which nothing of the machine can be reached or changed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.sandbox import NoSandbox, Sandbox, program, seccomp
from services.tools import shell
from services.tools.tool import Tool
from tests.tools.calling import called, refused

HAS_BUBBLEWRAP = shutil.which("bwrap") is not None


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    if not HAS_BUBBLEWRAP:
        pytest.skip("bubblewrap is not installed")
    yield await Sandbox.probed()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    opened = tmp_path / "open"
    opened.mkdir()
    (opened / "plan.txt").write_text("tea\n")
    (tmp_path / "secret.txt").write_text("secret\n")
    for path in (opened, *opened.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    return opened


@pytest.fixture
def run(sandbox: Sandbox, folder: Path) -> Tool:
    (tool,) = shell.tools(sandbox, str(folder))
    return tool


async def test_where_there_is_no_bubblewrap_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(NoSandbox, match=r"bubblewrap \(bwrap\) is not installed"):
        await Sandbox.probed()


async def test_a_bubblewrap_that_does_not_work_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    for path in (broken, tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(NoSandbox, match="want of user namespaces: No permissions to create new namespace"):
        await Sandbox.probed()


async def test_a_command_reads_the_folder_and_its_input_and_says_what_it_finds(run: Tool) -> None:
    result = await called(run, command="cat plan.txt; tr a-z A-Z; echo oops >&2; exit 3", given="more")

    assert result == {"exitCode": 3, "output": "tea\nMORE", "errors": "oops\n", "isCut": False}


@pytest.mark.parametrize(
    "command",
    [
        "cat ../secret.txt",
        "cat /etc/passwd",
        "ls /root /home /var /work",
        "echo x > plan.txt",
        "rm plan.txt",
        "ln -s /etc/passwd /folder/link",
        "touch /usr/bin/new",
        "touch /new",
        "touch /dev/new",
        "mount -t tmpfs none /tmp",
        "unshare --user true",
        "unshare --net true",
        "chroot /tmp true",
        "mknod /tmp/zero c 1 5",
        "exec 3<>/dev/tcp/127.0.0.1/80",
        "python3 -c 'import socket; socket.socket()'",
        "python3 -c 'import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)'",
        "dd if=/dev/zero of=/tmp/large bs=1M count=100",
        "python3 -c 'bytearray(2 << 30)'",
    ],
)
async def test_what_reaches_outside_does_not_work(run: Tool, folder: Path, command: str) -> None:
    result = await called(run, command=command)

    assert result["exitCode"] != 0
    assert _content(folder) == {"plan.txt": "tea\n"}


async def test_it_is_an_ordinary_user_without_rights_or_a_past(run: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLECALL_SECRETS_KEY", "planted")

    environment = await called(run, command="cat /proc/*/environ | tr '\\0' '\\n'; env")
    status = await called(run, command="cat /proc/self/status; id -u; ls /proc | grep -c '^[0-9]'")

    assert "planted" not in str(environment) and "ROLECALL" not in str(environment)
    lines = status["output"].splitlines()
    assert {"NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} <= set(lines)
    assert int(lines[-2]) != 0
    assert int(lines[-1]) < 8


async def test_what_is_written_is_gone_afterwards(run: Tool) -> None:
    written = await called(run, command="echo x > /tmp/new; ls /tmp")
    later = await called(run, command="ls /tmp")

    assert (written["output"], later["output"]) == ("new\n", "")


async def test_time_output_and_processes_are_bounded(run: Tool) -> None:
    endless = await refused(run, command="sleep 1000", seconds=1)
    busy = await refused(run, command="while :; do :; done", seconds=1)
    loud = await called(run, command="yes")
    bomb = await called(run, command="bomb() { bomb | bomb & }; bomb; wait", seconds=5)

    assert endless == busy == "the command was ended: it was not done within 1 seconds"
    assert (loud["isCut"], len(loud["output"]), loud["exitCode"]) == (True, 64 * 1024, -9)
    assert "fork" in bomb["errors"].lower()


async def test_whatever_it_has_started_ends_with_it(sandbox: Sandbox) -> None:
    marker = f"31{os.getpid():07d}"

    await sandbox.run(("/bin/sh", "-c", f"sleep {marker} & setsid sleep {marker} & exit 0"))
    with pytest.raises(program.TooLong):
        await sandbox.run(("/bin/sh", "-c", f"setsid sleep {marker} & sleep {marker}"), seconds=0.5)
    task = asyncio.create_task(sandbox.run(("/bin/sh", "-c", f"setsid sleep {marker} & sleep {marker}")))
    await asyncio.to_thread(_until, lambda: _running(marker))
    task.cancel()
    await asyncio.wait([task])

    # The kernel takes a moment to end them all.
    await asyncio.to_thread(_until, lambda: not _running(marker))


def test_another_machine_has_no_filter_or_one_of_its_own() -> None:
    assert seccomp.filter_of("riscv64") is None
    assert len({seccomp.filter_of("x86_64"), seccomp.filter_of("aarch64")}) == 2


def _content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        pass


def _running(marker: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{marker}\0".encode():
                return True
        except OSError:
            continue
    return False
