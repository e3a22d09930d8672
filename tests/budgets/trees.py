"""Random trees of executions that spend at once: a ledger beside the database says what that has to hold.

`python -m tests.budgets` runs a thousand of them; the suite a few.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from services import budgets, connections
from services.budgets import BudgetWatch, purse_of
from services.budgets.purse import _Reservation
from services.caller import OPERATOR
from services.engine.performer import Attempt
from services.failure import Failed
from tests.budgets import household
from tests.budgets.household import estimate

ALL = ("all", "")
_MILLIONTH = Decimal("0.000001")
_SPENDERS = 4
_CALLS = 6
_STANDING = """
SELECT coalesce(execution_id::text, 'all') AS owner, coalesce(path, '') AS path, sum(reserved_usd) AS reserved_usd,
  sum(settled_usd) AS settled_usd, sum(reserved_tokens) AS reserved_tokens, sum(settled_tokens) AS settled_tokens
FROM budget_account GROUP BY 1, 2
"""
# Of steps it is known what they may spend.
_EXCEEDED = f"""
SELECT count(*) FROM budget_account AS account
LEFT JOIN execution ON execution.id = account.execution_id AND account.path = ''
LEFT JOIN budget ON budget.id = account.budget_id
WHERE reserved_usd + settled_usd > coalesce(
    budget_usd, usd_per_day, CASE WHEN account.path <> '' THEN {household.STEP_USD} ELSE 'Infinity'::numeric END)
  OR reserved_tokens + settled_tokens > coalesce(budget_tokens, tokens_per_day, 9223372036854775807)
