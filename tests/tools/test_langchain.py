"""LangChain's own tools, called as tools of ours."""

from typing import Annotated, Any

import pytest
from langchain_core.documents import Document
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, ToolException
from langchain_core.tools import tool as langchain_tool
from pydantic import BaseModel, Field

from services.caller import OPERATOR
from services.json import Json
from services.tools.langchain import from_langchain
from services.tools.tool import ToolContext, ToolResult

CONTEXT = ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A")


@langchain_tool
def multiply(a: int, b: int = 2) -> int:
    """Multiply two
    numbers."""
    return a * b


class Search(BaseModel):
    query: str = Field(description="What to look for.", min_length=2)
    type: str = "any"
    limit: int = Field(default=3, ge=1)


async def found(query: str, type: str = "any", limit: int = 3) -> list[Document]:
    if query == "nothing":
        raise ToolException("there is nothing to find")
    if query == "trouble":
        raise KeyError("secret")
    return [Document(page_content=f"{query} {n} {type}", metadata={"n": n}) for n in range(limit)]


searching = StructuredTool.from_function(
    coroutine=found, name="Search", description="Search.", args_schema=Search, handle_tool_error=True
)


async def ran(tool: BaseTool, given: Json, **said: Any) -> ToolResult:
    result = await from_langchain(tool, name="other.tool", **said).run(CONTEXT, given)
    return ToolResult(value=result.value, error=result.error, is_final=result.is_final)


def test_a_tool_says_of_itself_what_it_says_to_langchain() -> None:
    made = from_langchain(multiply, effect="none")

    assert (made.name, made.description, made.source) == ("multiply", "Multiply two numbers.", "LangChain")
    assert made.input_schema["properties"] == {
        "a": {"title": "A", "type": "integer"},
        "b": {"default": 2, "title": "B", "type": "integer"},
    }
    assert (made.input_schema["type"], made.input_schema["required"]) == ("object", ["a"])
    assert (made.effect, made.security) == ("none", "low")


def test_of_what_nothing_is_said_the_worst_is_assumed() -> None:
    made = from_langchain(multiply)

    assert (made.effect, made.security, made.may_be_repeated) == ("external", "high", False)


async def test_it_is_called_with_what_the_arguments_can_only_mean() -> None:
    assert await ran(multiply, {"a": "3"}) == ToolResult(value=6)
    assert await ran(searching, {"query": "tea", "limit": "1"}) == ToolResult(
        value=[{"id": None, "metadata": {"n": 0}, "page_content": "tea 0 any", "type": "Document"}]
    )


async def test_arguments_that_look_like_a_call_are_arguments() -> None:
    given = {"query": "tea", "type": "tool_call", "limit": 1}

    value = (await ran(searching, given)).unwrapped()

    assert isinstance(value, list) and value[0]["page_content"] == "tea 0 tool_call"


@pytest.mark.parametrize(
    ("given", "said", "is_final"),
    [
        ({}, '"query" is a required property; it takes query, type, limit', True),
        ({"query": "t"}, "shorter than 2 characters", True),
        ({"query": "nothing"}, "there is nothing to find", False),
        ({"query": "trouble"}, "broke down with an unexpected KeyError", True),
    ],
)
async def test_what_goes_wrong_is_an_error_and_no_answer(given: Json, said: str, is_final: bool) -> None:
    result = await ran(searching, given)

    assert result.error is not None and said in result.error and "secret" not in result.error
    assert result.is_final is is_final


async def test_what_only_the_model_of_the_arguments_refuses_is_told_with_its_place() -> None:
    class Even(BaseModel):
        n: int

        def model_post_init(self, _: Any) -> None:
            if self.n % 2:
                raise ValueError("it is odd")

    halving = StructuredTool.from_function(lambda n: n // 2, name="halve", description="Halve.", args_schema=Even)

    assert await ran(halving, {"n": 4}) == ToolResult(value=2)
    result = await ran(halving, {"n": 3})
    assert result.error is not None and "odd" in result.error


async def test_a_json_schema_and_injected_arguments() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "title": "Bare"}
    bare = StructuredTool.from_function(lambda n: {"n": n}, name="bare", description="Give back.", args_schema=schema)

    @langchain_tool
    def injected(a: int, who: Annotated[str, InjectedToolArg] = "nobody") -> str:
        """Say who."""
        return f"{who} {a}"

    assert await ran(bare, {"n": "1"}) == ToolResult(value={"n": 1})
    assert set(from_langchain(injected).input_schema["properties"]) == {"a"}
    assert await ran(injected, {"a": 1}) == ToolResult(value="nobody 1")


async def test_content_with_an_artifact_is_the_content() -> None:
    @langchain_tool(response_format="content_and_artifact")
    def both(a: int) -> tuple[str, bytes]:
        """Both."""
        return f"about {a}", b"\x00"

    assert await ran(both, {"a": 1}) == ToolResult(value="about 1")


async def test_what_is_no_json_is_an_error() -> None:
    strange = StructuredTool.from_function(lambda: object(), name="strange", description="Strange.")

    result = await ran(strange, {})

    assert (result.error, result.is_final) == ("the tool gave back a object, which is no JSON", True)
