"""What a restart keeps of a history, case by case; what holds for all is in test_restart_laws.py."""

import pytest

from services.engine.core.events import CancelRequested, Event, PauseRequested, ResumeRequested, StepNoted, TimeExpired
from services.engine.core.fork import kept, retried
from tests.engine.play import Play, failure

SEQUENCE = "steps: [{name: A, kind: tool, tool: t}, {name: B, kind: tool, tool: t}, {name: C, kind: tool, tool: t}]"
GROUP = """
steps:
  - {name: A, kind: tool, tool: t, parallelGroup: g}
  - {name: B, kind: tool, tool: t, parallelGroup: g}
  - {name: C, kind: tool, tool: t, parallelGroup: g}
  - {name: D, kind: tool, tool: t}
"""
MAP = """
steps:
  - name: Each
    kind: map
    items: [1, 2, 3]
    maxConcurrency: 3
    steps: [{name: X, kind: tool, tool: t}, {name: Y, kind: tool, tool: t}]
"""
LOOP = """
steps:
  - name: Rounds
    kind: loop
    maxIterations: 3
    steps: [{name: X, kind: tool, tool: t}, {name: Y, kind: tool, tool: t}]
"""
HANDLED = """
steps:
  - name: A
    kind: tool
    tool: t
    onError: {catch: [{errors: ["*"], steps: [{name: Mend, kind: tool, tool: t}, {name: Check, kind: tool, tool: t}]}]}
"""


def kept_of(play: Play, path: str) -> list[str] | None:
    """The events that a restart keeps, after the first: each by its kind and its path."""
    places = kept(play.plan, play.history, path)
    return None if places is None else [_said(play.history[place]) for place in places[1:]]


def _said(event: Event) -> str:
    return f"{event.__struct_config__.tag} {getattr(event, 'path', '')}".removeprefix("step_")


def test_of_a_sequence_what_came_before_is_kept() -> None:
    play = Play(SEQUENCE).run()

    assert kept_of(play, "A") == []
    assert kept_of(play, "C") == ["completed A", "completed B"]


def test_what_steered_the_execution_is_not_kept() -> None:
    play = Play(SEQUENCE)
    play.happen(PauseRequested(by="anna"))
    play.answer("A")
    play.happen(ResumeRequested(by="anna"))
    play.happen(CancelRequested(by="anna"))

    assert kept_of(play, "B") == ["completed A"]
    assert retried(play.plan, play.history) == "B"


def test_what_worked_in_the_same_group_is_kept_and_what_failed_or_was_stopped_is_not() -> None:
    play = Play(GROUP, {"B": failure("X")})
    for path in ("A", "B"):
        play.answer(path)

    assert play.state.phase == "failed"
    assert kept_of(play, "B") == kept_of(play, "C") == ["completed A"]
    assert kept_of(play, "A") == []
    assert kept_of(play, "D") is None


def test_an_agent_that_was_stopped_keeps_its_notes_and_one_that_failed_does_not() -> None:
    play = Play(GROUP, {"B": failure("X"), "C": failure("X")})
    for path in ("B", "C"):
        play.happen(StepNoted(path=path, attempt=1, note=path))
    play.answer("B")

    assert kept_of(play, "A") == ["noted C"]
    assert kept_of(play, "C") == []


def test_other_items_of_a_map_go_on_where_they_were() -> None:
    play = Play(MAP, {"Each[1]/Y": failure("X")})
    for path in ("Each[0]/X", "Each[1]/X", "Each[2]/X", "Each[2]/Y", "Each[1]/Y"):
        play.answer(path)

    entered = [f"block_entered Each[{index}]/" for index in range(3)]
    assert play.state.phase == "failed"
    assert kept_of(play, "Each[1]/Y") == [
        *entered,
        *(f"completed {path}" for path in ("Each[0]/X", "Each[1]/X", "Each[2]/X", "Each[2]/Y")),
    ]
    assert kept_of(play, "Each[1]/X") == [
        *entered,
        *(f"completed {path}" for path in ("Each[0]/X", "Each[2]/X", "Each[2]/Y")),
    ]
    assert kept_of(play, "Each") == []


