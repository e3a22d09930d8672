"""What a tool takes, gives back and says of itself, however it was made."""

from typing import Any

import pytest

from services.caller import OPERATOR
from services.errors import Invalid, Unavailable
from services.json import Json, JsonObject
from services.tools.tool import Tool, ToolContext, ToolError, ToolResult, tool

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A")
ADDING: JsonObject = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "note": {"type": "string"},
        "when": {"$ref": "#/$defs/When"},
        "flags": {"type": "array", "items": {"type": "boolean"}},
    },
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"When": {"type": "object", "properties": {"day": {"type": "integer"}}}},
}


@tool("sum.add", effect="none")
async def add(context: ToolContext, *, a: int, b: float = 0.0) -> dict[str, float]:
    """Add two numbers
    and give back their sum.

    This is for those who read the code.
    """
    if a < 0:
        raise ToolError("too little", is_final=True)
    return {"sum": a + b}


async def echo(context: ToolContext, arguments: JsonObject) -> Json:
    return arguments


def other(call: Any = echo, schema: JsonObject = ADDING, **fields: Any) -> Tool:
    """A tool of another system."""
    return Tool(name="other.add", description="Add.", input_schema=schema, call=call, **fields)


async def ran(tool: Tool, given: Json) -> ToolResult:
    """What comes of a call, without how long it took."""
    result = await tool.run(CONTEXT, given)
    assert result.duration_ms >= 0
    return ToolResult(value=result.value, error=result.error, is_final=result.is_final)


def test_a_signature_makes_the_schema_and_a_docstring_the_description() -> None:
    assert add.description == "Add two numbers and give back their sum."
    assert add.input_schema["properties"] == {"a": {"type": "integer"}, "b": {"type": "number", "default": 0.0}}
    assert (add.input_schema["required"], add.input_schema["additionalProperties"]) == (["a"], False)


def test_of_what_nothing_is_said_the_worst_is_assumed() -> None:
    @tool("mail.send")
    async def send(context: ToolContext) -> None:
        """Send."""

    assert (send.effect, send.security, send.may_be_repeated) == ("external", "high", False)
    assert (other().effect, other().security, other().may_be_repeated) == ("external", "high", False)


@pytest.mark.parametrize(
    ("effect", "security", "may_be_repeated"),
    [("none", "low", True), ("read", "low", True), ("write", "medium", False), ("external", "high", False)],
)
def test_what_a_tool_may_do_follows_from_its_effect(effect: Any, security: str, may_be_repeated: bool) -> None:
    made = tool("a.b", effect=effect)(echo)

    assert (made.security, made.may_be_repeated) == (security, may_be_repeated)
    assert tool("a.b", effect=effect, honours_key=True)(echo).may_be_repeated


async def test_a_result_says_what_came_of_a_call() -> None:
    assert await ran(add, {"a": 1, "b": 2}) == ToolResult(value={"sum": 3.0})
    assert await ran(add, {"a": -1}) == ToolResult(error="too little", is_final=True)


async def test_arguments_are_read_as_what_they_can_only_mean() -> None:
    given = {"a": "3", "b": "4.5", "note": "5", "when": {"day": "6"}, "flags": ["true", "0", False]}

    assert await ran(add, {"a": "3", "b": "4.5"}) == ToolResult(value={"sum": 7.5})
    assert await ran(other(), given) == ToolResult(
        value={"a": 3, "b": 4.5, "note": "5", "when": {"day": 6}, "flags": [True, False, False]}
    )
    assert await ran(other(), {"a": 3.0, "b": "null"}) == ToolResult(value={"a": 3, "b": None})


@pytest.mark.parametrize("given", [None, "3", [], {}, {"a": "three"}, {"a": 1.5}, {"a": 1, "c": 1}, {"a": True}])
async def test_arguments_that_do_not_fit_are_told_with_what_would(given: Json) -> None:
    for it in (add, other()):
        result = await ran(it, given)

        assert result.is_final and result.error is not None
        assert result.error.startswith(f"the arguments of {it.name} do not fit: ")
        assert "it takes a, b" in result.error


async def test_a_schema_that_comes_back_to_itself_is_followed_as_far_as_the_value_goes() -> None:
    tree: JsonObject = {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"$ref": "#"}, "loop": {"$ref": "#/properties/loop"}},
    }
    given: Json = {"value": "1", "next": {"value": "2", "next": {"value": "3"}}}

    assert (await ran(other(schema=tree), given)).value == {"value": 1, "next": {"value": 2, "next": {"value": 3}}}


@pytest.mark.parametrize("raised", [KeyError("secret"), ConnectionRefusedError("secret"), Unavailable("secret")])
async def test_a_tool_of_others_that_breaks_down_is_an_error_that_shows_nothing(raised: Exception) -> None:
    async def broken(context: ToolContext, arguments: JsonObject) -> Json:
        raise raised

    result = await ran(other(broken, {"type": "object"}, source="plugin shop"), {})

    assert result.is_final
    assert result.error is not None and "secret" not in result.error and type(raised).__name__ in result.error


async def test_our_own_tools_tell_the_engine_that_the_database_is_away() -> None:
    async def away(context: ToolContext, arguments: JsonObject) -> Json:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await other(away, {"type": "object"}).run(CONTEXT, {})


async def test_what_takes_too_long_may_work_later() -> None:
    async def slow(context: ToolContext, arguments: JsonObject) -> Json:
        raise TimeoutError

    assert await ran(other(slow, {"type": "object"}), {}) == ToolResult(error="other.add took too long")


async def test_a_result_that_is_no_json_is_an_error() -> None:
    async def strange(context: ToolContext, arguments: JsonObject) -> Any:
        return object()

    result = await ran(other(strange, {"type": "object"}), {})

    assert result.error is not None and result.is_final


@pytest.mark.parametrize("name", ["", "a b", "files.*", "a..b", ".a", "a.", "x" * 101, "a\n", "ä"])
def test_a_name_that_could_be_a_pattern_or_no_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="is no name of a tool"):
        Tool(name=name, description="", input_schema={"type": "object"}, call=echo)


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "string"}, {"type": "object", "properties": {"a": {"type": "objekt"}}}, {"$ref": "#/$defs/A"}],
)
def test_a_tool_with_a_schema_that_is_none_of_arguments_is_refused(schema: JsonObject) -> None:
    with pytest.raises(Invalid, match=r"cannot be called.*/inputSchema/"):
        other(schema=schema)
