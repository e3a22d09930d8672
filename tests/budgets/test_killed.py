"""Budgets of a real installation: what is refused was never sent, and what a killed process had reserved is spent."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.cli.processes import Rolecall, Up, until
from tests.conftest import NewDirectory
from tests.models.peer import Asked, Peer, Reply, completion, peer_with

COST = Decimal("0.00002")  # of 100 tokens read and 20 written, by the list price of the model


@pytest.fixture
def rolecall(new_directory: NewDirectory) -> Iterator[Rolecall]:
    with new_directory() as directory:
        yield Rolecall(directory / "data", {"OPENAI_API_KEY": "k", "ROLECALL_MODEL": "openai/gpt-6-luna"})


def test_a_call_that_its_parent_cannot_pay_is_never_sent(rolecall: Rolecall) -> None:
    with peer_with(completion("tea")) as peer, rolecall.up(OPENAI_BASE_URL=f"{peer.url}/v1") as up:
        make_roles(up)
        orchestrate(up, "inner", [ask("Ask", "Novelist")])
        call = {"name": "Call", "kind": "orchestration", "orchestration": "inner"}
        orchestrate(up, "outer", [ask("First", "Writer"), call])
        paid = up.finished(start(up, "outer", budgetUsd="0.0100"))
        failed = up.finished(start(up, "outer", budgetUsd="0.0010"))

    assert (paid["status"], Decimal(paid["budget"]["settledUsd"])) == ("completed", 2 * COST)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "CHILD_FAILED")
    assert f"BUDGET_EXCEEDED: the budget of the execution {failed['id']} above this one" in failed["error"]["message"]
    assert (Decimal(failed["budget"]["settledUsd"]), Decimal(failed["budget"]["reservedUsd"])) == (COST, 0)
    assert len(peer.asked) == 3


def test_what_a_killed_process_had_reserved_counts_as_spent(rolecall: Rolecall) -> None:
    with peer_with(completion("tea")) as peer:
        hold_the_first(peer)
        with rolecall.up(OPENAI_BASE_URL=f"{peer.url}/v1") as up:
            make_roles(up)
            orchestrate(up, "flow", [ask("Ask", "Writer")])
            execution = start(up, "flow", budgetUsd="0.0100")
            peer.wait_until_asked()
            under_way = budget_of(up, execution)
            up.end(signal.SIGKILL)
        with rolecall.up(OPENAI_BASE_URL=f"{peer.url}/v1") as up:
            assert up.finished(execution)["status"] == "completed"
            before = budget_of(up, execution)
            up.mutate("role.create", name="Somebody", basePrompt="")  # it is looked at once a minute, or when told
            after = until(lambda: budget_of(up, execution), lambda budget: budget["reserved"] == 0)

    lost = under_way["reserved"]
    assert under_way["settled"] == 0
    assert lost > COST
    assert before in ({"reserved": lost, "settled": COST}, after)
    assert after == {"reserved": 0, "settled": lost + COST}


def hold_the_first(peer: Peer) -> None:
    """Let the first call wait for ever."""
    answer = peer.next_reply

    def reply(asked: Asked) -> Reply:
        given = answer(asked)
        return Reply(never=True) if len(peer.asked) == 1 else given

    peer.next_reply = reply  # type: ignore[method-assign]


def make_roles(up: Up) -> None:
    for name, tokens in (("Writer", 1_000), ("Novelist", 10_000)):
        up.mutate("role.create", name=name, basePrompt="Be brief.", parameters={"maxOutputTokens": tokens})


def ask(name: str, role: str) -> dict[str, Any]:
    return {"name": name, "kind": "llm", "roleName": role, "inputMapping": {"topic": "tea"}}


def orchestrate(up: Up, name: str, steps: list[dict[str, Any]]) -> None:
    up.mutate("orchestration.create", document={"name": name, "steps": steps})


def start(up: Up, orchestration: str, **options: Any) -> str:
    return up.mutate("execution.start", orchestration=orchestration, **options)["id"]


def budget_of(up: Up, execution: str) -> dict[str, Decimal]:
    budget = up.query("execution.get", execution=execution)["budget"]
    return {"reserved": Decimal(budget["reservedUsd"]), "settled": Decimal(budget["settledUsd"])}
