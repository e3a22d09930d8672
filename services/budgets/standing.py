"""What an execution may spend, and has spent."""

from uuid import UUID

from services import connections
from services.budgets.records import ExecutionBudget

_STANDING = """
SELECT budget_usd AS granted_usd, budget_tokens AS granted_tokens, coalesce(reserved_usd, 0) AS reserved_usd,
  coalesce(settled_usd, 0) AS settled_usd, coalesce(reserved_tokens, 0) AS reserved_tokens,
  coalesce(settled_tokens, 0) AS settled_tokens
FROM execution LEFT JOIN budget_account AS account ON account.execution_id = execution.id AND account.path = ''
WHERE execution.id = $1 AND (budget_usd IS NOT NULL OR budget_tokens IS NOT NULL)
"""


async def of_execution(execution: UUID) -> ExecutionBudget | None:
    """The budget of an execution; None where it has none of its own. Whoever may see the execution may see this."""
    # By the server's own rights: agents, who may look at executions, have none on what is spent.
    rows = await connections.database().statements.fetch(_STANDING, execution)
    return ExecutionBudget(**rows[0]) if rows else None
