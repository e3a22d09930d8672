"""The use cases: who is called in which order, on what, and what comes out."""

from typing import Any

import pytest

from tests.examples.cast import Turn, reading, together
from tests.examples.conftest import RunExample
from tests.examples.example import DOCUMENTS

FEATURE = "A function slug(title) for URLs: lower case, words joined by hyphens, no other signs."


async def test_code_is_generated_until_its_test_passes_then_reviewed_and_deployed(run: RunExample) -> None:
    criteria = ["'Two Words' gives 'two-words'."]
    tests = [{"passed": False, "problems": ["'Two Words' gives 'two words'."]}, {"passed": True, "problems": []}]

    done = await run(
        "use-cases/plan-generate-test-review-deploy.yaml",
        {
            "Feature Planner": {"criteria": criteria},
            "Developer": ["v1", "v2"],
            "Tester": tests,
            "Release Reviewer": {"approved": True, "comments": "Fine."},
            "Release Manager": "Titles can be used in URLs.",
        },
    )

    first = {"feature": FEATURE, "criteria": criteria, "lastCode": None, "problems": []}
    assert [(turn.role, turn.input) for turn in done.turns] == [
        ("Feature Planner", {"feature": FEATURE}),
        ("Developer", first),
        ("Tester", {"code": "v1", "criteria": criteria}),
        ("Developer", {**first, "lastCode": "v1", "problems": tests[0]["problems"]}),
        ("Tester", {"code": "v2", "criteria": criteria}),
        ("Release Reviewer", {"feature": FEATURE, "code": "v2", "test": tests[1]}),
        ("Release Manager", {"feature": FEATURE, "comments": "Fine."}),
    ]
    assert done.output == {"deployed": True, "code": "v2", "note": "Titles can be used in URLs."}


async def test_what_the_review_refuses_is_not_deployed(run: RunExample) -> None:
    done = await run(
        "use-cases/plan-generate-test-review-deploy.yaml",
        {
            "Feature Planner": {"criteria": ["It works."]},
            "Developer": ["v1", "v2", "v3"],
            "Tester": {"passed": False, "problems": ["It does not."]},
            "Release Reviewer": {"approved": False, "comments": "The test failed."},
        },
    )

    assert done.called == ["Feature Planner", *["Developer", "Tester"] * 3, "Release Reviewer"]
    assert done.output == {"deployed": False, "code": "v3", "comments": "The test failed."}


async def test_documents_are_searched_at_once_then_analyzed_summarized_and_cited(run: RunExample) -> None:
    paths = ["idempotency-and-retries.txt", "durable-execution.txt"]

    def quote(turn: Turn) -> Any:
        return {"path": turn.input["path"], "quotes": [turn.brought[0].splitlines()[0]]}

    done = await run(
        "use-cases/search-analyze-summarize-cite.yaml",
        {
            "Librarian": together(2, reading(quote)),
            "Analyst": {"findings": ["Only a failure that may pass."]},
            "Summariser": "When it may pass.",
            "Citer": "When it may pass [1].",
        },
    )

    documents = [{"path": path, "quotes": [(DOCUMENTS / path).read_text().splitlines()[0]]} for path in paths]
    assert done.called == [*["Librarian"] * 4, "Analyst", "Summariser", "Citer"]
    assert {given["path"] for given in done.inputs("Librarian")} == set(paths)
    assert done.inputs("Analyst")[0]["documents"] == documents
    assert done.inputs("Summariser")[0]["findings"] == ["Only a failure that may pass."]
    assert done.inputs("Citer") == [{"answer": "When it may pass.", "documents": documents}]
    assert done.output == {"answer": "When it may pass [1].", "searched": paths}


async def test_documents_are_extracted_transformed_at_once_loaded_and_validated(run: RunExample) -> None:
    def record(turn: Turn) -> Any:
        return {"title": turn.input["text"].splitlines()[0], "summary": "About it.", "terms": []}

    done = await run(
        "use-cases/extract-transform-load-validate.yaml",
        {"Record Maker": together(2, record), "Record Auditor": {"accepted": True, "comments": ""}},
    )

    texts = [(DOCUMENTS / path).read_text() for path in ("durable-execution.txt", "human-oversight.txt")]
    records = [{"title": text.splitlines()[0], "summary": "About it.", "terms": []} for text in texts]
    assert done.called == ["Record Maker", "Record Maker", "Record Auditor"]
    assert {given["text"] for given in done.inputs("Record Maker")} == set(texts)
    assert done.inputs("Record Auditor") == [{"records": records, "texts": texts}]
    assert [path for path in done.statuses if "/" in path] == [
        "Extract[0]/Read",
        "Extract[1]/Read",
        "Transform[0]/Make record",
        "Transform[1]/Make record",
    ]
    assert done.output == {"records": records, "valid": True, "comments": ""}


