"""A program that calls its tools wrongly is refused before anything runs, in words that it can be mended by."""

import pytest

from services.programs.problems import ProgramError
from tests.programs.world import World

WRONG = {
    "unknown tool": ("await notes.raed(path='a')", "Module `notes` has no member `raed`"),
    "unknown module": ("await nots.read(path='a')", "Name `nots` used when not defined"),
    "missing argument": ("await notes.read()", "No argument provided for required parameter `path` of function `read`"),
    "misspelt argument": ("await notes.read(path='a', line=1)", "Argument `line` does not match any known parameter"),
    "wrong type": ("await notes.read(path=1)", "Expected `str`, found `Literal[1]`"),
    "wrong type, later": (
        "await notes.read(path='a')\nfor n in range(3):\n    await notes.read(path=n)",
        "program.py:3:22: error[invalid-argument-type]",
    ),
    "unknown choice": ("await notes.write(path='a', level='mid')", 'Expected `Literal["high", "low"]`'),
    "not a list": ("await notes.write(path='a', rows={})", "Expected `list[dict[str, Any]]`"),
    "by position": ("await notes.read('a')", "Too many positional arguments to function `read`: expected 0, got 1"),
    "not awaited": ("tools.count(what='a')\n1", "is not awaited"),
    "used without await": ("x = tools.count(what='a')\nx + 1", "Operator `+` is not supported"),
    "syntax": ("if True\n    1", "program.py:1:8: error[invalid-syntax]"),
    "unknown name": ("await notes.read(path=there)", "Name `there` used when not defined"),
    "no such function": ("open('a')", "Name `open` used when not defined"),
    "no such module": ("import socket", "Cannot resolve imported module `socket`"),
    "no such method": ("'a'.uper()", "has no attribute `uper`"),
    "inheritance": ("class A: pass\nclass B(A): pass\n1", "programs have no class inheritance"),
    "generators": ("def f():\n    yield 1\nlist(f())", "programs have no yield expressions"),
    "half a character": ("'\ud800'", "not valid UTF-8"),
    "null": ("1\0", "PROGRAM_INVALID: nothing was run"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_work_is_refused_before_anything_runs(world: World, name: str) -> None:
    code, said = WRONG[name]
    with pytest.raises(ProgramError) as raised:
        await world.run(code)

    assert raised.value.code == "PROGRAM_INVALID"
    assert said in str(raised.value)
    assert world.made == []


@pytest.mark.parametrize(
    "code",
    [
        "rows = [{'n': n} for n in range(3)]\nawait notes.write(path='a', rows=rows)",
        "row = {'a': 1, 'b': 'c'}\nawait notes.write(path='a', rows=[row, {}, {'d': None}])",
        "for level in ('low', 'high'):\n    await notes.write(path='a', level=level)",
        "found = await notes.read(path='a')\nawait notes.read(path=found['text'], lines=found['lines'])",
        "arguments = (await notes.read(path='a'))\nawait notes.read(path=arguments['path'])",
        "from typing import Any\ngiven: dict[str, Any] = {'path': 'a', 'lines': 3}\nawait notes.read(**given)",
        "if await tools.count(what='a'):\n    found = 1\nfound",
        "def double(x):\n    return x.y\n1",
        "await notes.write(path=input['path'], rows=input['rows'])",
        "items = []\nitems.append(await tools.count(what='a'))\nitems + ['x']",
    ],
)
async def test_what_can_work_is_not_refused(world: World, code: str) -> None:
    await world.run(code, input={"path": "a", "rows": []})


async def test_a_wrong_call_that_no_checker_sees_is_refused_by_the_tool(world: World) -> None:
    code = """
from typing import Any
given: dict[str, Any] = {"path": "a", "lines": "many"}
try:
    await notes.read(**given)
except RuntimeError as error:
    said = str(error)
said
"""
    assert "the arguments of notes.read do not fit" in str(await world.value(code))
