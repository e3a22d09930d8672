"""The purse of an attempt: every budget that its model calls count against, kept in the database."""

import asyncio
import logging
from decimal import Decimal
from uuid import UUID

import asyncpg

from services import connections
from services.budgets.watch import is_any_day_limited
from services.engine.outages import is_away
from services.engine.performer import Attempt
from services.failure import Failed, failed
from services.models.messages import Usage
from services.models.purse import UNLIMITED, Estimate, Purse, Reservation

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_RESERVE = "SELECT * FROM budget_reserve($1, $2, $3, $4, $5, $6, $7)"
_SETTLE = "SELECT budget_settle($1, $2, $3)"


def purse_of(attempt: Attempt) -> Purse:
    """What the model calls of an attempt are paid from: all of its budgets, of the step, the execution, what is above
    it and the day. Where there is none, nothing is asked and nothing counted.
    """
    is_limited = attempt.is_budgeted or attempt.step.budget is not None or is_any_day_limited()
    return _Purse(attempt) if is_limited else UNLIMITED


class _Purse:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def reserve(self, estimate: Estimate) -> Reservation:
        row = await self._asked(estimate)
        if row["refusal"] is not None:
            raise _refusal(row, estimate, self._attempt)
        if row["reservation"] is None:  # the budgets of the day are those of others
            return await UNLIMITED.reserve(estimate)
        return _Reservation(row["reservation"])

    async def _asked(self, estimate: Estimate) -> asyncpg.Record:
        attempt = self._attempt
        values = (
            attempt.execution,
            attempt.path,
            attempt.epoch,
            attempt.role_version,
            estimate.model,
            estimate.at_most_usd,
            _tokens(estimate),
        )
        # By the server's own rights: an agent on whose behalf something is done has none on budgets.
        statements = connections.database().statements
        try:
            (row,) = await statements.fetch(_RESERVE, *values)
        except asyncpg.ForeignKeyViolationError:  # a budget has gone while it was being asked
            (row,) = await statements.fetch(_RESERVE, *values)
        return row


class _Reservation:
    def __init__(self, id: UUID) -> None:
        self.id = id

    async def settle(self, usage: Usage) -> None:
        await self._end(usage.cost_usd, usage.input_tokens + usage.output_tokens)

    async def release(self) -> None:
        await self._end(Decimal(0), 0)

    async def forfeit(self) -> None:
        await self._end(None, None)

    async def _end(self, usd: Decimal | None, tokens: int | None) -> None:
        while True:
            try:
                await connections.database().statements.fetch(_SETTLE, self.id, usd, tokens)
            except Exception as error:
                if not is_away(error):
                    raise
                # The answer is there already; to lose it would be to pay for it twice.
                _log.warning("what a model call took is written down again in a second: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return


def _tokens(estimate: Estimate) -> int:
    return estimate.input_tokens + estimate.max_output_tokens


def _refusal(row: asyncpg.Record, estimate: Estimate, attempt: Attempt) -> Failed:
    if row["refusal"] == "stale":
        return failed("WORKER_LOST", "the execution was taken over by another worker; what this one asks is not paid")
    whose = _whose(row["kind"], row["name"], attempt)
    if row["refusal"] == "unknown":
        unknown = f"the price of {estimate.model} is not known, so set one, or take a model that has one"
        return failed("BUDGET_UNKNOWN_PRICE", f"{unknown}, and the budget of {whose} pays for nothing else")
    tokens = _tokens(estimate)
    if row["allowed_usd"] is not None and (estimate.at_most_usd or Decimal(0)) > row["left_usd"]:
        left, wanted = f"{row['left_usd']:f} of {row['allowed_usd']:f} USD", f"{estimate.at_most_usd:f} USD"
    else:
        left, wanted = f"{row['left_tokens']:,} of {row['allowed_tokens']:,} tokens", f"{tokens:,}"
    message = f"the budget of {whose} has {left} left, and this call of {estimate.model} may take {wanted}"
    return failed("BUDGET_EXCEEDED", message)


def _whose(kind: str, name: str, attempt: Attempt) -> str:
    match kind:
        case "step":
            return f"the step {name!r}"
        case "execution":
            return "the execution" if name == str(attempt.execution) else f"the execution {name} above this one"
        case "installation":
            return "today for all"
        case _:
            return f"today for the {kind} {name!r}"
