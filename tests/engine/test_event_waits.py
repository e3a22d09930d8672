"""Waits for events in the core: which signal each of them takes, and when."""

from datetime import UTC, datetime
from uuid import UUID

from services.engine.core.commands import StartStep
from services.engine.core.decide import replay, resume
from services.engine.core.events import (
    AnyEvent,
    CancelRequested,
    ExecutionRestarted,
    PauseRequested,
    ResumeRequested,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOverridden,
    StepWaiting,
)
from services.engine.core.fork import kept
from services.engine.core.override import completed, skipped
from services.failure import Failure
from tests.engine.play import Play

PAY = """
steps:
  - {name: Paid, kind: wait, event: payment}
  - {name: Ship, kind: tool, tool: t, inputMapping: {amount: "<<context.Paid.amount>>"}}
"""
TWICE = """
steps:
  - {name: First, kind: wait, event: news}
  - {name: Work, kind: tool, tool: t}
  - {name: Second, kind: wait, event: news}
"""
EXPIRING = "steps: [{name: Paid, kind: wait, event: payment, expiresAfterMs: 500, onError: {default: late}}]"


def expiry(play: Play, path: str) -> StepFailed:
    command = play.waiting.pop(path)
    assert command.is_expiry
    failure = Failure(code="WAIT_EXPIRED", message="it has not come", retryable=False)
    return StepFailed(path=path, attempt=command.attempt, failure=failure)


def test_a_wait_for_an_event_asks_nobody_and_gives_what_came() -> None:
    play = Play(PAY)

    assert (play.asked, play.history[1:]) == ([], [StepWaiting(path="Paid", for_event="payment")])
    play.signal("payment", {"amount": 7})

    assert play.history[2:] == [
        SignalReceived(id=2, name="payment", data={"amount": 7}, by="anna"),
        StepCompleted(path="Paid", attempt=1, output={"amount": 7}, signal=2),
    ]
    assert [(start.path, start.input) for start in play.starts] == [("Ship", {"amount": 7})]
    assert play.state.signals == {}


def test_a_signal_that_comes_early_is_kept_until_its_wait_begins() -> None:
    play = Play(TWICE)

    for n in (1, 2, 3):
        play.signal("news", n)
    assert next(iter(play.state.signals.values())).data == 2
    play.answer("Work")

    assert play.output == {"input": None, "First": 1, "Work": "Work", "Second": 2}
    assert [signal.data for signal in play.state.signals.values()] == [3]


def test_every_iteration_takes_a_signal_of_its_own() -> None:
    play = Play(
        """
        steps:
          - name: Votes
            kind: loop
            maxIterations: 5
            until: "output == 'stop'"
            collect: "<<output>>"
            steps: [{name: Vote, kind: wait, event: vote}]
        output: {votes: "<<context.Votes.results>>"}
        """
    )

    for vote in ("yes", "no", "stop"):
        play.signal("vote", vote)

    assert play.output == {"votes": ["yes", "no", "stop"]}


def test_a_signal_goes_to_the_step_that_has_waited_longest() -> None:
    play = Play(
        """
        steps:
          - {name: Now, kind: wait, event: news, parallelGroup: g}
          - name: Later
            kind: group
            parallelGroup: g
            steps: [{name: Work, kind: tool, tool: t}, {name: Then, kind: wait, event: news}]
        """
    )

    play.answer("Later/Work")
    play.signal("news", "first")
    play.signal("news", "second")

    assert play.output == {"input": None, "Now": "first", "Later": "second"} | {"Work": "Later/Work", "Then": "second"}


def test_a_signal_goes_to_the_item_that_it_matches_whichever_waits_longer() -> None:
    play = Play(
        """
        steps:
          - name: Each
            kind: map
            items: [a, b, c]
            maxConcurrency: 2
            steps: [{name: Paid, kind: wait, event: payment, match: "output.order == item"}]
        output: {paid: "<<context.Each.results>>"}
        """
    )

    for order in ("c", "b", "x", "a"):
        play.signal("payment", {"order": order})

    assert play.output == {"paid": [{"order": "a"}, {"order": "b"}, {"order": "c"}]}
    assert [signal.data for signal in play.state.signals.values()] == [{"order": "x"}]


def test_a_wait_that_is_not_needed_any_more_takes_no_signal() -> None:
    play = Play(
        """
        groups: {g: {join: any}}
        steps:
          - {name: Told, kind: wait, event: news, parallelGroup: g}
          - {name: Work, kind: tool, tool: t, parallelGroup: g}
          - {name: After, kind: wait, event: news}
        """
    )
    del play.waiting["Work"]

    play.happen(
        SignalReceived(id=1, name="news", data="fresh", by="anna"), StepCompleted(path="Work", attempt=1, output=2)
    )

    assert play.output == {"input": None, "Told": None, "Work": 2, "After": "fresh"}


def test_a_wait_expires_when_nothing_has_come_in_time() -> None:
    play = Play(EXPIRING)

    assert play.starts == [
        StartStep(path="Paid", attempt=1, input=None, timeout_ms=60_000, delay_ms=500, is_expiry=True)
    ]
    play.happen(expiry(play, "Paid"))
    play_in_time = Play(EXPIRING)
    play_in_time.signal("payment", "in time")

    assert (play.output, play_in_time.output) == ({"input": None, "Paid": "late"}, {"input": None, "Paid": "in time"})


