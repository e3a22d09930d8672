"""A program that was interrupted is run again from what was recorded, and nothing recorded is done again."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.failure import Failed
from services.json import Json, JsonObject
from services.programs.limits import Limits
from services.programs.problems import ProgramError
from services.programs.program import Outcome, run
from services.programs.recorded import Recorded
from services.programs.workers import Workers
from services.tools.tool import ToolError
from tests.programs.world import World

CHAINS = """
import asyncio
async def chain(k):
    first = await tools.count(what="x" * k)
    try:
        second = await notes.read(path="gone" if k == 2 else "y" * first)
    except RuntimeError:
        second = await notes.read(path="z")
    return second["text"]
print("begin")
each = await asyncio.gather(chain(1), chain(2), chain(3))
await notes.write(path=",".join(each))
each
"""


class Killed(Exception):
    """The worker has died here."""


class Mortal(World):
    """Dies when so many results are recorded; calls end in an order that `chance` gives."""

    def __init__(self, workers: Workers, *, lives: int = 1_000, chance: random.Random | None = None) -> None:
        super().__init__(workers)
        self._lives = lives
        self._chance = chance or random.Random(0)

    async def call(self, number: int, name: str, arguments: JsonObject) -> Json:
        for _ in range(self._chance.randrange(5)):
            await asyncio.sleep(0)
        return await super().call(number, name, arguments)

    async def record(self, recorded: Recorded) -> None:
        if len(self.recorded) == self._lives:
            raise Killed
        await super().record(recorded)


@pytest.mark.parametrize("lives", range(8))
async def test_wherever_it_was_interrupted_it_comes_to_the_same_and_repeats_nothing(
    workers: Workers, lives: int
) -> None:
    first = Mortal(workers, lives=lives)
    with pytest.raises(Killed):
        await first.run(CHAINS)
    second = Mortal(workers)
    second.recorded = list(first.recorded)

    outcome = await second.run(CHAINS, first.recorded)

    assert outcome == Outcome(value=["Y", "Z", "YYY"], printed="begin\n", calls=8)
    known = {each.number for each in first.recorded}
    assert known.isdisjoint(number for number, _, _ in second.made)
    assert sorted(each.number for each in second.recorded) == list(range(1, 9))
    for number, name, arguments in second.made:
        assert all(before[1:] == (name, arguments) for before in first.made if before[0] == number)


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[asyncio.Runner, Workers]]:
    """One set of workers for all examples of a law."""
    with asyncio.Runner() as runner:
        workers = Workers(Limits(), at_most=2)
        yield runner, workers
        runner.run(workers.close())


_CALLS = st.sampled_from(["count", "read", "gone"])
_PROGRAMS = st.recursive(
    _CALLS,
    lambda inner: st.tuples(
        st.sampled_from(["then", "gather", "race", "loop"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def written(tree: Any, names: list[str]) -> str:
    """The name of a function that does what the tree says; its text, and those that it needs, go to `names`."""
    if isinstance(tree, str):
        body = {
            "count": "return await tools.count(what=str(seen))",
            "read": "return (await notes.read(path=str(len(seen))))['text']",
            "gone": "return (await notes.read(path='gone'))['text']",
        }[tree]
    else:
        kind, parts = tree
        inner = [written(part, names) for part in parts]
        calls = ", ".join(f"{name}(seen)" for name in inner)
        body = {
            "then": "\n    ".join(f"seen.append(await {name}(seen))" for name in inner) + "\n    return len(seen)",
            "gather": f"return list(await asyncio.gather({calls}))",
            "race": "\n    ".join(
                [
                    "async def put(f):",
                    "    try:",
                    "        seen.append(await f(seen))",
                    "    except RuntimeError as e:",
                    "        seen.append(str(e))",
                ]
            )
            + f"\n    await asyncio.gather({', '.join(f'put({name})' for name in inner)})\n    return list(seen)",
            "loop": f"for n in range(2):\n        seen.append(n)\n        try:\n            await {inner[0]}(seen)\n"
            "        except RuntimeError:\n            seen.append('no')\n    return seen[-1]",
        }[kind]
    name = f"f{len(names)}"
    names.append(f"async def {name}(seen):\n    {body}\n")
    return name


@settings(max_examples=60)
@given(tree=_PROGRAMS, lives=st.integers(0, 12), seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_law_of_programs_run_again(
    kept: tuple[asyncio.Runner, Workers], tree: Any, lives: int, seeds: tuple[int, int]
) -> None:
    functions: list[str] = []
    main = written(tree, functions)
    code = "import asyncio\n" + "".join(functions) + f"seen = []\nvalue = await {main}(seen)\n[seen, value]"
    runner, workers = kept
    runner.run(_run_again(workers, code, lives, seeds))


async def _run_again(workers: Workers, code: str, lives: int, seeds: tuple[int, int]) -> None:
    first = Mortal(workers, lives=lives, chance=random.Random(seeds[0]))
    whole: Outcome | str | None = None
    with suppress(Killed):
        whole = await outcome_of(first, code, ())
    second = Mortal(workers, chance=random.Random(seeds[1]))
    second.recorded = list(first.recorded)

    again = await outcome_of(second, code, first.recorded)
    third = await outcome_of(Mortal(workers, lives=0), code, second.recorded)

    known = {each.number for each in first.recorded}
    assert known.isdisjoint(number for number, _, _ in second.made)
    for number, name, arguments in second.made:
        assert all(before[1:] == (name, arguments) for before in first.made if before[0] == number)
    assert whole is None or again == whole
    assert third == again


async def outcome_of(world: World, code: str, recorded: Any) -> Outcome | str:
    """What the program comes to, or what it said as it failed."""
    try:
        return await world.run(code, recorded)
    except ProgramError as error:
        return str(error)


DEVIATING = {
    "another tool": "await notes.read(path='a')",
    "other arguments": "await tools.count(what='b')",
    "no call at all": "1",
    "another call before": "await notes.read(path='a')\nawait tools.count(what='a')",
    "an error before": "1 / 0\nawait tools.count(what='a')",
    "no Python": "await",
    "wrong types": "await tools.count(what=1)",
    "a limit before": "while True: pass\nawait tools.count(what='a')",
}


@pytest.mark.parametrize("name", DEVIATING)
async def test_a_program_that_does_something_else_fails_and_calls_nothing(world: World, name: str) -> None:
    recorded = [Recorded(number=1, tool="count", arguments={"what": "a"}, value=1)]
    with pytest.raises(Failed) as raised:
        await world.run(DEVIATING[name], recorded)

    assert (raised.value.failure.code, raised.value.failure.retryable) == ("PROGRAM_DEVIATED", False)
    assert "was run again after an interruption, and did not do the same" in raised.value.failure.message
    assert world.made == []


async def test_calls_that_were_recorded_beyond_their_order_are_a_deviation(world: World) -> None:
    one = Recorded(number=1, tool="count", arguments={"what": "a"}, value=1)
    two = replace(one, number=2, arguments={"what": "b"})
    code = "await tools.count(what='a')\nawait tools.count(what='b')"

    assert (await world.run(code, [one, two])).value == 1
    with pytest.raises(Failed, match="PROGRAM_DEVIATED"):
        await world.run(code, [two, one])
    assert world.made == []


async def test_what_a_program_left_behind_is_done_before_it_ends_also_the_second_time(world: World) -> None:
    code = """
import asyncio
try:
    await asyncio.gather(notes.read(path="gone"), tools.count(what="a"))
except RuntimeError:
    said = "failed"
said
"""
    began = world.hold(2)
    running = asyncio.create_task(world.run(code))
    await began.wait()
    assert not running.done()
    world.held[2].set()
    outcome = await running

    assert outcome == Outcome(value="failed", printed="", calls=2)
    assert [each.number for each in world.recorded] == [1, 2]
    for lives in range(3):
        again = Mortal(world.workers)
        assert await again.run(code, world.recorded[:lives]) == outcome
        assert sorted(number for number, _, _ in again.made) == list(range(lives + 1, 3))


async def test_what_fails_for_good_ends_the_program_and_stops_its_other_calls(world: World) -> None:
    stopped = asyncio.Event()

    async def call(number: int, name: str, arguments: JsonObject) -> Json:
        if number == 2:
            raise ConnectionAbortedError("the database is away")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise ToolError("unreachable")

    code = "import asyncio\nawait asyncio.gather(tools.count(what='a'), tools.count(what='b'))"
    with pytest.raises(ConnectionAbortedError):
        await run(code, world.surroundings(call=call))

    assert stopped.is_set()
    assert world.recorded == []
