"""What failures lead to: joins, handlers, and what is done before the end."""

import pytest

from services.engine.core.events import CancelRequested, StepCompleted, StepFailed, Usage
from services.failure import Failure, OtherFailure
from tests.engine.play import Answers, Play, failure

THREE = """
groups: {g: {join: %s}}
steps:
  - {name: A, kind: tool, tool: t, parallelGroup: g}
  - {name: B, kind: tool, tool: t, parallelGroup: g}
  - {name: C, kind: tool, tool: t, parallelGroup: g}
output: {context: "<<context>>", states: ["<<steps.A.status>>", "<<steps.B.status>>", "<<steps.C.status>>"]}
"""


def test_any_takes_the_first_success_and_stops_the_rest() -> None:
    play = Play(THREE % "any", {"A": failure()})

    play.answer("A")
    play.answer("C")

    assert play.stopped == ["B"]
    assert play.output == {
        "context": {"input": None, "A": None, "B": None, "C": "C"},
        "states": ["failed", "cancelled", "completed"],
    }


def test_any_fails_when_none_is_left_that_could_succeed() -> None:
    assert Play(THREE % "any", {name: failure(message=name) for name in "ABC"}).run().state.failure == failure(
        message="A"
    )


def test_n_of_needs_n_and_fails_as_soon_as_they_cannot_come() -> None:
    enough, short = Play(THREE % "n_of, n: 2"), Play(THREE % "n_of, n: 2", {"A": failure(), "B": failure()})

    enough.answer("C")
    enough.answer("A")
    short.answer("A")
    short.answer("B")

    assert enough.stopped == ["B"]
    assert enough.state.phase == "completed"
    assert short.stopped == ["C"]
    assert short.code == "TOOL_ERROR"


@pytest.mark.parametrize(("least", "phase"), [(0, "completed"), (1, "completed"), (2, "failed")])
def test_all_settled_waits_for_all_and_needs_its_least(least: int, phase: str) -> None:
    play = Play(THREE % f"all_settled, minSuccess: {least}", {"A": failure(), "B": failure()}).run()

    assert play.asked == ["A", "B", "C"]
    assert play.stopped == []
    assert play.state.phase == phase


def test_waiting_for_all_names_the_others() -> None:
    play = Play(THREE % "all, onMemberFailure: wait_all", {"B": failure(message="b"), "C": failure(message="c")})

    play.answer("C")
    play.answer("A")
    play.answer("B")

    others = (OtherFailure(step="C", code="TOOL_ERROR", message="c"),)
    assert play.state.failure == Failure(code="TOOL_ERROR", message="b", retryable=True, others=others)


def test_a_group_may_start_only_some_of_its_members_at_a_time() -> None:
    play = Play(THREE % "all, maxConcurrency: 1")

    assert list(play.waiting) == ["A"]
    play.answer("A")
    assert list(play.waiting) == ["B"]
    assert play.run().asked == ["A", "B", "C"]


def test_skipped_members_are_asked_for_nothing() -> None:
    text = """
    groups: {g: {join: n_of, n: 2}}
    steps:
      - {name: A, kind: tool, tool: t, parallelGroup: g, condition: false}
      - {name: B, kind: tool, tool: t, parallelGroup: g}
    """

    assert Play(text).run().asked == ["B"]


@pytest.mark.parametrize(
    ("how", "merged"),
    [("last", 2), ("append", [1, 2]), ("object", {"A": 1, "B": 2})],
)
def test_members_may_write_one_key_when_it_is_said_how(how: str, merged: object) -> None:
    text = f"""
    groups: {{g: {{merge: {{k: {how}}}}}}}
    steps:
      - {{name: A, kind: tool, tool: t, parallelGroup: g, outputMapping: {{k: "<<output>>"}}}}
      - {{name: B, kind: tool, tool: t, parallelGroup: g, outputMapping: {{k: "<<output>>"}}}}
    """
    play = Play(text, {"A": 1, "B": 2})

    play.answer("B")
    play.answer("A")

    assert play.state.context["k"] == merged


ONE = """
steps:
  - name: Fetch
    kind: tool
    tool: t
    outputMapping: {page: "<<output.text>>"}
    onError: %s
  - {name: Next, kind: transform, inputMapping: {page: "<<context.page?>>", fetch: "<<steps.Fetch>>"}}
"""


