"""Nothing that a program does leads out of its sandbox, whether a type checker sees it coming or not."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic_monty import MontyCrashedError, MontyError

from services.failure import Failed
from services.programs.problems import ProgramError
from services.programs.workers import Workers
from tests.programs.conftest import TIGHT
from tests.programs.escapes import ESCAPES, REACHED
from tests.programs.test_limits import about, processes_of
from tests.programs.world import CLOCK, LIBRARY, World


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that everybody may read and write."""
    file = tmp_path / "canary"
    file.write_text(REACHED)
    file.chmod(0o666)
    return file


def test_there_are_many_ways() -> None:
    assert len(ESCAPES) >= 140


async def test_no_program_gets_anywhere(world: World, canary: Path) -> None:
    for name, escape in ESCAPES.items():
        with pytest.raises(ProgramError) as raised:
            await world.run(escape.replace("@", str(canary)))
        assert REACHED not in str(raised.value), name
        assert "Internal error" not in str(raised.value), name

    assert is_untouched(canary)


async def test_no_program_gets_anywhere_that_nobody_checked_before(workers: Workers, canary: Path) -> None:
    printed: list[str] = []
    for name, escape in ESCAPES.items():
        async with workers.session(LIBRARY, clock=CLOCK, seed="x") as session:
            await session.feed_run("import notes, tools", skip_type_check=True)
            code = escape.replace("@", str(canary))
            with pytest.raises(MontyError) as raised:
                await session.feed_run(code, skip_type_check=True, print_callback=lambda _, text: printed.append(text))
        assert not isinstance(raised.value, MontyCrashedError), name
        assert REACHED not in f"{raised.value}{printed}", name

    assert is_untouched(canary)


async def test_a_process_has_a_file_system_and_a_network_of_its_own_where_there_is_bubblewrap(world: World) -> None:
    began = world.hold(1)
    running = asyncio.create_task(world.run("await tools.count(what='a')"))
    await began.wait()
    if world.workers.confinement != "bubblewrap":
        running.cancel()
        pytest.skip("bubblewrap is not installed, or does not work here")
    (pid,) = processes_of(world.workers)
    status = dict(line.split(":\t", 1) for line in about(pid, "status").splitlines() if ":\t" in line)
    files = set(names_in(Path(f"/proc/{pid}/root")))
    namespaces = {
        kind for kind in ("net", "pid", "ipc", "mnt", "user", "uts") if namespace(pid, kind) != namespace(0, kind)
    }
    world.held[1].set()
    await running

    assert files <= {"program", "lib", "lib64", "usr"}
    assert namespaces == {"net", "pid", "ipc", "mnt", "user", "uts"}
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")


@pytest.mark.parametrize("bubblewrap", ["missing", "broken"])
async def test_without_bubblewrap_the_systems_limits_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bubblewrap: str
) -> None:
    if bubblewrap == "broken":
        (tmp_path / "bwrap").write_text("#!/bin/sh\necho no namespaces >&2\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    workers = Workers(TIGHT)

    assert await World(workers).value("1 + 1") == 2
    assert workers.confinement == "limits"
    await workers.close()


async def test_where_no_process_can_be_started_every_program_says_so() -> None:
    workers = Workers(replace(TIGHT, memory_bytes=-500 * 2**20))  # less than the interpreter itself takes
    for _ in range(2):
        with pytest.raises(Failed, match="PROGRAM_UNAVAILABLE: the interpreter of programs cannot be started: "):
            await World(workers).run("1")
    await workers.close()


def is_untouched(canary: Path) -> bool:
    """Whether the file is as it was, and alone."""
    return canary.read_text() == REACHED and names_in(canary.parent) == ["canary"]


def namespace(pid: int, kind: str) -> str:
    """Which namespace of a kind a process is in; 0 is this one."""
    return str(Path(f"/proc/{pid or 'self'}/ns/{kind}").readlink())


def names_in(folder: Path) -> list[str]:
    """What is in a folder, by name."""
    return [entry.name for entry in folder.iterdir()]