"""


@dataclass
class Node:
    """One execution of a tree; `attempt` is what its worker has, under the epoch of that."""

    attempt: Attempt
    is_budgeted: bool
    parent: Node | None
    path: str | None
    depth: int

    def accounts(self, path: str) -> list[tuple[str, str]]:
        """The accounts that a call at a step of it is paid from, but for those of days."""
        id = str(self.attempt.execution)
        own = [(id, path)] if path.endswith(("Ask", "Call")) else []
        own += [(id, "")] if self.is_budgeted else []
        return own + ([] if self.parent is None or self.path is None else self.parent.accounts(self.path))


@dataclass
class Ledger:
    """What became of the calls, by the accounts that they were paid from, as those who made them know it."""

    usd: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    tokens: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    trees: int = 0
    calls: int = 0
    refused: int = 0
    left_open: int = 0
    taken_over: int = 0
    looks: int = 0

    def book(self, accounts: Sequence[tuple[str, str]], usd: Decimal, tokens: int) -> None:
        for account in accounts:
            self.usd[account] += usd
            self.tokens[account] += tokens

    def __str__(self) -> str:
        return (
            f"{self.trees} trees, {self.calls} calls paid, {self.refused} refused, {self.left_open} left open, "
            f"{self.taken_over} executions taken over, {self.looks} looks at all accounts meanwhile"
        )


async def run(trees: int, seed: int, *, at_once: int = 4) -> tuple[Ledger, list[str]]:
    """Spend in so many trees, a few at once, all of which share the budget of a day; what was seen, and what was wrong.

    Over a database with a household, and no reservation.
    """
    ledger = Ledger()
    # A little less than they would spend.
    await budgets.set_(OPERATOR, usd_per_day=str(2 * trees), tokens_per_day=trees * 20_000)
    await BudgetWatch().look()
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with room:
            chance = random.Random(f"{seed}/{number}")
            nodes = await _tree(chance)
            spenders = [random.Random(f"{seed}/{number}/{spender}") for spender in range(_SPENDERS)]
            await asyncio.gather(*(_spend(own, nodes, ledger) for own in spenders))
            ledger.trees += 1

    wrong: list[str] = []
    watching = asyncio.create_task(_watched(ledger, wrong))
    await asyncio.gather(*map(one, range(trees)))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    wrong += await _at_the_end(ledger)
    return ledger, wrong


async def _tree(chance: random.Random) -> list[Node]:
    nodes: list[Node] = []
    for number in range(chance.randint(1, 8)):
        parent = chance.choice([node for node in nodes if node.depth < 8]) if nodes else None
        path = None if parent is None else chance.choice(("Call", "Send", "Each[0]/Call", "Each[1]/Send"))
        usd = chance.choice((None, None, Decimal(chance.randint(0, 3_000_000)) * _MILLIONTH))
        tokens = chance.choice((None, None, None, chance.randint(0, 20_000)))
        above = None if parent is None else parent.attempt.execution
        id = await household.start(usd=usd, tokens=tokens, parent=above, path=path, attempt=number + 1)
        depth = 0 if parent is None else parent.depth + 1
        is_budgeted = usd is not None or tokens is not None
        nodes.append(Node(await household.attempt(id), is_budgeted, parent, path, depth))
    return nodes


async def _spend(chance: random.Random, nodes: Sequence[Node], ledger: Ledger) -> None:
    """Make calls, one after the other, that end in every way in which a call can end."""
    for _ in range(_CALLS):
        node, path = chance.choice(nodes), chance.choice(("Ask", "Free", "Each[0]/Ask", "Each[0]/Free"))
        usd, tokens = Decimal(chance.randint(0, 600_000)) * _MILLIONTH, chance.randint(0, 4_000)
        if chance.random() < 0.05:
            ledger.taken_over += 1
            epoch = await household.take_over(node.attempt.execution, chance.choice(("first", "second")))
            node.attempt = replace(node.attempt, epoch=max(epoch, node.attempt.epoch))
        attempt = replace(node.attempt, path=path)
        try:
            reservation = await purse_of(attempt).reserve(estimate(usd, tokens=tokens))
        except Failed as refused:
            ledger.refused += refused.failure.code == "BUDGET_EXCEEDED"
            continue
        assert isinstance(reservation, _Reservation)
        ledger.calls += 1
        if chance.random() < 0.1:
            ledger.left_open += 1
            ledger.book([*node.accounts(path), ALL], usd, tokens)
            continue
        whole, nothing = (usd, tokens), (Decimal(0), 0)
        spent = chance.choice((whole, nothing, (usd * chance.randint(0, 100) / 100, tokens // 2)))
        was_open = await _ended(reservation.id, None if spent == whole else spent)
        # Who was taken over may find that all of it was spent already.
        ledger.book([*node.accounts(path), ALL], *(spent if was_open else whole))
        assert not await _ended(reservation.id, nothing), "a reservation ends once"


async def _ended(reservation: UUID, spent: tuple[Decimal, int] | None) -> bool:
    """Whether it was open until now; without `spent` all of it is."""
    (row,) = await connections.database().statements.fetch(
        "SELECT budget_settle($1, $2, $3) AS was_open", reservation, *(spent or (None, None))
    )
    return row["was_open"]


async def _watched(ledger: Ledger, wrong: list[str]) -> None:
    """Look at all accounts, and close what was abandoned, again and again until cancelled."""
    while True:
        exceeded = await connections.pool().fetchval(_EXCEEDED)
        if exceeded:
            wrong.append(f"{exceeded} accounts exceed what was granted")
        ledger.looks += 1
        await budgets.close_abandoned()
        await asyncio.sleep(0.01)


async def _at_the_end(ledger: Ledger) -> list[str]:
    """What the database holds, once nobody is at work, that the ledger does not."""
    await connections.pool().execute(
        "UPDATE execution SET owner = NULL, status = 'queued', available_at = now() WHERE owner IS NOT NULL"
    )
    while await budgets.close_abandoned():
        pass
    rows = await connections.pool().fetch(_STANDING)
    held = {(row["owner"], row["path"]): (row["settled_usd"], row["settled_tokens"]) for row in rows}
    told = {account: (ledger.usd[account], ledger.tokens[account]) for account in held.keys() | ledger.usd.keys()}
    wrong = [f"{it}: {held.get(it)} settled, and not {told[it]}" for it in told if held.get(it, (0, 0)) != told[it]]
    wrong += [f"{row['owner']} {row['path']} keeps something reserved" for row in rows if row["reserved_usd"]]
    if await connections.pool().fetchval(_EXCEEDED):
        wrong.append("at the end more is spent than was granted")
    return wrong
