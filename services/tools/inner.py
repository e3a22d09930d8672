"""What an agent lends to a tool that calls other tools, such as a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from services.json import JsonObject

if TYPE_CHECKING:
    from services.tools.tool import Tool, ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerCall:
    """A call that was made for another one, its `number` there, and what came of it."""

    number: int
    tool: str
    arguments: JsonObject
    result: "ToolResult"


class InnerCalls(Protocol):
    """The calls that are made for one call of an agent's; they outlive the worker as the agent's own do."""

    @property
    def tools(self) -> Mapping[str, "Tool"]:
        """The tools that may be called, by name: the agent's own."""
        ...

    @property
    def kept(self) -> Sequence[InnerCall]:
        """The calls that are kept, in the order in which they were."""
        ...

    async def begin(self) -> datetime:
        """When the call that they are made for first began; the same in every attempt."""
        ...

    async def make(self, number: int, tool: str, arguments: JsonObject) -> "ToolResult":
        """What comes of a call. One that nobody may repeat is not made again after a crash; its result says so."""
        ...

    async def keep(self, call: InnerCall) -> None:
        """Return when what came of a call is committed."""
        ...
