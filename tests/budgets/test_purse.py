"""What calls are paid from: nothing is spent that was not granted, and what is not spent is there again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from services import budgets, connections
from services.budgets import BudgetWatch, ExecutionBudget
from services.caller import OPERATOR
from services.failure import Failed
from services.models.messages import Usage
from services.models.purse import UNLIMITED
from tests.budgets.household import (
    MODEL,
    attempt,
    estimate,
    give_back,
    purse,
    reserved,
    start,
    take_over,
)

pytestmark = pytest.mark.usefixtures("watch")
Told = Callable[[pytest.ExceptionInfo[Failed]], tuple[str, str]]


async def test_a_call_is_paid_and_what_it_does_not_take_is_there_again() -> None:
    execution = await start(usd="1.00", tokens=1_000)

    first = await reserved(execution, "0.60", tokens=600)
    under_way = await budgets.of_execution(execution)
    await first.settle(Usage(100, 50, Decimal("0.0123456789")))
    await (await reserved(execution, "0.98", tokens=850)).release()

    granted = {"granted_usd": Decimal("1.00"), "granted_tokens": 1_000}
    assert under_way == ExecutionBudget(
        **granted, reserved_usd=Decimal("0.60"), settled_usd=Decimal(0), reserved_tokens=600, settled_tokens=0
    )
    assert await budgets.of_execution(execution) == ExecutionBudget(
        **granted, reserved_usd=Decimal(0), settled_usd=Decimal("0.0123456789"), reserved_tokens=0, settled_tokens=150
    )


async def test_a_call_that_does_not_fit_is_refused_and_nothing_is_set_aside() -> None:
    execution = await start(usd="1.00")
    await reserved(execution, "0.90")

    with pytest.raises(Failed) as refused:
        await reserved(execution, "0.11")

    assert told(refused) == (
        "BUDGET_EXCEEDED",
        f"the budget of the execution has 0.10 of 1.00 USD left, and this call of {MODEL} may take 0.11 USD",
    )
    assert not refused.value.failure.retryable
    assert (await standing(execution)).reserved_usd == Decimal("0.90")


async def test_tokens_are_a_budget_too() -> None:
    execution = await start("inner")  # whose version allows 5,000

    with pytest.raises(Failed) as refused:
        await reserved(execution, None, tokens=5_001)
    await reserved(execution, None, tokens=5_000)

    assert told(refused) == (
        "BUDGET_EXCEEDED",
        f"the budget of the execution has 5,000 of 5,000 tokens left, and this call of {MODEL} may take 5,001",
    )


async def test_the_start_lowers_what_the_version_allows_and_does_not_raise_it() -> None:
    higher, lower = await start("inner", tokens=6_000), await start("inner", tokens=7)

    assert [(await standing(it)).granted_tokens for it in (higher, lower)] == [5_000, 7]


async def test_a_model_of_unknown_price_is_not_paid_from_dollars() -> None:
    execution = await start(usd="1.00")

    with pytest.raises(Failed) as refused:
        await reserved(execution, None)

    assert told(refused) == (
        "BUDGET_UNKNOWN_PRICE",
        f"the price of {MODEL} is not known, so set one, or take a model that has one, and the budget of the execution"
        " pays for nothing else",
    )


async def test_a_child_spends_what_its_parent_has_left_and_no_more() -> None:
    parent = await start(usd="1.00")
    child = await start("inner", parent=parent, path="Send")
    grandchild = await start("inner", usd="5.00", parent=child, path="Send")
    await reserved(parent, "0.30")
    await reserved(child, "0.30")

    with pytest.raises(Failed) as refused:
        await reserved(grandchild, "0.41")
    await (await reserved(grandchild, "0.40")).settle(Usage(10, 10, Decimal("0.35")))

    assert told(refused)[1].startswith(f"the budget of the execution {parent} above this one has 0.40 of 1.00 USD left")
    shown = [await standing(it) for it in (parent, child, grandchild)]
    assert [(it.reserved_usd, it.settled_usd) for it in shown] == [
        (Decimal("0.60"), Decimal("0.35")),
        (Decimal("0.30"), Decimal("0.35")),
        (Decimal(0), Decimal("0.35")),
    ]


async def test_the_attempts_at_a_step_share_its_budget_and_its_instances_do_not() -> None:
    execution = await start()

    await (await reserved(execution, "0.30", "Each[0]/Ask")).settle(Usage(1, 1, Decimal("0.30")))
    with pytest.raises(Failed) as refused:
        await reserved(execution, "0.11", "Each[0]/Ask")
    await reserved(execution, "0.40", "Each[1]/Ask")

    assert told(refused)[1].startswith("the budget of the step 'Ask' has 0.10 of 0.40 USD left")


async def test_the_children_of_a_step_share_its_budget() -> None:
    parent = await start()
    first = await start("inner", parent=parent, path="Call")
    again = await start("inner", parent=parent, path="Call", attempt=2)
    beside = await start("inner", parent=parent, path="Send")

    await reserved(first, "0.30")
    with pytest.raises(Failed) as refused:
        await reserved(again, "0.11")
    await reserved(beside, "0.50")

    assert told(refused)[1].startswith("the budget of the step 'Call' has 0.10 of 0.40 USD left")


async def test_days_are_limited_for_a_role_an_orchestration_and_all(watch: BudgetWatch) -> None:
    await budgets.set_(OPERATOR, usd_per_day="1.00")
    await budgets.set_(OPERATOR, orchestration="outer", usd_per_day="0.80")
    await budgets.set_(OPERATOR, role="Critic", usd_per_day="0.10")
    await watch.look()
    execution = await start()
    child = await start("inner", parent=execution, path="Send")

    refusals = []
    await reserved(child, "0.50")  # on account of the orchestration that has started it, too
    for role, usd in (("Critic", "0.11"), ("Coder", "0.31")):
        with pytest.raises(Failed) as refused:
            await (await purse(execution, role=role)).reserve(estimate(usd))
        refusals.append(told(refused)[1])
    with pytest.raises(Failed) as refused:
        await reserved(await start("inner"), "0.51")

    assert [it.partition(" has ")[0] for it in (*refusals, told(refused)[1])] == [
        "the budget of today for the role 'Critic'",
        "the budget of today for the orchestration 'outer'",
        "the budget of today for all",
    ]
    assert [(it.kind, it.name, it.reserved_usd) for it in await budgets.list_(OPERATOR)] == [
        ("installation", None, Decimal("0.50")),
        ("orchestration", "outer", Decimal("0.50")),
        ("role", "Critic", Decimal(0)),
    ]


async def test_where_there_is_no_budget_nothing_is_asked(watch: BudgetWatch) -> None:
    execution = await start()
    alone = await attempt(execution)

    before = budgets.purse_of(alone)
    await budgets.set_(OPERATOR, role="Critic", usd_per_day="0.10")
    await watch.look()
    asking = budgets.purse_of(alone)
    reservation = await asking.reserve(estimate())

    assert before is UNLIMITED
    assert asking is not UNLIMITED
    assert reservation is await UNLIMITED.reserve(estimate())  # the budget is another role's
    assert await connections.pool().fetchval("SELECT count(*) FROM budget_account") == 0


async def test_a_reservation_ends_once() -> None:
    execution = await start(usd="1.00")
    reservation = await reserved(execution, "0.50")

    await reservation.settle(Usage(1, 1, Decimal("0.20")))
    await reservation.forfeit()
    await reservation.release()

    assert (await standing(execution)).settled_usd == Decimal("0.20")


async def test_what_nobody_knows_counts_as_spent() -> None:
    execution = await start(usd="1.00")

    await (await reserved(execution, "0.50")).forfeit()
    await (await reserved(execution, "0.20")).settle(Usage(1, 1, None))

    assert (await standing(execution)).settled_usd == Decimal("0.70")


async def test_what_a_dead_worker_has_reserved_counts_as_spent() -> None:
    execution, waiting, running = [await start(usd="1.00") for _ in range(3)]
    lost, left = await reserved(execution, "0.50"), await reserved(waiting, "0.40")
    await reserved(running, "0.30")

    epoch = await take_over(execution)
    await reserved(execution, "0.10", epoch=epoch)
    await give_back(waiting)
    closed = await budgets.close_abandoned()
    await lost.settle(Usage(1, 1, Decimal("0.01")))  # its worker was only slow
    await left.release()

    shown = [await standing(it) for it in (execution, waiting, running)]
    assert (closed, await budgets.close_abandoned()) == (2, 0)
    assert [(it.reserved_usd, it.settled_usd) for it in shown] == [
        (Decimal("0.10"), Decimal("0.50")),
        (Decimal(0), Decimal("0.40")),
        (Decimal("0.30"), Decimal(0)),
    ]


async def test_who_does_not_own_the_execution_any_more_pays_nothing() -> None:
    execution = await start(usd="1.00")
    late = await purse(execution)
    await take_over(execution)

    with pytest.raises(Failed) as refused:
        await late.reserve(estimate())

    assert told(refused)[0] == "WORKER_LOST"


async def test_an_answer_that_took_more_than_was_asked_for_counts_whole() -> None:
    execution = await start(usd="1.00")

    await (await reserved(execution, "0.90")).settle(Usage(1, 1, Decimal("1.20")))
    with pytest.raises(Failed) as refused:
        await reserved(execution, "0.01")

    assert "has 0 of 1.00 USD left" in told(refused)[1]


async def test_a_budget_that_goes_takes_its_days_along(watch: BudgetWatch) -> None:
    await budgets.set_(OPERATOR, usd_per_day="1.00")
    await watch.look()
    execution = await start()
    reservation = await reserved(execution, "0.50")

    await budgets.set_(OPERATOR)
    await reservation.settle(Usage(1, 1, Decimal("0.20")))

    assert await budgets.list_(OPERATOR) == []
    assert await connections.pool().fetchval("SELECT count(*) FROM budget_account") == 0


async def test_what_was_spent_long_ago_is_forgotten(watch: BudgetWatch) -> None:
    await budgets.set_(OPERATOR, usd_per_day="1.00")
    await watch.look()
    execution = await start(usd="1.00")
    await (await reserved(execution)).settle(Usage(1, 1, Decimal("0.01")))
    await connections.pool().execute(
        "INSERT INTO budget_account (budget_id, day) SELECT id, current_date - days"
        " FROM budget, unnest(ARRAY[29, 30, 31]) AS days"
    )

    await budgets.forget_days(timedelta(days=30))

    kept = await connections.pool().fetch("SELECT current_date - day AS days FROM budget_account ORDER BY day")
    assert [row["days"] for row in kept] == [30, 29, 0, None]


async def standing(execution: object) -> ExecutionBudget:
    shown = await budgets.of_execution(execution)  # type: ignore[arg-type]
    assert shown is not None
    return shown


def told(refused: pytest.ExceptionInfo[Failed]) -> tuple[str, str]:
    return refused.value.failure.code, refused.value.failure.message
