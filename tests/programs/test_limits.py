"""Whatever a program does, it ends, and the next one runs."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.failure import Failed
from services.json import Json, JsonObject
from services.programs.problems import ProgramError
from services.programs.recorded import Recorded
from services.programs.workers import Workers
from tests.programs.conftest import TIGHT
from tests.programs.world import World

TIME = "PROGRAM_LIMIT: the program computed for longer than 1 seconds"
MEMORY = "PROGRAM_LIMIT: the program took more than 67,108,864 bytes of memory"

GREEDY = {
    "endless loop": ("while True: pass", TIME),
    "endless loop that catches": ("try:\n    while True: pass\nexcept BaseException:\n    1", TIME),
    "endless printing": ("while True: print('x' * 1000)", TIME),
    "endless await": ("import asyncio\nwhile True: await asyncio.sleep(1)", "PROGRAM_LIMIT: "),
    "large number": ("x = 3\nwhile True: x = x * x", "PROGRAM_"),
    "list that doubles": ("x = [0]\nwhile True: x = x + x", MEMORY),
    "text that doubles": ("x = 'x'\nwhile True: x = x + x", MEMORY),
    "text beyond any memory": ("'x' * (1 << 60)", MEMORY),
    "list beyond the memory": ("[0] * 20_000_000", MEMORY),
    "power": ("10 ** 10 ** 8", MEMORY),
    "shift": ("1 << (1 << 40)", "PROGRAM_"),
    "padding": ("f'{1:>{1 << 40}}'", "PROGRAM_"),
    "factorial": ("import math\nmath.factorial(10 ** 7)", "PROGRAM_LIMIT: "),
    "pairs of pairs": ("x = ()\nfor _ in range(40): x = (x, x)\nrepr(x)", "PROGRAM_LIMIT: "),
    "endless recursion": ("def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "deep nesting": ("x = []\nfor _ in range(100): x = [x]\nx", "the value is nested deeper than 64 levels"),
    "deeper nesting": ("x = []\nfor _ in range(100_000): x = [x]\nx", "the value is nested deeper than 64 levels"),
    "deep source": ("(" * 5_000, "PROGRAM_INVALID: "),
    "large value": ("'x' * 2_000", "PROGRAM_LIMIT: the value of its last line has 2,002 bytes; up to 1,000 are taken"),
    "very large value": ("'x' * 10_000_000", "PROGRAM_LIMIT: the value of its last line has 10,000,002 bytes"),
    "long program": ("#" * 70_000, "PROGRAM_LIMIT: the program has 70,000 characters; up to 64,000 are run"),
    "many calls": (
        "for _ in range(21): await tools.count(what='a')",
        "PROGRAM_LIMIT: the program made more than 20 calls",
    ),
    "calls that are not awaited": ("x = [tools.count(what='a') for _ in range(100)]", "made more than 20 calls"),
    "names that do not exist": (
        "for _ in range(10_000):\n    try: eval('nowhere')\n    except NameError: pass",
        "PROGRAM_LIMIT: the program looked up what does not exist, again and again",
    ),
}


@pytest.mark.parametrize("name", GREEDY)
async def test_a_greedy_program_is_told_which_limit_it_reached(world: World, name: str) -> None:
    code, said = GREEDY[name]
    with pytest.raises(ProgramError) as raised:
        await world.run(code)

    assert said in str(raised.value)
    assert len(str(raised.value)) < 6_000
    assert await world.value("1 + 1") == 2


async def test_what_is_printed_is_kept_up_to_a_bound(world: World) -> None:
    outcome = await world.run("for n in range(1000): print(n)\n'done'")

    assert (outcome.value, len(outcome.printed)) == ("done", 100)


async def test_arguments_and_results_that_are_too_large_are_raised(world: World) -> None:
    code = """
said = []
for size in (2_000, 900):
    try:
        await notes.read(path="x" * size)
    except Exception as error:
        said.append(str(error))
