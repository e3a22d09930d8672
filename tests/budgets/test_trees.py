"""What is settled never exceeds what was granted, whoever spends at once and whatever is left open."""

from __future__ import annotations

import pytest

from services.budgets import BudgetWatch
from services.failure import Failed
from tests.budgets import trees
from tests.budgets.household import reserved, start

TREES = 60


async def test_trees_that_spend_at_once_never_exceed_their_grants(watch: BudgetWatch) -> None:
    ledger, wrong = await trees.run(TREES, seed=7)

    assert wrong == []
    # It was close enough to be a test: each of these has happened.
    assert min(ledger.calls, ledger.refused, ledger.left_open, ledger.taken_over, ledger.looks) > 0


async def test_what_was_not_spent_can_be_spent_to_the_last_millionth(watch: BudgetWatch) -> None:
    execution = await start(usd="1.00")
    await (await reserved(execution, "0.30")).forfeit()
    await (await reserved(execution, "0.70")).release()

    with pytest.raises(Failed):
        await reserved(execution, "0.700001")
    await reserved(execution, "0.700000")
