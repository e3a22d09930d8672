"""Programs call their tools as functions of Python, and come to a value."""

import asyncio

import pytest

from services.programs.problems import ProgramError
from services.programs.program import Outcome
from tests.programs.world import World


async def test_a_program_calls_its_tools_and_gives_back_the_value_of_its_last_line(world: World) -> None:
    code = """
note = await notes.read(path="a", lines=2)
print("read", note["path"])
n = await tools.count(what=note["text"])
{"note": note, "count": n}
"""
    outcome = await world.run(code)

    assert outcome == Outcome(
        value={"note": {"path": "a", "text": "A", "lines": 2}, "count": 1}, printed="read a\n", calls=2
    )
    assert world.made == [(1, "notes.read", {"path": "a", "lines": 2}), (2, "count", {"what": "A"})]
    assert [recorded.number for recorded in world.recorded] == [1, 2]


@pytest.mark.parametrize(
    "code",
    [
        "import notes\nawait notes.read(path='a')",
        "from notes import read\nawait read(path='a')",
        "f = notes.read\nawait f(path='a')",
        "async def main():\n    return await notes.read(path='a')\nawait main()",
        "import asyncio\nasync def main():\n    return await notes.read(path='a')\nasyncio.run(main())",
    ],
)
async def test_a_function_is_reached_as_in_any_module(world: World, code: str) -> None:
    assert await world.value(code) == {"path": "a", "text": "A", "lines": 10}


async def test_what_does_not_work_is_raised_in_the_program_and_may_be_caught(world: World) -> None:
    code = """
try:
    found = await notes.read(path="gone")
except RuntimeError as error:
    found = str(error)
found
"""
    assert await world.value(code) == "there is no note 'gone'"
    assert world.recorded[0].error == "there is no note 'gone'"


async def test_what_is_not_caught_names_the_line_and_what_was_done_before(world: World) -> None:
    code = "await notes.write(path='a')\nprint('wrote')\nawait notes.read(path='gone')"
    with pytest.raises(ProgramError) as raised:
        await world.run(code)

    assert str(raised.value) == (
        "PROGRAM_FAILED: line 3: await notes.read(path='gone')\nRuntimeError: there is no note 'gone'\n"
        "Before that it called notes.write, notes.read; what these did is done.\nIt had printed:\nwrote\n"
    )


async def test_calls_run_side_by_side_up_to_a_bound_and_their_numbers_follow_the_text(world: World) -> None:
    code = "import asyncio\nawait asyncio.gather(*[tools.count(what='x' * n) for n in range(6)])"
    held = [world.hold(number) for number in range(1, 7)]

    async def let_go() -> None:
        for event in held[:4]:
            await event.wait()
        assert not any(event.is_set() for event in held[4:])
        for number in (4, 3, 2, 1, 6, 5):
            await held[number - 1].wait()
            world.held[number].set()

    outcome, _ = await asyncio.gather(world.run(code), let_go())

    assert outcome.value == [0, 1, 2, 3, 4, 5]
    assert sorted(number for number, _, _ in world.made) == [1, 2, 3, 4, 5, 6]
    assert [each.arguments["what"] for each in sorted(world.recorded, key=lambda each: each.number)] == [
        "x" * n for n in range(6)
    ]


async def test_one_of_several_that_fails_leaves_the_others_to_be_done(world: World) -> None:
    code = """
import asyncio
async def safe(path):
    try:
        return (await notes.read(path=path))["text"]
    except RuntimeError as error:
        return str(error)
each = await asyncio.gather(safe("a"), safe("gone"), safe("b"))
try:
    await asyncio.gather(notes.read(path="c"), notes.read(path="gone"), notes.read(path="d"))
    last = ""
except RuntimeError as error:
    last = str(error)
[*each, last]
"""
    assert await world.value(code) == ["A", "there is no note 'gone'", "B", "there is no note 'gone'"]
    assert sorted(each.number for each in world.recorded) == [1, 2, 3, 4, 5, 6]


async def test_the_clock_stands_still_sleep_takes_no_time_and_chance_is_seeded(world: World) -> None:
    code = """
import asyncio, datetime, random, time
before = datetime.datetime.now(datetime.timezone.utc)
time.sleep(60)
await asyncio.sleep(60)
[before, datetime.datetime.now(datetime.timezone.utc) == before, random.random(), random.randint(1, 10**6)]
"""
    first = await world.value(code)

    assert first == await world.value(code)
    assert isinstance(first, list)
    assert first[:2] == ["2026-01-31T12:30:00+00:00", True]


async def test_the_input_is_there_by_its_name(world: World) -> None:
    assert await world.value("sum(input['numbers'])", input={"numbers": [1, 2, 3]}) == 6
    assert await world.value("input", input=None) is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("(1, 2.5, None, True)", [1, 2.5, None, True]),
        ("{3, 1, 2}", [1, 2, 3]),
        ("{7: 'a', None: 'b', 2.5: 'c', True: 'd'}", {"7": "a", "null": "b", "2.5": "c", "true": "d"}),
        ("import datetime\ndatetime.date(2026, 1, 31)", "2026-01-31"),
        ("import decimal\ndecimal.Decimal('2.50')", "2.50"),
        ("b'ab'", "YWI="),
        ("10 ** 30", 10**30),
    ],
)
async def test_values_are_given_back_as_json(world: World, expression: str, value: object) -> None:
    assert await world.value(expression) == value


async def test_an_object_is_its_attributes(world: World) -> None:
    code = "class Point:\n    def __init__(self):\n        self.x = 1\n        self.tags = ('a',)\n[Point()]"
    assert await world.value(code) == [{"x": 1, "tags": ["a"]}]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("float('nan')", "nan is no number of JSON"),
        ("10 ** 400", "a number beyond 1e300"),
        ("'a\\x00b'", "U+0000"),
        ("{(1, 2): 3}", "the key of a dict is a text, not a tuple"),
    ],
)
async def test_a_value_that_json_has_no_form_for_says_so(world: World, expression: str, said: str) -> None:
    with pytest.raises(
        ProgramError, match="PROGRAM_FAILED: the value of its last line cannot be given back: "
    ) as raised:
        await world.run(expression)
    assert said in str(raised.value)


async def test_arguments_that_json_has_no_form_for_are_raised_where_they_are_given(world: World) -> None:
    code = """
try:
    await notes.write(path="a", rows=[{"n": float("inf")}])
except TypeError as error:
    said = str(error)
said
"""
    assert await world.value(code) == "notes.write(): inf is no number of JSON; give None in its place"
    assert world.made == []


async def test_an_argument_whose_name_is_none_in_python_has_another_one_there(world: World) -> None:
    await world.run("await notes.write(path='a', class_='b')")

    assert world.made == [(1, "notes.write", {"path": "a", "class": "b"})]
