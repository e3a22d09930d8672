"""The classic patterns: who is called in which order, on what, and what comes out."""

from typing import Any

import pytest

from tests.examples.cast import Turn, reading, refusal, together
from tests.examples.conftest import RunExample
from tests.examples.example import DOCUMENTS, Example

# How often each may run a step, by the definition of the language.
BOUNDS = {
    "planner-executor-reviewer": 6,
    "map-reduce": 26,
    "tree-of-thoughts": 8,
    "ping-pong": 12,
    "approval-webhook": 14,
}

# What map-reduce searches when it is not told otherwise.
PATHS = ("durable-execution.txt", "idempotency-and-retries.txt", "human-oversight.txt")


@pytest.mark.parametrize(("name", "bound"), BOUNDS.items())
def test_a_pattern_has_the_bound_of_its_definition(name: str, bound: int) -> None:
    assert Example(f"patterns/{name}.yaml").bound == bound


async def test_a_plan_is_executed_reviewed_and_corrected(run: RunExample) -> None:
    done = await run(
        "patterns/planner-executor-reviewer.yaml",
        {
            "Architect": "1. Sort by start. 2. Merge.",
            "Coder": [{"code": "def merge(): ...", "notes": ""}, {"code": "def merge(intervals): ...", "notes": ""}],
            "Code Reviewer": {"approved": False, "comments": "It takes no intervals."},
        },
    )

    task = {"task": "A Python function that merges overlapping intervals and returns them sorted."}
    assert [(turn.role, turn.input) for turn in done.turns] == [
        ("Architect", task),
        ("Coder", {"instructions": "1. Sort by start. 2. Merge."}),
        ("Code Reviewer", {**task, "code": "def merge(): ..."}),
        ("Coder", {"code": "def merge(): ...", "feedback": "It takes no intervals."}),
    ]
    assert done.output == {"code": "def merge(intervals): ...", "approvedAtFirst": False}


async def test_approved_code_is_not_corrected(run: RunExample) -> None:
    done = await run(
        "patterns/planner-executor-reviewer.yaml",
        {
            "Architect": "1. Sort.",
            "Coder": [{"code": "def merge(intervals): ...", "notes": ""}],
            "Code Reviewer": {"approved": True},
        },
    )

    assert done.called == ["Architect", "Coder", "Code Reviewer"]
    assert done.statuses["Correct"] == "skipped"
    assert done.output == {"code": "def merge(intervals): ...", "approvedAtFirst": True}


async def test_three_searches_are_mapped_and_reduced_although_one_of_them_fails(run: RunExample) -> None:
    def search(turn: Turn) -> Any:
        path = turn.input["path"]
        if path == PATHS[2]:
            return refusal("this document is too much")
        return {"results": [{"source": path, "text": f"{path}, {n}"} for n in (1, 2)]}

    def note(turn: Turn) -> Any:
        passage = turn.input["passage"]["text"]
        return refusal("not this one") if passage == "durable-execution.txt, 2" else f"noted: {passage}"

    done = await run(
        "patterns/map-reduce.yaml",
        {
            "Searcher": reading(search),
            "Note Taker": together(4, note),
            "Answerer": "It keeps a journal.",
        },
    )

    question = "How does a workflow survive a crash without doing anything twice?"
    assert done.called == ["Searcher"] * 6 + ["Note Taker"] * 4 + ["Answerer"]
    assert {turn.brought for turn in done.turns if turn.role == "Searcher"} == {
        (),
        *(((DOCUMENTS / path).read_text(),) for path in PATHS),
    }
    assert (done.statuses["Search C"], done.statuses["Note each[1]/Note"]) == ("failed", "failed")
    # One search and one hit are missing; the others keep their order, whoever was done first.
    assert done.inputs("Answerer") == [
        {
            "question": question,
            "notes": [
                "noted: durable-execution.txt, 1",
                "noted: idempotency-and-retries.txt, 1",
                "noted: idempotency-and-retries.txt, 2",
            ],
        }
    ]
    assert done.output == {"answer": "It keeps a journal.", "hits": 4}


async def test_one_search_out_of_three_is_not_enough(run: RunExample) -> None:
    def search(turn: Turn) -> Any:
        return {"results": []} if turn.input["path"] == PATHS[0] else refusal("no")

    done = await run("patterns/map-reduce.yaml", {"Searcher": search})

    assert done.called == ["Searcher"] * 3
    assert done.execution.error is not None
    assert done.execution.error.code == "MODEL_ERROR"
    assert [other.step for other in done.execution.error.others] == ["Search C"]


@pytest.mark.parametrize(
    ("scores", "way", "best"),
    [
        ([0.9, 0.9, 0.2], "A", "plain"),
        ([0.4, 0.9, 0.2], "B", "from the end"),
        ([0.4, 0.5, 0.8], "else", "simpler"),
    ],
)
async def test_of_three_thoughts_the_best_is_taken(run: RunExample, scores: list[float], way: str, best: str) -> None:
    prompts = {"plain way": "plain", "at the end": "from the end", "simpler problem": "simpler"}

    def think(turn: Turn) -> str:
        return next(thought for words, thought in prompts.items() if words in turn.prompt)

    done = await run(
        "patterns/tree-of-thoughts.yaml", {"Thinker": together(3, think), "Judge of Thoughts": {"scores": scores}}
    )

    assert done.called == ["Thinker"] * 3 + ["Judge of Thoughts"]
    assert done.inputs("Judge of Thoughts")[0]["proposals"] == ["plain", "from the end", "simpler"]
    assert done.execution.context["Select"] == {"case": way, "output": {"thought": best, "score": max(scores)}}
    assert done.output == {"thought": best, "score": max(scores)}


async def test_creator_and_critic_take_turns_until_the_draft_is_good_enough(run: RunExample) -> None:
    done = await run(
        "patterns/ping-pong.yaml",
        {
            "Creator": ["v1", "v2", "v3"],
            "Critic": [
                {"score": 0.3, "comments": "Too long."},
                {"score": 0.6, "comments": "No example."},
                {"score": 0.9, "comments": ""},
            ],
        },
    )

    brief = "Explain to a new colleague why a lease on a task has to expire."
    assert [(turn.role, turn.input) for turn in done.turns] == [
        ("Creator", {"brief": brief}),
        ("Critic", {"brief": brief, "draft": "v1", "round": 1}),
        ("Creator", {"draft": "v1", "critique": "Too long."}),
        ("Critic", {"brief": brief, "draft": "v2", "round": 2}),
        ("Creator", {"draft": "v2", "critique": "No example."}),
        ("Critic", {"brief": brief, "draft": "v3", "round": 3}),
    ]
    assert done.output == {"draft": "v3", "score": 0.9, "rounds": 3}


async def test_after_five_rounds_the_last_draft_is_taken(run: RunExample) -> None:
    done = await run(
        "patterns/ping-pong.yaml",
        {"Creator": [f"v{n}" for n in range(1, 7)], "Critic": {"score": 0.5, "comments": "More."}},
    )

    assert done.called == ["Creator", *["Critic", "Creator"] * 5]
    assert done.output == {"draft": "v6", "score": 0.5, "rounds": 5}
