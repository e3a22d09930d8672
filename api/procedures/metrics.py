"""metrics.*: what steps and models take."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, query
from services import metrics
from services.listing import Instant
from services.metrics import By, Metrics

Grouping = Annotated[By, Meta(description="Whose numbers each row has: of a kind of steps, a role or a model.")]
Since = Annotated[Instant, Meta(description="The hour in which it lies is the first; left out, a day before the end.")]
Until = Annotated[Instant, Meta(description="The hour before it, or in which it lies, is the last; left out, now.")]


@query(
    meta=Needs("executions.read"),
    examples=[
        Example(summary="The last day, by kind of steps.", input={}),
        Example(
            summary="A month, by model.",
            input={"by": "model", "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
        ),
    ],
)
async def summary(
    ctx: Context, *, by: Grouping = "kind", since: Since | None = None, until: Until | None = None
) -> Metrics:
    """What executions that finished in these hours have taken, by kind of steps, by role or by model: how many attempts
    or calls, how many worked, how long half of them and 95 of a hundred took at most, tokens, cost, answers from the
    cache. BAD_REQUEST with `problems` when the time is longer than a year or ends before it begins. Needs
    executions.read.
    """
    return await metrics.summary(ctx.caller, by=by, since=since, until=until)