def test_continue_goes_on_with_null() -> None:
    play = Play(ONE % "continue", {"Fetch": failure("HTTP_4XX")}).run()

    error = {"code": "HTTP_4XX", "message": "no"}
    fetch = {"status": "completed", "output": None, "error": error, "attempts": 1}
    assert play.state.context["Next"] == {"page": None, "fetch": fetch}
    assert play.state.context["Fetch"] is None


def test_a_default_stands_for_the_output() -> None:
    play = Play(ONE % "{default: {text: nothing}}", {"Fetch": failure()}).run()

    assert play.state.context["page"] == "nothing"


def test_a_handler_gives_the_output_instead() -> None:
    handler = """
      catch:
        - {errors: [TIMEOUT], steps: [{name: Late, kind: tool, tool: t}]}
        - errors: ["*"]
          as: problem
          steps:
            - {name: Say, kind: transform, inputMapping: {text: "<<error.code>> at <<problem.instance>>"}}
"""
    other = Play(ONE % handler, {"Fetch": failure("HTTP_4XX")}).run()
    late = Play(ONE % handler, {"Fetch": failure("TIMEOUT"), "Late": {"text": "cached"}}).run()

    assert other.state.context["page"] == "HTTP_4XX at Fetch"
    assert late.asked == ["Fetch", "Fetch/Late"]
    assert late.state.context["page"] == "cached"


def test_an_error_inside_a_handler_goes_on_outwards() -> None:
    play = Play(
        """
        steps:
          - name: Outer
            kind: group
            onError: {default: saved}
            steps:
              - name: Fetch
                kind: tool
                tool: t
                onError: {catch: [{steps: [{name: Again, kind: tool, tool: t}]}]}
        """,
        {"Fetch": failure("HTTP_4XX"), "Again": failure("HTTP_5XX")},
    ).run()

    assert play.state.context["Outer"] == "saved"
    failed = [event for event in play.history if isinstance(event, StepFailed)]
    assert [(event.path, event.failure.code) for event in failed] == [
        ("Outer/Fetch", "HTTP_4XX"),
        ("Outer/Fetch/Again", "HTTP_5XX"),
        ("Outer/Fetch", "HTTP_5XX"),
        ("Outer", "HTTP_5XX"),
    ]
    assert failed[-1].origin is not None
    assert failed[-1].origin.path == "Outer/Fetch/Again"


def test_a_handler_is_not_used_twice() -> None:
    text = "steps: [{name: A, kind: tool, tool: t, outputSchema: {type: string}, onError: {default: 7}}]"

    assert Play(text, {"A": failure()}).run().code == "OUTPUT_INVALID"


def test_only_the_failures_that_are_named_are_tried_again() -> None:
    text = "steps: [{name: A, kind: tool, tool: t, maxRetries: 3, retry: {%s}}]"
    busy = {"A": Answers([failure("RATE_LIMITED"), failure("TIMEOUT"), "fine"])}

    assert Play(text % "errors: [RATE_LIMITED]", busy).run().code == "TIMEOUT"
    assert Play(text % "notErrors: [TIMEOUT]", busy).run().code == "TIMEOUT"
    assert Play(text % "errors: ['*']", busy).run().state.context["A"] == "fine"


def test_delays_grow_and_chance_shortens_them() -> None:
    text = "steps: [{name: A, kind: tool, tool: t, maxRetries: 3, retryDelay: 100, retry: {%s}}]"

    def delays(retry: str, fraction: float = 1.0) -> list[int]:
        play = Play(text % retry)
        for attempt in (1, 2, 3):
            play.happen(StepFailed(path="A", attempt=attempt, failure=failure(), fraction=fraction))
        return [start.delay_ms for start in play.starts[1:]]

    assert delays("backoff: fixed") == [100, 100, 100]
    assert delays("backoff: linear, maxDelayMs: 250") == [100, 200, 250]
    assert delays("backoff: exponential, maxDelayMs: 250") == [100, 200, 250]
    assert delays("backoff: exponential, jitter: full", 0.25) == [25, 50, 100]


def test_the_total_timeout_covers_attempts_and_delays() -> None:
    play = Play(
        "steps: [{name: A, kind: tool, tool: t, maxRetries: 9, retryDelay: 300, timeout: 500, totalTimeout: 1000}]"
    )

    play.happen(StepFailed(path="A", attempt=1, failure=failure(), duration_ms=400))
    assert play.starts[-1].timeout_ms == 300
    play.happen(StepFailed(path="A", attempt=2, failure=failure(), duration_ms=10))
    assert play.code == "TOOL_ERROR"


