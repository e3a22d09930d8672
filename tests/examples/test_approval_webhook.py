"""The pattern that this server cannot run yet, played in the core: nobody performs its steps, the test answers them."""

from typing import Any

import yaml

from services.failure import Failure
from services.json import Json
from tests.engine.play import EXECUTION, Play, failure
from tests.examples.example import Example

EXAMPLE = Example("patterns/approval-webhook.yaml")
ANSWERS: dict[str, Json] = {
    "Draft": "You get 80 back.",
    "Approve": {"decision": "approved", "by": ["grace"], "comment": ""},
    "Pay": {"status": 201, "headers": {}, "body": {"id": "p1"}},
    "Confirm": {"headers": {}, "body": {"id": "p1", "state": "paid"}},
}


def played(answers: dict[str, Any] | None = None, **input: Json) -> Play:
    """The example, over, with these answers instead of those by which all goes well."""
    given: Any = EXAMPLE.input
    body = yaml.safe_dump({key: value for key, value in EXAMPLE.document.items() if key != "name"}, sort_keys=False)
    return Play(body, {**ANSWERS, **(answers or {})}, input={**given, **input}).run()


def test_an_approved_refund_is_paid_once_and_confirmed() -> None:
    play = played()

    assert play.asked == ["Draft", "Approve", "Decide/Pay", "Decide/Confirm"]
    pay = play.starts[2]
    assert pay.input == {"order": "10482", "amount": 80, "letter": "You get 80 back."}
    assert pay.idempotency_key == f"refund-{EXECUTION}"
    assert play.output == {"order": "10482", "refunded": True, "confirmation": ANSWERS["Confirm"]}


def test_a_small_refund_needs_no_approval() -> None:
    assert played(amount=20).asked == ["Draft", "Decide/Pay", "Decide/Confirm"]


def test_a_rejected_refund_is_not_paid() -> None:
    play = played({"Approve": {"decision": "rejected", "by": ["grace"], "comment": "Too late."}})

    assert play.asked == ["Draft", "Approve"]
    assert play.output == {"order": "10482", "refunded": False, "comment": "Too late."}


def test_a_confirmation_that_never_comes_is_escalated() -> None:
    play = played({"Confirm": failure("WAIT_EXPIRED", "nothing came within a day")})

    assert play.asked[-1] == "Decide/Confirm"
    confirmation = {"confirmed": False, "why": "nothing came within a day"}
    assert play.output == {"order": "10482", "refunded": True, "confirmation": confirmation}


def test_a_payment_is_tried_again_with_the_same_key() -> None:
    busy = Failure(code="HTTP_5XX", message="busy", retryable=True)

    play = played({"Pay": busy})

    pays = [start for start in play.starts if start.path == "Decide/Pay"]
    assert [(pay.attempt, pay.delay_ms) for pay in pays] == [(1, 0), (2, 1_000), (3, 2_000), (4, 4_000)]
    assert {pay.idempotency_key for pay in pays} == {f"refund-{EXECUTION}"}
    assert (play.asked[-1], play.code) == ("Alert", "HTTP_5XX")


def test_what_fails_after_the_payment_alerts_and_cancels_it() -> None:
    play = played({"Confirm": failure("INTERNAL", "lost")})

    assert play.asked[-3:] == ["Decide/Confirm", "Alert", "Decide/Pay/Cancel"]
    assert [start.input for start in play.starts[-2:]] == [
        {"order": "10482", "code": "INTERNAL", "step": "Confirm"},
        {"payment": "p1"},
    ]
    assert play.code == "INTERNAL"
