"""Budgets: what model calls may take, reserved before each call and settled after it.

* `purse.purse_of`      what the calls of an attempt are paid from; where there is no budget, nothing is asked
* `setting`             the budgets of days: of a role, of an orchestration, of the whole installation
* `standing`            what an execution may spend and has spent
* `watch.BudgetWatch`   knows whether any day has a budget, and closes what dead workers have left open

The rules stand in the database (`budget_reserve`, `budget_settle`), so that no two processes spend the same dollar.
"""

from services.budgets.purse import purse_of
from services.budgets.records import DailyBudget, DailyTokens, ExecutionBudget
from services.budgets.setting import forget_days, get, list_, set_
from services.budgets.standing import of_execution
from services.budgets.watch import BudgetWatch, close_abandoned

__all__ = [
    "BudgetWatch",
    "DailyBudget",
    "DailyTokens",
    "ExecutionBudget",
    "close_abandoned",
    "forget_days",
    "get",
    "list_",
    "of_execution",
    "purse_of",
    "set_",
]
