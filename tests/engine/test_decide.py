"""What the core wants, case by case."""

from services.definitions.document import MAX_CONTEXT_BYTES
from services.engine.core.commands import Record, StartStep, StopStep
from services.engine.core.decide import advance, decide, replay, resume
from services.engine.core.events import (
    CancelRequested,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    StepCancelled,
    StepCompleted,
    StepNoted,
    StepSkipped,
)
from services.engine.core.settle import complete
from services.engine.core.state import NEW
from services.failure import Failure
from tests.engine.plans import completed, failed, plan_with, start_of, started, tool, transform


def test_a_failed_call_is_tried_again_after_its_delay() -> None:
    plan = plan_with(tool("fetch", max_retries=2, retry_delay=5_000, input_mapping={}))
    history = [started(), failed("fetch")]

    wanted = decide(plan, replay(plan, history))

    assert wanted == (start_of(path="fetch", attempt=2, input={}, delay_ms=5_000),)


def test_a_failure_that_would_come_again_ends_the_execution() -> None:
    plan = plan_with(tool("fetch", max_retries=2), tool("next"))
    history = [started(), failed("fetch", retryable=False, code="TOOL_NOT_ALLOWED")]

    turn = resume(plan, replay(plan, history))

    failure = Failure(code="TOOL_NOT_ALLOWED", message="no", retryable=False)
    assert turn.events == (ExecutionFailed(failure=failure, path="fetch", attempt=1),)
    assert turn.commands == ()


def test_attempts_end_with_max_retries() -> None:
    plan = plan_with(tool("fetch", max_retries=1))
    history = [started(), failed("fetch", attempt=1), failed("fetch", attempt=2)]

    assert resume(plan, replay(plan, history)).state.phase == "failed"


def test_the_other_side_may_ask_for_a_longer_delay() -> None:
    plan = plan_with(tool("fetch", max_retries=1, retry_delay=10, input_mapping={}))
    limited = failed("fetch")
    limited = type(limited)(
        path="fetch",
        attempt=1,
        failure=Failure(code="RATE_LIMITED", message="slow", retryable=True, retry_after_seconds=7.5),
    )

    (wanted,) = decide(plan, replay(plan, [started(), limited]))

    assert isinstance(wanted, StartStep)
    assert wanted.delay_ms == 7_500


def test_members_of_a_group_start_together_and_the_next_stage_after_all() -> None:
    plan = plan_with(
        tool("A", parallel_group="g", order=1, input_mapping={}),
        tool("B", parallel_group="g", order=1, input_mapping={}),
        tool("C", order=2, input_mapping={"a": "<<context.A>>", "b": "<<output.B>>"}),
    )

    first = advance(plan, NEW, started())
    second = advance(plan, first.state, completed("B", "b"))
    third = advance(plan, second.state, completed("A", "a"))

    assert first.commands == (start_of(path="A", attempt=1, input={}), start_of(path="B", attempt=1, input={}))
    assert second.commands == ()
    assert third.commands == (start_of(path="C", attempt=1, input={"a": "a", "b": "b"}),)


def test_the_first_final_failure_stops_the_rest_of_the_group() -> None:
    plan = plan_with(tool("A", parallel_group="g", order=1), tool("B", parallel_group="g", order=1))
    running = advance(plan, NEW, started()).state

    turn = advance(plan, running, failed("A"))

    failure = Failure(code="TOOL_ERROR", message="no", retryable=True)
    assert turn.events == (
        failed("A"),
        StepCancelled(path="B", attempt=1),
        ExecutionFailed(failure=failure, path="A", attempt=1),
    )
    assert turn.commands == (StopStep(path="B"),)


def test_a_false_condition_skips_and_leaves_null_where_nothing_stood() -> None:
    plan = plan_with(
        transform("kept", {"v": 1}, output_mapping={"B": "<<output.v>>"}),
        tool("A", condition={"field": "input.go", "operator": "==", "value": True}),
        tool("B", condition=False),
    )

    turn = advance(plan, NEW, started({"go": False}))

    assert [type(event) for event in turn.events[1:]] == [StepCompleted, StepSkipped, StepSkipped, ExecutionCompleted]
    assert turn.state.output == {"input": {"go": False}, "B": 1, "A": None}