said
"""
    asked, given = await world.value(code)  # type: ignore[misc]

    assert asked == "notes.read(): the arguments have 2,011 bytes; up to 1,000 are taken: ask for less"
    assert "the result has 1,8" in str(given)
    assert [number for number, _, _ in world.made] == [1]


async def test_a_call_that_is_never_awaited_is_not_made_and_the_program_says_so(world: World) -> None:
    with pytest.raises(ProgramError, match="its call 1, of count, was never awaited, so it was not made"):
        await world.run("x = tools.count(what='a')\n1")

    assert world.made == []


async def test_a_process_that_ends_under_its_program_is_a_failure_and_the_next_one_runs(world: World) -> None:
    began = world.hold(2)
    running = asyncio.create_task(world.run("await tools.count(what='a')\nawait tools.count(what='b')"))
    await began.wait()
    (pid,) = processes_of(world.workers)
    os.kill(pid, signal.SIGKILL)
    world.held[2].set()

    with pytest.raises(Failed) as raised:
        await running

    assert (raised.value.failure.code, raised.value.failure.retryable) == ("PROGRAM_CRASHED", True)
    assert [each.number for each in world.recorded] == [1, 2]  # what was under way was waited for, and kept
    assert await world.value("1 + 1") == 2


async def test_a_program_that_is_stopped_leaves_no_process(world: World) -> None:
    began = world.hold(1)
    waiting = asyncio.create_task(world.run("await tools.count(what='a')"))
    await began.wait()
    computing = asyncio.create_task(world.run("while True: pass"))
    await become(world.workers, 2)
    waiting.cancel()
    computing.cancel()

    ended = await asyncio.gather(waiting, computing, return_exceptions=True)

    assert [type(each) for each in ended] == [asyncio.CancelledError, asyncio.CancelledError]
    assert world.recorded == []
    await become(world.workers, 0)


async def test_fifty_programs_at_once_share_few_processes(workers: Workers) -> None:
    at_work: set[int] = set()
    most = 0

    class Counting(World):
        async def call(self, number: int, name: str, arguments: JsonObject) -> Json:
            nonlocal most
            at_work.add(id(self))
            most = max(most, len(at_work))
            return await super().call(number, name, arguments)

        async def record(self, recorded: Recorded) -> None:
            at_work.discard(id(self))

    worlds = [Counting(workers) for _ in range(50)]
    values = await asyncio.gather(
        *(world.value(f"await tools.count(what='x' * {n})") for n, world in enumerate(worlds))
    )

    assert values == list(range(50))
    assert 1 <= most <= 4
    await become(workers, 0)


async def test_each_process_is_bounded_by_the_system_too(world: World) -> None:
    began = world.hold(1)
    running = asyncio.create_task(world.run("await tools.count(what='a')"))
    await began.wait()
    (pid,) = processes_of(world.workers)
    limits, environment = about(pid, "limits"), about(pid, "environ")
    world.held[1].set()
    await running

    rows = {line[:25].strip(): line[25:].split()[0] for line in limits.splitlines()[1:]}
    assert rows["Max address space"] == str(64 * 2**20 + 512 * 2**20)
    assert (rows["Max cpu time"], rows["Max core file size"], rows["Max file size"]) == ("120", "0", "0")
    assert "PATH" not in environment


async def test_there_is_no_process_before_the_first_program_and_none_after_the_end() -> None:
    workers = Workers(TIGHT)
    await workers.close()
    assert workers.confinement is None
    world = World(workers)

    assert await world.value("1") == 1
    assert workers.confinement in ("bubblewrap", "limits")
    await workers.close()
    await become(workers, 0)
    assert await world.value("2") == 2  # it opens again
    await workers.close()


async def test_a_process_that_does_not_answer_is_ended() -> None:
    workers = Workers(replace(TIGHT, seconds=0.2))
    world = World(workers)
    began = world.hold(1)
    running = asyncio.create_task(world.run("await tools.count(what='a')\nwhile True: pass"))
    await began.wait()
    (pid,) = processes_of(workers)
    os.kill(pid, signal.SIGSTOP)
    world.held[1].set()

    with pytest.raises(ProgramError, match=r"PROGRAM_LIMIT: the program computed for longer than 0\.2 seconds"):
        await running

    assert await world.value("1") == 1
    await workers.close()


async def become(workers: Workers, count: int) -> None:
    """Return once there are so many interpreters."""
    async with asyncio.timeout(10):
        while len(processes_of(workers)) != count:  # noqa: ASYNC110 - nobody tells when a process has gone
            await asyncio.sleep(0)


def about(pid: int, what: str) -> str:
    """What the system says of a process."""
    return Path(f"/proc/{pid}/{what}").read_text()


def processes_of(workers: Workers) -> set[int]:
    """The interpreters among this process's descendants, bubblewrap's own processes left out."""
    parents: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        pid, rest = int(text.split(" ", 1)[0]), text.rpartition(")")[2].split()
        names[pid] = text[text.index("(") + 1 : text.rindex(")")]
        if rest[0] != "Z":
            parents.setdefault(int(rest[1]), []).append(pid)
    found: set[int] = set()
    left = [os.getpid()]
    while left:
        for child in parents.get(left.pop(), []):
            left.append(child)
            if names[child] in ("monty", "program"):
                found.add(child)
    return found
