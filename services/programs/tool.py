"""`program.run`: a model answers with a program, in which the other tools of its role are functions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta

from services.json import Json, JsonObject
from services.programs.problems import ProgramError
from services.programs.program import Outcome, run
from services.programs.recorded import Recorded
from services.programs.stubs import Library, library, listing
from services.programs.surroundings import Surroundings
from services.programs.workers import Workers
from services.tools.inner import InnerCall, InnerCalls
from services.tools.tool import Tool, ToolContext, ToolError, ToolResult, tool

NAME = "program.run"

_MAX_LISTING = 12_000
_WRITING = "The value of its last line is given back, and what it prints."

Code = Annotated[str, Meta(description=f"The program, in Python. {_WRITING}", min_length=1)]
Input = Annotated[Json, Meta(description="What the program finds as the variable `input`.")]


def tools(workers: Workers) -> tuple[Tool, ...]:
    """The tool over these workers. In an agent it calls the agent's tools; in a tool step there are none to call."""

    # How far it reaches, and how much harm it can do, is up to the tools that it calls; each is judged by itself.
    @tool(NAME, effect="external", security="low", honours_key=True)
    async def run_program(context: ToolContext, *, code: Code, input: Input = None) -> Outcome:
        """Run a Python program that calls tools as async functions, loops over what they give and puts it together:
        for many calls, or where the results of some are the arguments of others. It is type-checked first, and then
        nothing has run if it is wrong. Write `await` before each call, or `asyncio.gather` for several at once; a tool
        that does not work raises RuntimeError. There are json, re, math, datetime, collections, itertools and the like,
        but no files, network, other modules, class inheritance or generators; the clock stands still.
        """
        inner = context.inner
        if inner is None:
            clock, known, recorded = datetime.now(UTC), Library({}), []
        else:
            clock, known = await inner.begin(), library(_callable(inner.tools).values())
            recorded = [_recorded(call) for call in inner.kept]
        seed = context.idempotency_key
        calls = _Calls(inner)
        surroundings = Surroundings(
            library=known, workers=workers, call=calls.call, record=calls.record, clock=clock, seed=seed
        )
        try:
            return await run(code, surroundings, recorded, input)
        except ProgramError as error:
            raise ToolError(str(error), is_final=True) from None

    return (run_program,)


def described(tools: dict[str, Tool]) -> dict[str, Tool]:
    """An agent's tools, of which `program.run`, if it is there, says how the others are called in a program."""
    own = tools.get(NAME)
    if own is None:
        return tools
    functions = listing(library(_callable(tools).values()), _MAX_LISTING)
    said = f"The program, in Python, in which these functions are there without an import:\n{functions}\n{_WRITING}"
    return {**tools, NAME: replace(own, input_schema=_saying(own.input_schema, said))}


def _callable(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """Those that a program may call: a program runs no program."""
    return {name: tool for name, tool in tools.items() if name != NAME}


def _saying(schema: JsonObject, said: str) -> JsonObject:
    # Here and not in the description of the tool, which providers allow a thousand characters.
    properties: Any = schema["properties"]
    return {**schema, "properties": {**properties, "code": {**properties["code"], "description": said}}}


class _Calls:
    """The calls of one program, as the agent makes and keeps them."""

    def __init__(self, inner: InnerCalls | None) -> None:
        self._inner = inner

    async def call(self, number: int, name: str, arguments: JsonObject) -> Json:
        assert self._inner is not None, "a program without an agent has no functions to call"
        return (await self._inner.make(number, name, arguments)).unwrapped()

    async def record(self, recorded: Recorded) -> None:
        assert self._inner is not None, "a program without an agent has no functions to call"
        result = ToolResult(value=recorded.value, error=recorded.error)
        call = InnerCall(number=recorded.number, tool=recorded.tool, arguments=recorded.arguments, result=result)
        await self._inner.keep(call)


def _recorded(call: InnerCall) -> Recorded:
    return Recorded(
        number=call.number,
        tool=call.tool,
        arguments=call.arguments,
        value=call.result.value,
        error=call.result.error,
    )
