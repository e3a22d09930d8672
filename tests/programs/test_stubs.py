"""Tools as functions of Python, whatever their names and schemas."""

import ast
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.errors import Invalid
from services.programs.annotations import Annotations
from services.programs.program import run
from services.programs.stubs import library, listing
from services.tools.tool import Tool, ToolContext
from tests.programs.world import LIBRARY, World

NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def named(name: str, schema: dict[str, Any] | None = None, description: str = "Do it.") -> Tool:
    """A tool of that name, as another system describes it."""
    return Tool(name=name, description=description, input_schema=schema or NOTHING, call=nothing)


async def nothing(_context: ToolContext, _arguments: Any) -> None:
    """Do nothing."""


def test_the_listing_says_how_each_is_called() -> None:
    assert (
        listing(LIBRARY, 10_000)
        == """\
async def tools.count(*, what: str) -> Any
    # Count something.
async def notes.read(*, path: str, lines: int = 10) -> Any
    # Read a note.
async def notes.write(*, path: str, rows: list[dict[str, Any]] = ..., level: Literal['high', 'low'] = 'low', \
class_: str | None = None) -> Any
    # Write a note."""
    )


def test_where_there_is_no_room_there_are_less_words() -> None:
    many = library([named(f"module.function_{number:03}", description="It does much. " * 9) for number in range(100)])

    assert listing(many, 100_000).count("# It does much.") == 100
    assert "#" not in listing(many, 6_000)
    assert listing(many, 3_000).startswith("module.function_000, module.function_001, ")
    assert len(listing(many, 300)) <= 300
    assert listing(many, 300).endswith(", …")


@pytest.mark.parametrize(
    ("names", "functions"),
    [
        (["files.read"], ["files.read"]),
        (["count"], ["tools.count"]),
        (["tools.count", "count"], ["tools.count", "tools.count_"]),
        (["time.now", "json.parse", "list.all"], ["json_.parse", "list_.all", "time_.now"]),
        (["mcp.github.list-issues"], ["mcp_github.list_issues"]),
        (["a.b.c", "a_b.c"], ["a_b.c", "a_b.c_"]),
        (["git.import", "git.list", "git.Any"], ["git.Any_", "git.import_", "git.list_"]),
        (["2nd.3rd", "_private._x", "--._"], ["tools.call", "n2nd.n3rd", "private.x"]),
    ],
)
def test_every_name_becomes_one_of_python(names: list[str], functions: list[str]) -> None:
    found = library([named(name) for name in names]).functions

    assert list(found) == functions
    assert sorted(function.tool for function in found.values()) == sorted(names)


async def test_tools_of_any_name_can_be_called(world: World) -> None:
    names = ["time.now", "count", "mcp.github.list-issues", "class.def", "2nd._3rd", "print", "Any.Literal"]
    known = library(
        [
            named(name, {"type": "object", "properties": {"from": {}, "x-y": {}, "x_y": {}, "from_": {}}})
            for name in names
        ]
    )
    called: list[tuple[str, Any]] = []

    async def call(_number: int, name: str, arguments: Any) -> None:
        called.append((name, arguments))

    code = "\n".join(f"await {name}(from_=1, x_y=2, x_y_=3, from__=4)" for name in known.functions)
    await run(code, world.surroundings(library=known, call=call))

    assert sorted(name for name, _ in called) == sorted(names)
    assert called[0][1] == {"from": 1, "x-y": 2, "x_y": 3, "from_": 4}


def test_a_schema_that_comes_back_to_itself_or_fans_out_is_read_in_no_time() -> None:
    fan = {"$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(60)}}
    assert Annotations(fan).of({"$ref": "#/$defs/d0"}) == "Any"
    assert Annotations({"$defs": {"a": {"$ref": "#/$defs/a"}}}).of({"$ref": "#/$defs/a"}) == "Any"
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        deep = {"anyOf": [deep]}
    assert Annotations({}).of(deep) == "Any"


_NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,4}(\.[A-Za-z0-9_-]{1,4}){0,2}", fullmatch=True) | st.sampled_from(
    ["class", "from.list", "list.Any", "Any", "str.str"]
)
_ARGUMENTS = st.text(max_size=12) | st.sampled_from(["class", "from", "self", "x", "list", "Any", '"""', "\n", "a.b"])
_LEAVES = st.sampled_from(
    [{}, True, None, 7, {"type": "string"}, {"type": ["integer", "null"]}, {"type": "frob"}, {"enum": []}, {"enum": 3}]
) | st.builds(
    lambda values: {"enum": values}, st.lists(st.text(max_size=5) | st.integers() | st.booleans(), max_size=4)
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner)
        | st.builds(lambda a: {"type": "array", "items": a}, inner)
        | st.builds(lambda a, d: {"allOf": [a], "default": d}, inner, st.text(max_size=5))
    ),
    max_leaves=6,
)


@given(
    names=st.lists(_NAMES, min_size=1, max_size=5, unique=True),
    properties=st.dictionaries(_ARGUMENTS, _SCHEMAS, max_size=5),
    required=st.lists(_ARGUMENTS, max_size=3, unique=True),
)
def test_whatever_another_system_says_the_stubs_are_python(
    names: list[str], properties: dict[str, Any], required: Any
) -> None:
    schema = {"type": "object", "properties": properties, "required": required}
    try:
        known = library([named(name, schema) for name in names])
    except Invalid:  # it is no schema
        assume(False)
        return

    assert sorted(function.tool for function in known.functions.values()) == sorted(names)
    for module, functions in known.modules.items():
        tree = ast.parse(known.stub(module)).body
        assert [node.name for node in tree if isinstance(node, ast.AsyncFunctionDef)] == [it.name for it in functions]
        assert len(tree) == len(functions) + 1
        for function in functions:
            assert sorted(function.arguments.values()) == sorted(set(function.arguments.values()))
