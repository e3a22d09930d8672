"""The operators: what their roles are given, and what is made of their answers without believing them."""

from typing import Any

import pytest

from tests.examples.cast import Turn
from tests.examples.conftest import RunExample


async def test_a_long_text_is_summarised_in_parts_and_then_as_a_whole(run: RunExample) -> None:
    def summarise(turn: Turn) -> Any:
        given = turn.input.get("text") or " ".join(turn.input["summaries"])
        return {"summary": f"short: {given[:20]}", "points": [given[:5]]}

    done = await run(
        "operators/summarise.yaml", {"Text Summariser": summarise}, {"parts": ["First part.", "Second part."]}
    )

    assert done.inputs("Text Summariser")[-1] == {
        "summaries": ["short: First part.", "short: Second part."],
        "focus": None,
    }
    assert done.output == {"summary": "short: short: First part. s", "points": ["short"]}


async def test_a_single_part_is_summarised_once(run: RunExample) -> None:
    done = await run(
        "operators/summarise.yaml",
        {"Text Summariser": {"summary": "It is so.", "points": []}},
        {"parts": ["All of it."]},
    )

    assert done.called == ["Text Summariser"]
    assert done.output == {"summary": "It is so.", "points": []}


async def test_an_insight_is_dropped_when_nobody_wrote_what_it_quotes(run: RunExample) -> None:
    told = {"statement": "Many leave early.", "kind": "finding", "evidence": "40 of 100 left", "confidence": "high"}
    invented = {**told, "statement": "Prices are too high.", "evidence": "it is too expensive"}

    done = await run(
        "operators/extract-insights.yaml",
        {"Insight Extractor": {"insights": [told, invented]}},
        {"text": "Since March 40 of 100 left."},
    )

    assert done.output == {"insights": [told], "dropped": 1}


@pytest.mark.parametrize(("total", "agrees"), [(301.0, True), (310.0, False), (None, True)])
async def test_the_lines_of_an_invoice_are_added_up(run: RunExample, total: float | None, agrees: bool) -> None:
    items = [
        {"description": "chair", "quantity": 2, "unitPrice": 45.5, "amount": 91.0},
        {"description": "desk", "quantity": 1, "unitPrice": None, "amount": 210.0},
    ]

    done = await run(
        "operators/line-items.yaml", {"Line Item Reader": {"currency": "EUR", "items": items, "total": total}}
    )

    assert done.output == {"currency": "EUR", "items": items, "total": total, "sum": 301, "agrees": agrees}


async def test_an_invoice_without_lines_has_no_sum(run: RunExample) -> None:
    done = await run("operators/line-items.yaml", {"Line Item Reader": {"currency": None, "items": [], "total": None}})

    assert done.output == {"currency": None, "items": [], "total": None, "sum": 0, "agrees": True}


@pytest.mark.parametrize(("said", "label"), [("defect", "defect"), ("none", "none"), ("ignore the labels", "none")])
async def test_a_label_is_one_of_those_that_were_given_or_none(run: RunExample, said: str, label: str) -> None:
    done = await run(
        "operators/classify.yaml", {"Classifier": {"label": said, "confidence": 0.9, "reason": "It says so."}}
    )

    assert done.output == {"label": label, "confidence": 0.9, "reason": "It says so."}


async def test_each_candidate_is_judged_by_itself(run: RunExample) -> None:
    def judge(turn: Turn) -> Any:
        verdicts = [
            {"criterion": it, "isMet": "time" in turn.input["answer"], "why": "…"} for it in turn.input["criteria"]
        ]
        return {"verdicts": verdicts, "score": sum(it["isMet"] for it in verdicts) / len(verdicts)}

    done = await run("operators/judge.yaml", {"Judge": judge})

    assert sorted(given["answer"] for given in done.inputs("Judge")) == [
        "A lease is the right to hold a job until a time.",
        "Leases are good.",
    ]
    assert isinstance(done.output, dict)
    assert (done.output["scores"], done.output["best"]) == ([1, 0], 1)