SAGA = """
steps:
  - name: Book
    kind: tool
    tool: t
    compensate: [{name: Unbook, kind: tool, tool: t, inputMapping: {id: "<<step.output.id>>"}}]
  - name: Each
    kind: map
    items: [a, b]
    maxConcurrency: 1
    steps:
      - name: Pay
        kind: tool
        tool: t
        compensate: [{name: Refund, kind: tool, tool: t, inputMapping: {of: "<<item>>"}}]
  - {name: Ship, kind: tool, tool: t}
onFailure: [{name: Alert, kind: tool, tool: t, inputMapping: {why: "<<error.code>> in <<error.step>>"}}]
finally: [{name: Close, kind: tool, tool: t}]
"""


def test_a_failed_execution_alerts_then_undoes_in_reverse_then_cleans_up() -> None:
    play = Play(SAGA, {"Book": {"id": 5}, "Ship": failure("HTTP_4XX")}).run()

    assert play.asked == [
        "Book", "Each[0]/Pay", "Each[1]/Pay", "Ship",
        "Alert", "Each[1]/Pay/Refund", "Each[0]/Pay/Refund", "Book/Unbook", "Close",
    ]  # fmt: skip
    inputs = {start.path: start.input for start in play.starts}
    assert inputs["Alert"] == {"why": "HTTP_4XX in Ship"}
    assert inputs["Each[0]/Pay/Refund"] == {"of": "a"}
    assert inputs["Book/Unbook"] == {"id": 5}
    assert play.starts[-1].timeout_ms == 60_000
    assert play.code == "HTTP_4XX"


def test_what_fails_before_the_end_changes_nothing_about_it() -> None:
    answers = {name: failure() for name in ("Alert", "Refund", "Unbook", "Close")}

    play = Play(SAGA, {"Book": {"id": 5}, "Ship": failure("HTTP_4XX"), **answers}).run()

    assert play.asked[-2:] == ["Book/Unbook", "Close"]
    assert play.code == "HTTP_4XX"


def test_a_completed_execution_only_cleans_up() -> None:
    play = Play(SAGA, {"Book": {"id": 5}}).run()

    assert play.asked[-2:] == ["Ship", "Close"]
    assert play.state.phase == "completed"


def test_a_cancelled_execution_only_cleans_up() -> None:
    play = Play(SAGA)

    play.happen(CancelRequested(by="anna", reason="enough"))
    play.run()

    assert (play.stopped, play.asked) == (["Book"], ["Book", "Close"])
    assert play.state.phase == "cancelled"


def test_a_cancel_cuts_handlers_short_but_not_the_last_word() -> None:
    play = Play(SAGA, {"Book": {"id": 5}, "Ship": failure("HTTP_4XX")})
    while "Alert" not in play.waiting:
        play.answer(next(iter(play.waiting)))

    play.happen(CancelRequested(by="anna"))
    play.run()

    assert play.stopped == ["Alert"]
    assert play.asked[-2:] == ["Alert", "Close"]
    assert play.code == "HTTP_4XX"


def test_a_budget_that_is_used_up_lets_no_attempt_begin() -> None:
    play = Play("limits: {maxTokens: 100}\nsteps: [{name: A, kind: tool, tool: t}, {name: B, kind: tool, tool: t}]")
    usage = Usage(model="m", input_tokens=90, output_tokens=10)

    play.happen(StepCompleted(path="A", attempt=1, output=1, usage=usage))

    assert play.asked == ["A"]
    assert play.code == "BUDGET_EXCEEDED"


def test_what_comes_before_the_end_needs_no_budget() -> None:
    play = Play(
        """
        limits: {maxTokens: 100}
        steps:
          - {name: A, kind: tool, tool: t, compensate: [{name: Undo, kind: tool, tool: t}]}
          - {name: B, kind: tool, tool: t}
        finally: [{name: Close, kind: tool, tool: t}]
        """
    )
    usage = Usage(model="m", input_tokens=90, output_tokens=10)

    play.happen(StepCompleted(path="A", attempt=1, output=1, usage=usage))
    play.run()

    assert play.asked == ["A", "A/Undo", "Close"]
    assert play.code == "BUDGET_EXCEEDED"
