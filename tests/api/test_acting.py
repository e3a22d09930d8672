"""Who acts while a procedure runs: its caller, and nobody once it has answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.context import within
from api.rpc import query, subscription
from api.rpc.calls import Calls
from db.acting import Acting, acting
from services.caller import Caller
from services.errors import Unauthenticated
from services.principal import Principal

HUMAN, AGENT = (Caller(Principal(kind=kind, name=kind)) for kind in ("human", "agent"))
ANNA = Acting(actor="human", channel="rpc")


@dataclass(frozen=True)
class Asked:
    """What `within` looks at."""

    found: Caller | Exception


@query()
async def who(ctx: Asked) -> str:
    """Who acts."""
    return repr(acting())


@subscription()
async def whoever(ctx: Asked) -> AsyncIterator[str]:
    """Who acts, each time it is asked, and as it ends."""
    try:
        while True:
            yield repr(acting())
    finally:
        ended.append(acting())


ended: list[Acting | None] = []


async def nothing_to_make(_: object) -> None:
    """No context is made here."""


async def test_who_calls_is_who_acts_in_it() -> None:
    calls = Calls(nothing_to_make, within=within)  # type: ignore[arg-type]

    found = [await calls.answer(who, Asked(it), lambda: None, "id") for it in (HUMAN, AGENT, Unauthenticated("who?"))]

    assert found == [repr(ANNA), repr(Acting(actor="agent", channel="rpc", is_agent=True)), "None"]
    assert acting() is None


async def test_who_follows_acts_in_each_step_of_it_whatever_task_asks_for_that() -> None:
    calls = Calls(nothing_to_make, within=within)  # type: ignore[arg-type]
    items = calls.stream(whoever, Asked(HUMAN), lambda: None, "id")

    found = [await asyncio.create_task(anext(items)) for _ in range(2)]  # type: ignore[arg-type]
    between = acting()
    await asyncio.create_task(items.aclose())  # type: ignore[attr-defined]

    assert (found, between, ended) == ([repr(ANNA)] * 2, None, [ANNA])
