"""Budgets, and the accounts in which it stands what of them is reserved and spent."""

from decimal import Decimal

from piccolo.columns import UUID, Array, BigInt, Date, ForeignKey, Numeric, OnDelete, Text, Timestamptz
from piccolo.table import Table
from uuid_utils.compat import uuid7

from db.tables.clock import DatabaseClock
from db.tables.execution import Execution
from db.tables.orchestration import Orchestration
from db.tables.role import Role


class Budget(Table, tablename="budget"):
    """What the model calls of a day (UTC) may take: of a role, of an orchestration, or of the whole installation.

    The limits of steps and executions stand with these. `budget_reserve` holds calls to all of them.
    """

    id = UUID(primary_key=True, default=uuid7)
    role_id = ForeignKey(Role, null=True, default=None, on_delete=OnDelete.cascade, unique=True)
    orchestration_id = ForeignKey(Orchestration, null=True, default=None, on_delete=OnDelete.cascade, unique=True)
    usd_per_day = Numeric(null=True, default=None, help_text="To the millionth; null for any number.")
    tokens_per_day = BigInt(null=True, default=None, help_text="Read and written; null for any number.")


class BudgetAccount(Table, tablename="budget_account"):
    """What is reserved and spent of one budget: of an execution, an instance of a step, or one day of a `Budget`.

    Made with the first call that is paid from it, and written by `budget_reserve` and `budget_settle` alone.
    """

    id = UUID(primary_key=True, default=uuid7)
    execution_id = ForeignKey(Execution, null=True, default=None, on_delete=OnDelete.cascade)
    path = Text(null=True, default=None, help_text="The step's instance path; empty for the execution.")
    budget_id = ForeignKey(Budget, null=True, default=None, on_delete=OnDelete.cascade)
    day = Date(null=True, default=None, help_text="In UTC.")
    reserved_usd = Numeric(null=False, default=Decimal(0))
    reserved_tokens = BigInt(null=False, default=0)
    settled_usd = Numeric(null=False, default=Decimal(0))
    settled_tokens = BigInt(null=False, default=0)


class BudgetReservation(Table, tablename="budget_reservation"):
    """What is set aside for a model call under way; it goes when the call is settled."""

    id = UUID(primary_key=True, default=uuid7)
    execution_id = UUID(null=False, default=None)
    epoch = BigInt(null=False, default=None, help_text="Under a later one nobody will settle it.")
    path = Text(null=False, default=None)
    model = Text(null=False, default=None)
    accounts = Array(base_column=UUID(), null=False, default=None)
    usd = Numeric(null=False, default=None)
    tokens = BigInt(null=False, default=None)
    reserved_at = Timestamptz(null=False, default=DatabaseClock())
