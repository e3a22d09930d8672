"""One run of a program: which calls it has made, which it waits for, and what it is told next."""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from services.json import Json, JsonObject, holds_nul
from services.programs.limits import Limits
from services.programs.problems import ProgramError, has_only_warnings
from services.programs.recorded import Recorded, Replay
from services.programs.surroundings import Surroundings
from services.programs.values import NoJson, as_json
from services.tools.tool import ToolError

if TYPE_CHECKING:
    from pydantic_monty import (
        AsyncFunctionSnapshot,
        AsyncMontySession,
        AsyncSnapshot,
        ExternalResult,
        ExternalSettledResult,
    )

# What the interpreter asks of us for an import; whatever else of a system it asks for, there is none.
_IMPORTS = frozenset({"import", "import_stubs"})
_SHOWN_PRINTED = 1_000


class Running:
    """A program between its first line and its end.

    A call is made once the program waits for something, as Python makes it; one that nobody ever waits for is not made.
    The order in which results are told is the order in which they are recorded.
    """

    def __init__(self, surroundings: Surroundings, limits: Limits, replay: Replay) -> None:
        self.printed = ""
        self._calls: list[tuple[str, JsonObject]] = []
        self._surroundings = surroundings
        self._limits = limits
        self._replay = replay
        self._numbers: dict[int, int] = {}  # of the calls without a result, by the interpreter's own ids
        self._wanted: set[int] = set()  # those of them that the program has waited for
        self._made: set[int] = set()  # all that it has ever waited for
        self._tasks: dict[int, asyncio.Task[Recorded]] = {}
        self._room = asyncio.Semaphore(limits.calls_at_once)

    async def value(self, session: "AsyncMontySession", code: str, input: Json) -> Json:
        """The value of the program's last line. Calls that are under way when it ends come to their end, too."""
        from pydantic_monty import MontyError

        try:
            output = await self._output(session, code, input)
        except (MontyError, ProgramError):
            await self._settle()
            raise
        await self._settle()
        self._check_awaited()
        return self._value(output)

    async def stop(self) -> None:
        """Stop what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    @property
    def calls(self) -> int:
        """How many calls it has made."""
        return len(self._made)

    @property
    def history(self) -> str:
        """What has happened so far, for whoever mends the program; empty when nothing has."""
        made = Counter(self._calls[number - 1][0] for number in sorted(self._made))
        said = ""
        if made:
            calls = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in made.items())
            said += f"\nBefore that it called {calls}; what these did is done."
        if self.printed:
            said += f"\nIt had printed:\n{self.printed[-_SHOWN_PRINTED:]}"
        return said

    async def _output(self, session: "AsyncMontySession", code: str, input: Json) -> object:
        from pydantic_monty import AsyncFunctionSnapshot, AsyncFutureSnapshot, MontyComplete

        progress = await self._start(session, code, input)
        while not isinstance(progress, MontyComplete):
            if isinstance(progress, AsyncFutureSnapshot):
                progress = await progress.resume(await self._learned(progress.pending_call_ids))
            elif not isinstance(progress, AsyncFunctionSnapshot):
                progress = await progress.resume()  # a name that nobody knows
            elif not progress.is_os_function:
                progress = await progress.resume(self._asked(progress))
            elif progress.function_name in _IMPORTS:
                progress = await progress.resume_auto()
            else:
                progress = await progress.resume_not_handled()
        return progress.output

    async def _start(self, session: "AsyncMontySession", code: str, input: Json) -> "AsyncSnapshot":
        from pydantic_monty import MontyTypingError

        if modules := self._surroundings.library.modules:
            await session.feed_run(f"import {', '.join(modules)}")
        given: dict[str, Any] = {"inputs": {"input": input}, "print_callback": self._print}
        try:
            return await session.feed_start(code, **given)
        except MontyTypingError as error:
            if not has_only_warnings(str(error)):
                raise
            return await session.feed_start(code, **given, skip_type_check=True)

    def _print(self, _stream: str, text: str) -> None:
        self.printed += text[: self._limits.printed_characters - len(self.printed)]

    def _asked(self, asked: "AsyncFunctionSnapshot") -> "ExternalResult":
        """Take note of a call; what is wrong with it is raised in the program."""
        function = self._surroundings.library.functions.get(asked.function_name)
        if function is None:
            return {"exc_type": "NameError", "message": f"name {asked.function_name!r} is not defined"}
        if asked.args:
            return {"exc_type": "TypeError", "message": f"{asked.function_name}() takes arguments by their names only"}
        try:
            arguments = {function.arguments.get(name, name): as_json(given) for name, given in asked.kwargs.items()}
        except NoJson as error:
            return {"exc_type": "TypeError", "message": f"{asked.function_name}(): {error}"}
        if problem := self._too_large(arguments, "arguments have"):
            return {"exc_type": "ValueError", "message": f"{asked.function_name}(): {problem}"}
        number = len(self._calls) + 1
        if number > self._limits.calls:
            raise ProgramError("PROGRAM_LIMIT", f"the program made more than {self._limits.calls} calls")
        self._replay.check(number, function.tool, arguments)
        self._calls.append((function.tool, arguments))
        self._numbers[asked.call_id] = number
        return {"future": ...}

    async def _learned(self, ids: Collection[int]) -> "dict[int, ExternalSettledResult]":
        """The result that the program is told next, of those that it waits for."""
        by_number = {self._numbers[id]: id for id in ids}
        self._wanted |= by_number.keys()
        self._made |= by_number.keys()
        recorded = await self._next()
        id = by_number[recorded.number]
        del self._numbers[id]
        if recorded.error is not None:
            return {id: {"exc_type": "RuntimeError", "message": recorded.error}}
        return {id: {"return_value": recorded.value}}

    async def _next(self) -> Recorded:
        """The next result of the calls that the program has waited for, recorded."""
        if not self._replay.is_over:
            recorded = self._replay.next(self._wanted)
        else:
            for number in sorted(self._wanted - self._tasks.keys()):
                self._tasks[number] = asyncio.create_task(self._call(number))
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            number = min(number for number, task in self._tasks.items() if task.done())
            recorded = self._tasks[number].result()
            await self._surroundings.record(recorded)
            del self._tasks[number]
        self._wanted.remove(recorded.number)
        return recorded

    async def _call(self, number: int) -> Recorded:
        tool, arguments = self._calls[number - 1]
        value: Json = None
        error: str | None = None
        async with self._room:
            try:
                value = await self._surroundings.call(number, tool, arguments)
                error = self._too_large(value, "result has")
            except ToolError as raised:
                error = str(raised).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        if error:
            return Recorded(number=number, tool=tool, arguments=arguments, error=error)
        # As it will be read again: a program learns the same the first time.
        return Recorded(
            number=number, tool=tool, arguments=arguments, value=msgspec.json.decode(msgspec.json.encode(value))
        )

    async def _settle(self) -> None:
        """Let the calls that are under way come to their end: each is recorded, though nobody is told any more."""
        while self._wanted or not self._replay.is_over:
            await self._next()

    def _check_awaited(self) -> None:
        if forgotten := sorted(set(self._numbers.values()) - self._made):
            tool, _ = self._calls[forgotten[0] - 1]
            message = (
                f"its call {forgotten[0]}, of {tool}, was never awaited, so it was not made: write `await` before it"
            )
            raise ProgramError("PROGRAM_FAILED", message)

    def _value(self, output: object) -> Json:
        try:
            value = as_json(output)
        except NoJson as error:
            raise ProgramError("PROGRAM_FAILED", f"the value of its last line cannot be given back: {error}") from None
        if problem := self._too_large(value, "value of its last line has"):
            raise ProgramError("PROGRAM_LIMIT", problem)
        return value

    def _too_large(self, value: Json, what: str) -> str | None:
        encoded = msgspec.json.encode(value)
        if holds_nul(encoded):
            return f"the {what} a character U+0000, which cannot be kept"
        if len(encoded) > self._limits.value_bytes:
            return f"the {what} {len(encoded):,} bytes; up to {self._limits.value_bytes:,} are taken: ask for less"
        return None
