"""Running executions: starting one and following it to its end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.caller import Caller
from services.definitions.document import Dollars
from services.executions.following import Followed, follow
from services.executions.records import DelayMs, Priority, RoleAssignments, StickyKey
from services.executions.starting import start
from services.idempotency import IdempotencyKey
from services.json import Json
from services.listing import Instant


async def run(
    caller: Caller,
    *,
    orchestration: str,
    input: Json = None,
    role_assignments: RoleAssignments = {},  # noqa: B006
    idempotency_key: IdempotencyKey | None = None,
    priority: Priority = 0,
    start_at: Instant | None = None,
    delay_ms: DelayMs = 0,
    sticky_key: StickyKey | None = None,
    budget_usd: Dollars | None = None,
) -> AsyncGenerator[Followed, None]:
    """What happens in an execution that is started now, to its end. Nothing happens to it when nobody reads on.

    With the same `idempotency_key`, later calls tell of the execution that the first one started, from its beginning.

    Raises:
        As `start`, before the first item; as `follow`, also between items.
    """
    caller.require("executions.read")
    execution = await start(
        caller,
        orchestration=orchestration,
        input=input,
        role_assignments=role_assignments,
        idempotency_key=idempotency_key,
        priority=priority,
        start_at=start_at,
        delay_ms=delay_ms,
        sticky_key=sticky_key,
        budget_usd=budget_usd,
    )
    async with aclosing(follow(caller, execution=execution.id)) as items:
        async for item in items:
            yield item
