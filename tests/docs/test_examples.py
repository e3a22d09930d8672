"""The examples of the documentation are documents without problems, and do what stands below each of them."""

from typing import Any

import msgspec
import pytest

from services.bundles import BundleRole
from services.definitions.bound import max_step_runs
from services.definitions.check import check
from services.definitions.diff import diff, lines
from services.definitions.document import Document, as_json
from services.definitions.language import file_schema
from services.definitions.patch import apply
from services.json import Json
from services.schema import problems_of_value, with_defaults
from tests.docs.markdown import DOCS, anchors, blocks, catalog_of, links
from tests.docs.runs import Run

PAGES = ("definition.md", "recipes.md", "coming-from.md")
# What may stand below a document, and says something about it.
SAYINGS = ("run", "problems", "canonical", "diff")
# What a run may say.
RUN = {"input", "answers", "signals", "output", "failure", "cancelled", "asked", "delays", "bound"}


def documents() -> list[Any]:
    return [
        pytest.param(block.value, id=f"{page}:{block.line}")
        for page in PAGES
        for block in blocks(page, "yaml", "json")
        if block.word in ("", "changed")
    ]


def sayings(word: str) -> list[Any]:
    """The blocks of that word, each with the document above it and the one above that."""
    found: list[Any] = []
    for page in PAGES:
        before: Json = None
        document: Json = None
        for block in blocks(page, "yaml", "json", "text"):
            if block.word == word:
                text = block.text if block.language == "text" else block.value
                found.append(pytest.param(before, document, text, id=f"{page}:{block.line}"))
            elif block.word in ("", "broken", "changed"):
                before, document = document, block.value
    return found


def read(document: Json) -> Document:
    checked = check(document, catalog_of(document))
    assert checked.document is not None, checked.problems
    return checked.document


@pytest.mark.parametrize("value", documents())
def test_each_document_has_no_problems(value: Any) -> None:
    found: Any = [value] if "steps" in value else value["orchestrations"]

    assert [problem for document in found for problem in check(document, catalog_of(document)).problems] == []
    assert problems_of_value(file_schema(BundleRole), value) == []


@pytest.mark.parametrize(("_", "raw", "told"), sayings("run"))
def test_a_run_ends_as_it_says(_: Json, raw: Json, told: Any) -> None:
    assert RUN >= told.keys() >= {"answers"}
    document = read(raw)
    input = with_defaults(document.input, told.get("input", {}))
    assert document.input is None or problems_of_value(document.input, input) == []

    run = Run(document, told["answers"], told.get("signals", ())).play(input, is_cancelled=told.get("cancelled", False))

    failure = run.state.failure.code if run.state.failure is not None else None
    assert (run.state.output, failure) == (told.get("output"), told.get("failure"))
    assert run.used == set(told["answers"])
    assert run.signalled == len(told.get("signals", ()))
    assert run.asked == told.get("asked", run.asked)
    assert run.delays == told.get("delays", run.delays)
    assert max_step_runs(document) == told.get("bound", max_step_runs(document))
    assert (run.state.phase == "cancelled") == told.get("cancelled", False)


@pytest.mark.parametrize("page", ["recipes.md", "coming-from.md"])
def test_each_recipe_is_run(page: str) -> None:
    shown = [block.line for block in blocks(page, "yaml")]
    words = [block.word for block in blocks(page, "yaml", "json") if block.language == "yaml" or block.word == "run"]

    assert words.count("") == len(shown)
    assert all(word or words[place + 1] == "run" for place, word in enumerate(words))


@pytest.mark.parametrize(("_", "raw", "told"), sayings("problems"))
def test_a_broken_document_has_these_problems_and_is_mended_by_their_patches(_: Json, raw: Json, told: Any) -> None:
    found = check(raw, catalog_of(raw)).problems

    shown: Any = msgspec.json.decode(msgspec.json.encode(found))
    assert [{key: problem[key] for key in each} for problem, each in zip(shown, told, strict=True)] == told
    if all("patch" in each for each in told):
        for problem in found:
            raw = apply(raw, problem.patch)
        assert check(raw, catalog_of(raw)).problems == ()


@pytest.mark.parametrize(("_", "raw", "told"), sayings("canonical"))
def test_the_canonical_form_is_this_one(_: Json, raw: Json, told: Json) -> None:
    assert as_json(read(raw)) == told


@pytest.mark.parametrize(("before", "after", "told"), sayings("diff"))
def test_two_documents_differ_in_this(before: Json, after: Json, told: str) -> None:
    assert lines(diff(read(before), read(after))) == told.splitlines()


def test_every_block_is_read() -> None:
    shown = [block for page in PAGES for block in blocks(page, "yaml", "json", "text")]
    known = {"", "broken", "changed", "data", "foreign", *SAYINGS}

    assert [block for block in shown if block.word not in known] == []
    assert min(len(sayings(word)) for word in SAYINGS) >= 1


@pytest.mark.parametrize("page", [path.name for path in DOCS.glob("*.md")])
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in links(page):
        path = DOCS / target if target else DOCS / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(str(path.relative_to(DOCS))), f"{target}#{anchor}"
