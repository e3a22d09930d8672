"""A worker process whose agents really think: the agent step itself, a model behind the real SDK, tools that are seen.

It is a `tests.chaos.worker` besides; the environment says where the model is.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

# Before a process is forked, since each would take most of a second for it.
import openai  # noqa: F401

from services.engine.performer import Performer
from services.models.catalog import Models
from services.steps import agent
from services.tools import registry
from services.tools.tool import Tool, ToolContext, tool
from tests.chaos import crash, worker
from tests.chaos.ledger import Ledger

MODEL = "ROLECALL_CHAOS_MODEL"

Act = Callable[[ToolContext, str], Awaitable[None]]


def main(environment: Mapping[str, str]) -> None:
    """Work until SIGTERM, or until killed."""
    worker.main(environment, _performers)


def tools(act: Act) -> tuple[Tool, ...]:
    """What the agent may call: a tool that changes nothing, one that cannot be taken back, one that knows its key."""

    @tool("chaos.look", effect="read")
    async def look(context: ToolContext, *, at: str) -> str:
        """Look at something."""
        await act(context, "chaos.look")
        return f"saw {at}"

    @tool("chaos.send", effect="external")
    async def send(context: ToolContext, *, to: str) -> str:
        """Send something."""
        await act(context, "chaos.send")
        return f"sent {to}"

    @tool("chaos.book", effect="write", honours_key=True)
    async def book(context: ToolContext, *, what: str) -> str:
        """Book something, once for each key."""
        await act(context, "chaos.book")
        return f"booked {what}"

    return look, send, book


def _performers(environment: Mapping[str, str], ledger: Ledger, points: crash.Points) -> dict[str, Performer]:
    async def act(context: ToolContext, name: str) -> None:
        async with points.passing(f"call {name}"):
            note = partial(ledger.add, execution=context.execution or UUID(int=0), path=name, attempt=0)
            note("began", key=context.idempotency_key)
            note("ended", key=context.idempotency_key)

    registry.register(*tools(act))
    models = Models.from_environment({"OPENAI_API_KEY": "chaos", "OPENAI_BASE_URL": environment[MODEL]})
    ask = models.complete

    async def complete(*given: Any, **named: Any) -> Any:
        async with points.passing("call of the model"):
            return await ask(*given, **named)

    models.complete = complete
    return {"agent": partial(agent.perform, models)}
