"""The building blocks of agents: who is called in which order, on what, and what comes out."""

from typing import Any

import pytest

from tests.examples.cast import Turn, reading, refusal, together
from tests.examples.conftest import RunExample
from tests.examples.example import DOCUMENTS


async def test_a_chain_passes_its_gate(run: RunExample) -> None:
    outline = {"title": "Keys", "points": ["A key names a request.", "It is kept.", "It is looked up."]}

    done = await run(
        "building-blocks/prompt-chaining.yaml",
        {"Outliner": outline, "Article Writer": "# Keys", "Translator": "# Schlüssel"},
    )

    assert [(turn.role, turn.input) for turn in done.turns[1:]] == [
        ("Article Writer", {"outline": outline}),
        ("Translator", {"text": "# Keys", "language": "German"}),
    ]
    assert done.called[0] == "Outliner"
    assert done.output == {"title": "Keys", "original": "# Keys", "translation": "# Schlüssel"}


async def test_a_thin_outline_ends_the_chain_at_its_gate(run: RunExample) -> None:
    done = await run("building-blocks/prompt-chaining.yaml", {"Outliner": {"title": "Keys", "points": ["One."]}})

    assert done.called == ["Outliner"]
    assert done.execution.error is not None
    assert (done.execution.error.code, done.execution.error.message) == (
        "OUTLINE_TOO_THIN",
        "points in the outline: 1; an article needs three",
    )


@pytest.mark.parametrize(
    ("kind", "role", "route"),
    [("question", "Guide", "question"), ("defect", "Diagnostician", "defect"), ("other", "Generalist", "else")],
)
async def test_a_request_is_routed_to_the_role_for_its_kind(run: RunExample, kind: str, role: str, route: str) -> None:
    done = await run("building-blocks/routing.yaml", {"Request Classifier": {"kind": kind}, role: "An answer."})

    request = {"request": "Since the update the export stops after 100 rows, without any message."}
    assert [(turn.role, turn.input) for turn in done.turns] == [("Request Classifier", request), (role, request)]
    assert done.output == {"route": route, "answer": "An answer."}


async def test_sections_are_reviewed_beside_each_other_and_merged(run: RunExample) -> None:
    review = together(3, lambda turn: f"{turn.role} said")

    done = await run(
        "building-blocks/parallelization-sectioning.yaml",
        {"Logic Reviewer": review, "Wording Reviewer": review, "Reader Advocate": review, "Review Editor": "1. …"},
    )

    assert set(done.called[:3]) == {"Logic Reviewer", "Wording Reviewer", "Reader Advocate"}
    assert done.called[3:] == ["Review Editor"]
    assert done.inputs("Review Editor")[0]["reviews"] == {
        "Logic": "Logic Reviewer said",
        "Wording": "Wording Reviewer said",
        "Completeness": "Reader Advocate said",
    }
    assert done.output == {"report": "1. …"}


@pytest.mark.parametrize("votes", [[False, True, True], [True, False, False]])
async def test_the_majority_of_three_votes_decides(run: RunExample, votes: list[bool]) -> None:
    lenses = ["words", "whom", "new member"]

    def vote(turn: Turn) -> Any:
        (place,) = (place for place, lens in enumerate(lenses) if lens in turn.prompt)
        return {"hide": votes[place], "reason": lenses[place]}

    done = await run("building-blocks/parallelization-voting.yaml", {"Moderator": together(3, vote)})

    assert done.called == ["Moderator"] * 3
    assert done.output == {"hide": votes.count(True) >= 2, "votes": votes, "reasons": lenses}


PARTS = [{"title": title, "instructions": f"Describe the {title}."} for title in ("database", "messages", "export")]


async def test_as_many_workers_as_there_are_parts_work_beside_each_other(run: RunExample) -> None:
    done = await run(
        "building-blocks/orchestrator-workers.yaml",
        {
            "Task Orchestrator": {"parts": PARTS},
            "Task Worker": together(3, lambda turn: f"about the {turn.input['part']['title']}"),
            "Assembler": "It depends.",
        },
    )

    results = ["about the database", "about the messages", "about the export"]
    assert done.called == ["Task Orchestrator", *["Task Worker"] * 3, "Assembler"]
    assert {given["part"]["title"] for given in done.inputs("Task Worker")} == {"database", "messages", "export"}
    assert (done.inputs("Assembler")[0]["parts"], done.inputs("Assembler")[0]["results"]) == (PARTS, results)
    assert done.output == {"answer": "It depends.", "parts": ["database", "messages", "export"], "failed": []}


async def test_a_part_that_is_not_done_is_null_and_named(run: RunExample) -> None:
    def work(turn: Turn) -> Any:
        title = turn.input["part"]["title"]
        return refusal("no") if title == "messages" else f"about the {title}"

    done = await run(
        "building-blocks/orchestrator-workers.yaml",
        {"Task Orchestrator": {"parts": PARTS}, "Task Worker": work, "Assembler": "One part is missing."},
    )

    output: Any = done.output
    assert done.inputs("Assembler")[0]["results"] == ["about the database", None, "about the export"]
    assert [(failed["index"], failed["code"]) for failed in output["failed"]] == [(1, "MODEL_ERROR")]