def test_earlier_iterations_are_kept_and_later_ones_are_not() -> None:
    play = Play(LOOP).run()

    assert kept_of(play, "Rounds[1]/Y") == [
        "block_entered Rounds[0]/",
        "completed Rounds[0]/X",
        "completed Rounds[0]/Y",
        "block_entered Rounds[1]/",
        "completed Rounds[1]/X",
    ]


def test_a_step_of_a_handler_keeps_the_failure_that_it_handles() -> None:
    play = Play(HANDLED, {"A": failure("X"), "Check": failure("X")}).run()

    assert retried(play.plan, play.history) == "A/Check"
    assert kept_of(play, "A/Check") == ["failed A", "block_entered A/", "completed A/Mend"]
    assert kept_of(play, "A") == []


def test_a_member_that_was_done_keeps_even_what_was_stopped_inside_it() -> None:
    text = """
    groups: {race: {join: any}}
    steps:
      - name: G
        kind: group
        parallelGroup: g
        steps:
          - {name: Fast, kind: tool, tool: t, parallelGroup: race}
          - {name: Slow, kind: tool, tool: t, parallelGroup: race}
          - {name: Then, kind: tool, tool: t}
      - {name: B, kind: tool, tool: t, parallelGroup: g}
    """
    play = Play(text, {"B": failure("X")})
    for path in ("G/Fast", "G/Then", "B"):
        play.answer(path)

    assert kept_of(play, "B") == [
        "block_entered G/",
        "completed G/Fast",
        "cancelled G/Slow",
        "completed G/Then",
        "completed G",
    ]


@pytest.mark.parametrize("then", [(), ("G/Then",)])
def test_a_member_that_failed_inside_is_tried_again_where_it_did(then: tuple[str, ...]) -> None:
    text = """
    groups: {g: {onMemberFailure: wait_all}}
    steps:
      - name: G
        kind: group
        parallelGroup: g
        steps: [{name: First, kind: tool, tool: t}, {name: Then, kind: tool, tool: t}]
      - {name: B, kind: tool, tool: t, parallelGroup: g}
    """
    play = Play(text, {"B": failure("X"), "Then": failure("X")})
    for path in ("B", "G/First", *then):
        play.answer(path)
    if not then:
        play.happen(TimeExpired())

    assert kept_of(play, "B") == ["block_entered G/", "completed G/First"]


def test_a_failure_that_the_document_lets_pass_is_kept() -> None:
    text = GROUP.replace("name: A, ", "name: A, onError: continue, ")
    play = Play(text, {"A": failure("X"), "B": failure("X")})
    for path in ("A", "B"):
        play.answer(path)

    assert kept_of(play, "B") == ["failed A"]


def test_what_cleans_up_is_not_kept_and_cannot_be_restarted_from() -> None:
    text = SEQUENCE + "\nfinally: [{name: Close, kind: tool, tool: t}, {name: Tell, kind: tool, tool: t}]"
    play = Play(text, {"C": failure("X")}).run()

    assert kept_of(play, "C") == ["completed A", "completed B"]
    assert kept_of(play, "Tell") is None


def test_a_stop_beside_is_reached_again() -> None:
    text = """
    steps:
      - name: G
        kind: group
        parallelGroup: g
        steps: [{name: First, kind: tool, tool: t}, {name: End, kind: stop}]
      - {name: B, kind: tool, tool: t, parallelGroup: g}
    """
    play = Play(text)
    play.answer("G/First")

    assert play.state.phase == "completed"
    assert kept_of(play, "B") == ["block_entered G/", "completed G/First"]


@pytest.mark.parametrize("path", ["", "/", "A/", "a", "A[0]/B", "A/B", "[0]/", "A[x]/B", "Nothing", "]/A", "A" * 3_000])
def test_a_path_that_is_none_is_not_one_whose_turn_came(path: str) -> None:
    assert kept_of(Play(SEQUENCE).run(), path) is None
