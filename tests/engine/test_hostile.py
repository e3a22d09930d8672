"""What nobody meant: late notes, values that grow, names that nobody gives."""

from datetime import UTC, datetime

import pytest

from services.engine.core.decide import Limit, advance, resume
from services.engine.core.events import CancelRequested, StepNoted
from services.engine.core.state import NEW
from services.engine.core.trace import trace
from services.json import Json
from tests.engine.play import Answers, Play, failure


def test_a_note_that_comes_after_a_cancel_starts_nothing_again() -> None:
    play = Play("steps: [{name: A, kind: tool, tool: t}]\nfinally: [{name: F, kind: tool, tool: t}]")

    play.happen(CancelRequested(by="anna"))
    play.happen(StepNoted(path="A", attempt=1, note={}))
    play.run()

    assert play.asked == ["A", "F"]


def test_a_note_of_a_stage_that_is_over_changes_nothing() -> None:
    play = Play(
        """
        groups: {g: {join: any}}
        steps:
          - {name: A, kind: tool, tool: t, parallelGroup: g}
          - {name: B, kind: tool, tool: t, parallelGroup: g}
          - {name: C, kind: tool, tool: t}
        """
    )
    play.answer("B")
    before = play.state

    play.happen(StepNoted(path="A", attempt=1, note={}))

    assert play.state == before
    assert play.asked == ["A", "B", "C"]


@pytest.mark.parametrize(
    "text",
    [
        """
        limits: {maxContextBytes: 2000}
        steps:
          - {name: A, kind: transform, parallelGroup: g, inputMapping: {a: "<<input>>"}}
          - {name: B, kind: transform, parallelGroup: g, inputMapping: {a: "<<input>>"}}
        """,
        """
        limits: {maxContextBytes: 2000}
        steps:
          - name: A
            kind: group
            parallelGroup: g
            outputMapping: {n: 1}
            steps: [{name: X, kind: transform, inputMapping: {a: "<<input>>"}}]
          - name: B
            kind: group
            parallelGroup: g
            outputMapping: {m: 1}
            steps: [{name: Y, kind: transform, inputMapping: {a: "<<input>>"}}]
        """,
    ],
)
def test_what_several_write_together_is_held_to_the_limit(text: str) -> None:
    assert Play(text, input="x" * 700).run().code == "CONTEXT_TOO_LARGE"


def test_what_wraps_itself_again_and_again_fails_before_it_cannot_be_written() -> None:
    play = Play(
        """
        steps:
          - {name: S, kind: transform, inputMapping: {a: 1}}
          - name: L
            kind: loop
            maxIterations: 1000
            steps:
              - {name: X, kind: transform, inputMapping: {a: "<<context.S>>"}, outputMapping: {S: "<<output>>"}}
        """
    )

    assert play.code == "OUTPUT_INVALID"


def test_an_output_too_deep_to_be_judged_fails_its_step() -> None:
    deep: Json = 1
    for _ in range(600):
        deep = {"a": deep}

    play = Play("steps: [{name: A, kind: tool, tool: t, outputSchema: {type: string}}]", {"A": deep}).run()

    assert play.code == "OUTPUT_INVALID"


def test_a_member_that_fails_leaves_null_and_not_what_it_gave_before() -> None:
    play = Play(
        """
        groups: {g: {join: all_settled}}
        steps:
          - name: Twice
            kind: loop
            maxIterations: 2
            collect: "<<context.A>>"
            steps:
              - {name: A, kind: tool, tool: t, parallelGroup: g}
              - {name: B, kind: tool, tool: t, parallelGroup: g}
        output: {a: "<<context.Twice.results>>"}
        """,
        {"A": Answers(["first", failure()])},
    ).run()

    assert play.output == {"a": ["first", None]}


def test_a_stop_before_the_end_ends_nothing() -> None:
    play = Play(
        """
        steps: [{name: A, kind: tool, tool: t}]
        output: {x: "<<context.A>>"}
        finally: [{name: S, kind: stop}, {name: F, kind: tool, tool: t}]
        """,
        {"A": failure()},
    ).run()

    assert play.asked == ["A", "F"]
    assert play.code == "TOOL_ERROR"


def test_a_key_that_gives_nothing_is_none_and_others_are_texts() -> None:
    text = "steps: [{name: A, kind: tool, tool: t, idempotencyKey: '<<input.key?>>'}]"

    assert Play(text, input={}).starts[0].idempotency_key == ""
    assert Play(text, input={"key": [True, 1.0]}).starts[0].idempotency_key == "[true,1]"


def test_a_step_that_never_began_is_not_said_to_run() -> None:
    play = Play(
        """
        steps:
          - {name: A, kind: tool, tool: t, parallelGroup: g, condition: "'a' + 1 == 2"}
          - {name: B, kind: tool, tool: t, parallelGroup: g}
          - name: C
            kind: group
            parallelGroup: g
            steps: [{name: I, kind: group, steps: [{name: X, kind: tool, tool: t, condition: false}]}]
        """
    )

    state, steps = trace(play.plan, [(event, AT) for event in play.history])
    assert state == play.state
    assert (play.asked, steps["B"].status) == ([], "pending")


AT = datetime(2026, 1, 31, tzinfo=UTC)
MANY: Json = list(range(50))


def test_a_turn_may_be_cut_anywhere_and_goes_on_the_same() -> None:
    text = """
    steps:
      - name: Each
        kind: map
        items: "<<input>>"
        maxConcurrency: 4
        steps:
          - {name: A, kind: transform, inputMapping: {n: "<<item>>"}}
          - {name: B, kind: transform, parallelGroup: g, inputMapping: {n: "<<context.A>>"}}
          - {name: C, kind: transform, parallelGroup: g, condition: "item > 3", inputMapping: {n: 1}}
      - {name: T, kind: tool, tool: t}
    """
    whole = Play(text, input=MANY)
    limit = Limit(events=7, bytes=1_000)

    turn = advance(whole.plan, NEW, whole.history[0], limit=limit)
    events, parts = list(turn.events), 1
    while turn.is_cut:
        assert len(turn.events) <= 7 + 4  # a batch is not torn apart
        turn = resume(whole.plan, turn.state, limit=limit)
        events += turn.events
        parts += 1

    assert parts > 10
    assert turn.state == whole.state
    assert len(events) == len(whole.history)
    assert [command.path for command in turn.commands] == ["T"]