async def test_two_equal_records_are_not_loaded(run: RunExample) -> None:
    same = {"title": "Same", "summary": "Same.", "terms": []}

    done = await run("use-cases/extract-transform-load-validate.yaml", {"Record Maker": same})

    assert done.called == ["Record Maker", "Record Maker"]
    assert done.execution.error is not None
    assert done.execution.error.code == "OUTPUT_INVALID"


async def test_an_article_is_edited_until_its_facts_hold_and_then_published(run: RunExample) -> None:
    facts = ["An approval that nobody answers expires."]

    done = await run(
        "use-cases/research-draft-edit-fact-check-publish.yaml",
        {
            "Researcher": reading(lambda turn: {"facts": facts}),
            "Author": "v1",
            "Copy Editor": ["v2", "v3"],
            "Fact Checker": [{"passed": False, "comments": "It says a week."}, {"passed": True, "comments": ""}],
            "Headline Writer": "Silence is no approval",
        },
    )

    assert [(turn.role, turn.input) for turn in done.turns[2:]] == [
        ("Author", {"topic": "Approvals that nobody answers", "facts": facts}),
        ("Copy Editor", {"draft": "v1", "comments": None}),
        ("Fact Checker", {"draft": "v2", "facts": facts}),
        ("Copy Editor", {"draft": "v2", "comments": "It says a week."}),
        ("Fact Checker", {"draft": "v3", "facts": facts}),
        ("Headline Writer", {"article": "v3"}),
    ]
    assert done.called[:2] == ["Researcher", "Researcher"]
    assert done.turns[1].brought == ((DOCUMENTS / "human-oversight.txt").read_text(),)
    assert done.output == {"published": True, "headline": "Silence is no approval", "article": "v3"}


async def test_an_article_whose_facts_never_hold_is_held_back(run: RunExample) -> None:
    done = await run(
        "use-cases/research-draft-edit-fact-check-publish.yaml",
        {
            "Researcher": {"facts": ["One."]},
            "Author": "v1",
            "Copy Editor": ["v2", "v3", "v4"],
            "Fact Checker": {"passed": False, "comments": "Not so."},
        },
    )

    assert done.called == ["Researcher", "Author", *["Copy Editor", "Fact Checker"] * 3]
    assert done.output == {"published": False, "article": "v4", "comments": "Not so."}


@pytest.mark.parametrize(
    ("topic", "role"), [("billing", "Billing Clerk"), ("fault", "Technician"), ("other", "Receptionist")]
)
async def test_a_message_is_answered_by_the_role_for_its_topic(run: RunExample, topic: str, role: str) -> None:
    done = await run(
        "use-cases/classify-route-respond-follow-up.yaml",
        {"Message Classifier": {"topic": topic, "followUp": False}, role: "An answer."},
    )

    assert done.called == ["Message Classifier", role]
    assert done.output == {"topic": topic, "answer": "An answer.", "followUp": None}


async def test_after_a_wait_the_sender_is_asked_how_it_went(run: RunExample) -> None:
    done = await run(
        "use-cases/classify-route-respond-follow-up.yaml",
        {
            "Message Classifier": {"topic": "billing", "followUp": True},
            "Billing Clerk": "We will look at it.",
            "Receptionist": "Has it been solved?",
        },
    )

    (pause,) = (step for step in done.steps if step.name == "Pause")
    (ask,) = (step for step in done.steps if step.name == "Ask")
    message = "I was charged twice for the same month. Please give one of the two back."
    assert done.called == ["Message Classifier", "Billing Clerk", "Receptionist"]
    assert done.inputs("Receptionist") == [{"message": message, "earlierAnswer": "We will look at it."}]
    assert pause.started_at is not None
    assert ask.started_at is not None
    assert (ask.started_at - pause.started_at).total_seconds() >= 0.1
    assert done.output == {"topic": "billing", "answer": "We will look at it.", "followUp": "Has it been solved?"}