def test_templates_keep_the_type_of_what_they_name() -> None:
    plan = plan_with(
        transform("A", {"n": "<<input.n>>", "text": "n is {{input.n}}", "all": "<<input>>", "x": "$.input.list[*]"}),
        output={"result": "<<context.A>>"},
    )

    turn = advance(plan, NEW, started({"n": 3, "list": [1]}))

    assert turn.state.output == {"result": {"n": 3, "text": "n is 3", "all": {"n": 3, "list": [1]}, "x": [1]}}


def test_a_missing_value_fails_the_step_and_is_not_tried_again() -> None:
    plan = plan_with(tool("A", input_mapping={"x": "<<input.nope>>"}, max_retries=5))

    turn = advance(plan, NEW, started({"nose": 1}))

    assert turn.state.phase == "failed"
    assert turn.state.failure is not None
    assert turn.state.failure.code == "TEMPLATE_ERROR"
    assert "nose" in turn.state.failure.message


def test_an_output_mapping_writes_only_the_keys_that_it_names() -> None:
    plan = plan_with(
        tool("A", output_mapping={"short": "<<output.text>>", "asked": "<<step.input.q>>"}, input_mapping={"q": 1})
    )
    running = advance(plan, NEW, started()).state

    event = complete(plan, running, "A", attempt=1, output={"text": "t", "more": 2})
    turn = advance(plan, running, event)

    assert turn.state.output == {"input": None, "short": "t", "asked": 1}


def test_an_output_that_does_not_fit_its_schema_never_counts_as_success() -> None:
    plan = plan_with(tool("A", output_schema={"type": "string"}, max_retries=3))
    running = advance(plan, NEW, started()).state

    turn = advance(plan, running, complete(plan, running, "A", attempt=1, output=7))

    assert turn.state.phase == "failed"
    assert turn.state.failure is not None
    assert turn.state.failure.code == "OUTPUT_INVALID"


def test_a_cancel_stops_what_runs_and_starts_nothing() -> None:
    plan = plan_with(tool("A", parallel_group="g", order=1), tool("B", parallel_group="g", order=1), tool("C"))
    running = advance(plan, NEW, started(), completed("A")).state

    asked = CancelRequested(by="anna", reason="enough")
    turn = advance(plan, running, asked)

    assert turn.events == (asked, StepCancelled(path="B", attempt=1), ExecutionCancelled(reason="enough"))
    assert turn.commands == (StopStep(path="B"),)
    assert decide(plan, turn.state) == ()


def test_an_answer_and_a_cancel_in_one_turn_start_nothing() -> None:
    plan = plan_with(tool("A"), tool("B"))
    running = advance(plan, NEW, started()).state

    turn = advance(plan, running, completed("A"), CancelRequested(by="anna"))

    assert turn.commands == ()
    assert turn.state.phase == "cancelled"


def test_notes_are_given_back_to_the_attempt_that_goes_on() -> None:
    plan = plan_with(tool("A", max_retries=1, retry_delay=0, input_mapping={}))
    noted = [StepNoted(path="A", attempt=1, note="one"), StepNoted(path="A", attempt=1, note="two")]

    after_crash = resume(plan, replay(plan, [started(), *noted]))
    after_failure = resume(plan, replay(plan, [started(), *noted, failed("A")]))

    assert after_crash.commands == (start_of(path="A", attempt=1, input={}, notes=("one", "two")),)
    assert after_failure.commands == (start_of(path="A", attempt=2, input={}, notes=("one", "two"), accounted=2),)


def test_an_execution_of_transforms_is_over_in_one_turn() -> None:
    plan = plan_with(*(transform(f"S{i}", {"i": i}) for i in range(150)))

    turn = advance(plan, NEW, started())

    assert turn.state.phase == "completed"
    assert len(turn.events) == 152


def test_decide_gives_what_settles_at_once_before_anything_is_started() -> None:
    plan = plan_with(tool("A", parallel_group="g", order=1), tool("B", parallel_group="g", order=1, condition=False))

    wanted = decide(plan, replay(plan, [started()]))

    assert wanted == (Record(StepSkipped(path="B", reason="its condition is false")),)


def test_a_context_that_would_grow_past_its_limit_fails_the_step_before_the_write() -> None:
    plan = plan_with(tool("A"), tool("B"))
    half = "x" * (MAX_CONTEXT_BYTES // 2)
    running = advance(plan, NEW, started(), completed("A", half)).state

    event = complete(plan, running, "B", attempt=1, output=half)
    turn = advance(plan, running, event)

    assert turn.state.failure is not None
    assert turn.state.failure.code == "CONTEXT_TOO_LARGE"
    assert set(turn.state.context) == {"input", "A"}