async def test_when_most_parts_fail_so_does_the_task(run: RunExample) -> None:
    def work(turn: Turn) -> Any:
        return "done" if turn.input["part"]["title"] == "export" else refusal("no")

    done = await run(
        "building-blocks/orchestrator-workers.yaml",
        {"Task Orchestrator": {"parts": PARTS}, "Task Worker": work},
    )

    assert "Assembler" not in done.called
    assert done.execution.error is not None
    assert done.execution.error.code == "MODEL_ERROR"


async def test_what_the_evaluator_says_goes_into_the_next_version(run: RunExample) -> None:
    done = await run(
        "building-blocks/evaluator-optimizer.yaml",
        {
            "Optimizer": ["It works.", "Ask twice, get it once."],
            "Evaluator": [{"accepted": False, "comments": "The meaning is lost."}, {"accepted": True, "comments": ""}],
        },
    )

    assert done.called == ["Optimizer", "Evaluator", "Optimizer", "Evaluator"]
    assert [(given["lastVersion"], given["comments"]) for given in done.inputs("Optimizer")] == [
        (None, None),
        ("It works.", "The meaning is lost."),
    ]
    assert [given["version"] for given in done.inputs("Evaluator")] == ["It works.", "Ask twice, get it once."]
    assert done.output == {
        "version": "Ask twice, get it once.",
        "accepted": True,
        "history": [
            {"round": 1, "version": "It works.", "comments": "The meaning is lost."},
            {"round": 2, "version": "Ask twice, get it once.", "comments": ""},
        ],
    }


async def test_an_agent_uses_its_tools_and_goes_on_with_its_own_notes(run: RunExample) -> None:
    sessions = iter(
        [
            {"done": False, "notes": ["Leases lapse."], "answer": "By its lease?"},
            {"done": True, "notes": ["Leases lapse.", "Heartbeats renew them."], "answer": "By its lease."},
        ]
    )

    done = await run("building-blocks/autonomous-agent.yaml", {"Investigator": reading(lambda turn: next(sessions))})

    text = (DOCUMENTS / "durable-execution.txt").read_text()
    # Each session asks for the tool, is given the text, and answers.
    assert [turn.brought for turn in done.turns] == [(), (text,), (), (text,)]
    assert [(given["session"], given["notes"]) for given in done.inputs("Investigator")] == [
        (1, []),
        (2, ["Leases lapse."]),
    ]
    assert done.output == {
        "done": True,
        "answer": "By its lease.",
        "notes": ["Leases lapse.", "Heartbeats renew them."],
        "sessions": 2,
    }


async def test_an_agent_that_is_never_done_is_stopped(run: RunExample) -> None:
    never = {"done": False, "notes": [], "answer": ""}

    done = await run("building-blocks/autonomous-agent.yaml", {"Investigator": never})

    assert done.called == ["Investigator"] * 3
    assert done.output == {**never, "sessions": 3}


async def test_each_chapter_is_an_execution_of_its_own_and_one_that_fails_is_left_out(run: RunExample) -> None:
    def write(turn: Turn) -> Any:
        return refusal("no") if turn.input["title"] == "Costs" else f"About {turn.input['title']}."

    done = await run(
        "building-blocks/child-orchestrations.yaml",
        {
            "Guide Planner": {"chapters": ["Parts", "Costs", "Care"]},
            "Chapter Author": write,
            "Chapter Editor": lambda turn: turn.input["chapter"].upper(),
        },
    )

    output: Any = done.output
    assert output["chapters"] == [
        {"title": "Parts", "text": "ABOUT PARTS."}, {"title": "Care", "text": "ABOUT CARE."}
    ]  # fmt: skip
    assert [(failed["index"], failed["code"]) for failed in output["missing"]] == [(1, "CHILD_FAILED")]
    assert len({step.child for step in done.steps if step.name == "Chapter"}) == 3


async def test_a_draft_is_written_anew_by_what_a_person_says_until_they_approve(run: RunExample) -> None:
    done = await run(
        "building-blocks/human-feedback.yaml",
        {"Letter Writer": ["At six.", "At six, to save heat."]},
        {"brief": "We close at six."},
        [
            ("feedback", {"approved": False, "comments": "Say why."}),
            ("feedback", {"approved": True}),
            ("feedback", {"approved": False, "comments": "Too late."}),
        ],
    )

    asked = {"brief": "We close at six.", "lastDraft": None, "comments": None}
    assert done.inputs("Letter Writer") == [asked, {**asked, "lastDraft": "At six.", "comments": "Say why."}]
    assert done.output == {"letter": "At six, to save heat.", "approved": True, "rounds": 2}
    assert [done.statuses[f"Rounds[1]/{name}"] for name in ("Feedback", "Patience")] == ["completed", "cancelled"]


async def test_a_draft_that_nobody_speaks_of_in_time_is_the_last(run: RunExample) -> None:
    done = await run("building-blocks/human-feedback.yaml", {"Letter Writer": "At six."})

    assert done.output == {"letter": "At six.", "approved": False, "rounds": 1}
    assert done.statuses["Rounds[0]/Feedback"] == "cancelled"
