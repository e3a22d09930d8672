"""budget.*: what the model calls of a day may take."""

from typing import Annotated

from msgspec import Meta

from api.context import Context
from api.policy import Needs
from api.rpc import Example, mutation, query
from services import budgets
from services.budgets import DailyBudget, DailyTokens
from services.definitions.document import Dollars
from services.listing import OrchestrationReference, RoleReference

UsdPerDay = Annotated[Dollars, Meta(description="US dollars a day (UTC), as a text such as `12.50`.")]
TokensPerDay = Annotated[DailyTokens, Meta(description="Tokens read and written a day (UTC).")]


@query(meta=Needs("executions.read"))
async def list_(ctx: Context) -> list[DailyBudget]:
    """Every budget of a day with what is reserved and spent of it today: that of the whole installation first, then
    those of orchestrations and of roles. Needs executions.read.
    """
    return await budgets.list_(ctx.caller)


@query(meta=Needs("executions.read"), examples=[Example(summary="Of a role.", input={"role": "Critic"})])
async def get(
    ctx: Context, *, role: RoleReference | None = None, orchestration: OrchestrationReference | None = None
) -> DailyBudget | None:
    """The budget of the role or of the orchestration; with neither, that of the whole installation; null where there
    is none. NOT_FOUND when there is no such role or orchestration; BAD_REQUEST with `problems` when both are named.
    Needs executions.read.
    """
    return await budgets.get(ctx.caller, role=role, orchestration=orchestration)


@mutation(
    meta=Needs("budgets.write"),
    examples=[
        Example(summary="All model calls of a day together.", input={"usdPerDay": "50"}),
        Example(summary="None for a role any more.", input={"role": "Critic"}),
    ],
)
async def set_(
    ctx: Context,
    *,
    role: RoleReference | None = None,
    orchestration: OrchestrationReference | None = None,
    usd_per_day: UsdPerDay | None = None,
    tokens_per_day: TokensPerDay | None = None,
) -> DailyBudget | None:
    """The budget of the role, of the orchestration or of the whole installation, as it is from now on; what was spent
    of today counts. Without a limit it is taken away, and the answer is null. A call that does not fit into what is
    left fails with BUDGET_EXCEEDED. NOT_FOUND when there is no such role or orchestration; BAD_REQUEST with `problems`
    when both are named. Needs budgets.write.
    """
    return await budgets.set_(
        ctx.caller, role=role, orchestration=orchestration, usd_per_day=usd_per_day, tokens_per_day=tokens_per_day
    )