def test_what_comes_after_its_wait_has_expired_is_there_for_the_handler() -> None:
    play = Play(
        """
        steps:
          - name: Paid
            kind: wait
            event: payment
            expiresAfterMs: 500
            onError: {catch: [{errors: [WAIT_EXPIRED], steps: [
              {name: Remind, kind: tool, tool: t}, {name: Paid at last, kind: wait, event: payment}]}]}
        """
    )

    play.happen(expiry(play, "Paid"))
    play.signal("payment", 7)
    play.answer("Paid/Remind")

    assert play.output == {"input": None, "Paid": 7, "Remind": "Paid/Remind", "Paid at last": 7}


def test_data_that_does_not_fit_fails_the_wait_that_has_taken_it() -> None:
    play = Play("steps: [{name: Paid, kind: wait, event: payment, outputSchema: {type: object}}]")
    unmapped = Play('steps: [{name: Paid, kind: wait, event: payment, outputMapping: {sum: "<<output.amount>>"}}]')

    play.signal("payment", 7)
    unmapped.signal("payment", {})

    assert (play.code, play.state.signals) == ("OUTPUT_INVALID", {})
    assert (unmapped.code, unmapped.state.signals) == ("TEMPLATE_ERROR", {})


def test_a_match_that_cannot_be_decided_fails_the_wait_and_leaves_the_signal() -> None:
    play = Play(
        """
        steps:
          - name: Paid
            kind: wait
            event: payment
            match: "output.amount + 1 > 5"
            onError: continue
          - {name: Again, kind: wait, event: payment}
        """
    )

    play.signal("payment", {"amount": "much"})

    assert play.output == {"input": None, "Paid": None, "Again": {"amount": "much"}}


def test_a_match_reads_what_the_step_reads_and_what_came() -> None:
    play = Play(
        "steps: [{name: Paid, kind: wait, event: payment, match: "
        '{field: output.amount, operator: ">=", value: "<<input.price>>"}}]',
        input={"price": 5},
    )

    play.signal("payment", {"amount": 4})
    play.signal("payment")
    play.signal("payment", {"amount": 5})

    assert play.output == {"input": {"price": 5}, "Paid": {"amount": 5}}


def test_a_signal_that_comes_in_a_pause_is_taken_afterwards() -> None:
    play = Play(PAY)

    play.happen(PauseRequested(by="anna"))
    play.signal("payment", {"amount": 7})
    assert play.state.steps["Paid"].status == "waiting"
    play.happen(ResumeRequested(by="anna"))

    assert play.asked == ["Ship"]


def test_a_cancel_ends_a_wait_and_what_comes_then_is_there_for_what_cleans_up() -> None:
    play = Play(
        """
        steps: [{name: Paid, kind: wait, event: payment}]
        finally: [{name: Closed, kind: wait, event: closed}, {name: Settled, kind: wait, event: payment}]
        """
    )

    play.happen(CancelRequested(by="anna"))
    play.signal("payment")
    play.signal("closed")

    assert (play.stopped, play.state.phase, play.state.signals) == (["Paid"], "cancelled", {})


def test_a_step_that_is_settled_by_hand_takes_no_signal() -> None:
    play = Play(TWICE)
    override = StepOverridden(path="First", by="anna")

    play.happen(*skipped(play.plan, play.state, override))
    play.signal("news", "fresh")
    play.answer("Work")
    by_hand = Play(EXPIRING)
    by_hand.happen(*completed(by_hand.plan, by_hand.state, StepOverridden(path="Paid", by="anna"), 7))

    assert play.output == {"input": None, "First": None, "Work": "Work", "Second": "fresh"}
    assert (by_hand.output, by_hand.waiting) == ({"input": None, "Paid": 7}, {})


def test_who_takes_the_execution_over_sets_the_timer_again() -> None:
    play = Play(EXPIRING)

    turn = resume(play.plan, replay(play.plan, play.history))

    assert turn.commands == tuple(play.starts)
    assert turn.state == play.state


def restarted(play: Play, path: str) -> Play:
    """The same, restarted from a step."""
    places = kept(play.plan, play.history, path)
    assert places is not None
    again = ExecutionRestarted(
        execution=UUID(int=9), at=datetime(2026, 2, 1, tzinfo=UTC), restart_of=UUID(int=7), by="anna", path=path
    )
    history: list[AnyEvent] = [*(play.history[place] for place in places), again]
    turn = resume(play.plan, replay(play.plan, history))
    play.state, play.history = turn.state, [*history, *turn.events]
    play.waiting = {command.path: command for command in turn.commands if isinstance(command, StartStep)}
    return play


def test_a_restart_waits_anew_for_what_a_step_was_told_that_is_done_anew() -> None:
    play = Play(TWICE)
    for n in (1, 2, 3):
        play.signal("news", n)
    play.answer("Work")

    again = restarted(play, "Work")
    again.answer("Work")

    assert again.output == {"input": None, "First": 1, "Work": "Work", "Second": 3}


def test_a_restart_takes_over_what_nobody_had_taken() -> None:
    play = Play(TWICE, {"Work": Failure(code="TOOL_ERROR", message="no", retryable=True)})
    play.signal("news", 1)
    play.signal("news", 2)
    play.answer("Work")
    assert play.code == "TOOL_ERROR"

    again = restarted(play, "Work")
    again.happen(StepCompleted(path="Work", attempt=1, output="done"))

    assert again.output == {"input": None, "First": 1, "Work": "done", "Second": 2}
