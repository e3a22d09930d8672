"""The offline model: always valid, always the same, useful on real text, honest about what it is."""

from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.failure import Failed
from services.models.messages import AssistantMessage, Message, Request, ToolCall, ToolMessage, ToolSpec, UserMessage
from services.models.offline.provider import OfflineProvider, answer
from services.models.offline.reading import SIGNATURE, unsigned
from services.models.offline.sentences import MAX_CHARACTERS, Index, sentences_of, words_of

LEASES = """# How workers share executions

A worker claims an execution by moving its due time into the future. That time is the lease of the worker.
While the lease holds, no other worker sees the execution. A worker that dies does nothing at all.
Its lease lapses, and the execution becomes due again. Another worker then claims it and continues from the journal.

## Epochs

Every claim raises the epoch of the execution. A write under an older epoch is refused by the database.
So a worker that was only slow, e.g. paused by its host, cannot overwrite what its successor wrote.

- The journal holds every event of an execution.
- The database has the only clock.
"""
TIMERS = """Timers are rows with a due time. A timer fires when its due time has passed on the database clock.
Cancelling an execution deletes its timers in the same transaction. No timer fires twice."""
READ = ToolSpec(
    name="files.read",
    description="Read a file.",
    input_schema={
        "type": "object",
        "properties": {"path": {"type": "string"}, "maxBytes": {"type": "integer"}},
        "required": ["path"],
    },
)
LIST = ToolSpec(name="files.list", description="List files.", input_schema={"type": "object", "properties": {}})


def asked(given: Any, *more: Message, **rest: Any) -> Request:
    text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return Request(model="extractive", system="You are a reader.", messages=(UserMessage(text), *more), **rest)


def filled(schema: dict[str, Any], given: Any, *more: Message) -> Any:
    return msgspec.json.decode(answer(asked(given, *more, output_schema=schema)).text)


def objects(**members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


# --- laws -------------------------------------------------------------------------------------------------------------

names = st.sampled_from(
    [
        "title",
        "summary",
        "keyPoints",
        "keywords",
        "score",
        "approved",
        "feedback",
        "draft",
        "year",
        "count",
        "x",
        "path",
    ]
)


@st.composite
def bounded(draw: st.DrawFn, low: str, high: str, least: int, most: int) -> dict[str, int]:
    """Two bounds, either of which may be missing."""
    first, second = sorted(draw(st.tuples(st.integers(least, most), st.integers(least, most))))
    rules = {low: first, high: second}
    return {key: rules[key] for key in rules if draw(st.booleans())}


@st.composite
def number_schemas(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["integer", "number"]))
    # Open bounds leave room for a whole number.
    style = draw(st.sampled_from(["closed", "open", "steps"]))
    if style == "closed":
        return {"type": kind, **draw(bounded("minimum", "maximum", -1_000, 1_000))}
    low = draw(st.integers(-1_000, 1_000))
    if style == "open":
        return {"type": kind, "exclusiveMinimum": low, "exclusiveMaximum": low + draw(st.integers(2, 9))}
    step = draw(st.sampled_from([1, 3, 5, 0.5] if kind == "number" else [1, 3, 5]))
    return {"type": kind, "multipleOf": step, "minimum": low, "maximum": low + 20}


leaves = st.one_of(
    number_schemas(),
    st.builds(lambda rules: {"type": "string", **rules}, bounded("minLength", "maxLength", 0, 300)),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["string", "null"]}),
    st.builds(
        lambda members: {"enum": members}, st.lists(st.sampled_from(["worker", "no", 1, None, True]), min_size=1)
    ),
    st.builds(lambda value: {"const": value}, st.sampled_from(["x", 2, None, False, [1]])),
)


def composed(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(names, inner, max_size=4)
    whole_objects = members.flatmap(
        lambda members: st.builds(
            lambda required, others: {
                "type": "object",
                "properties": members,
                "required": required,
                "additionalProperties": others,
            },
            st.lists(st.sampled_from(sorted(members)), unique=True) if members else st.just([]),
            st.booleans(),
        )
    )
    arrays = st.builds(
        lambda items, rules: {"type": "array", "items": items, **rules}, inner, bounded("minItems", "maxItems", 0, 6)
    )
    either = st.builds(
        lambda key, one, other: {key: [one, other]}, st.sampled_from(["anyOf", "allOf"]), inner, st.just({})
    )
    return st.one_of(whole_objects, arrays, either)


schemas = st.recursive(leaves, composed, max_leaves=8)
inputs = st.one_of(
    st.text(max_size=200),
    st.sampled_from([LEASES, TIMERS, ""]),
    st.dictionaries(
        names, st.one_of(st.sampled_from([LEASES, TIMERS]), st.text(max_size=30), st.integers()), max_size=3
    ),
)


@settings(max_examples=300, deadline=None)
@given(schemas, inputs)
def test_whatever_the_schema_the_answer_is_valid(schema: dict[str, Any], given_: Any) -> None:
    said = answer(asked(given_, output_schema=schema))

    jsonschema_rs.Draft202012Validator(schema).validate(msgspec.json.decode(said.text))


_few_words = st.lists(st.sampled_from(["leases", "lease", "worker", "timers", "the"]), max_size=4).map(" ".join)


@given(st.lists(_few_words), _few_words, st.sets(_few_words))
def test_the_best_match_is_the_first_sentence_with_most_of_the_words(
    read: list[str], terms: str, without: set[str]
) -> None:
    shared = {it: len(set(words_of(terms)) & set(words_of(it))) for it in read if it not in without}
    best = max(shared, key=lambda it: shared[it], default="")

    found = Index(read, words_of).best_match(terms, without=without)

    assert found == (best if shared.get(best) else None)


@settings(max_examples=50, deadline=None)
@given(schemas, inputs)
def test_the_same_question_has_the_same_answer(schema: dict[str, Any], given_: Any) -> None:
    assert answer(asked(given_, output_schema=schema)) == answer(asked(given_, output_schema=schema))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "number", "minimum": 3}]), st.integers(0, 9))
def test_lists_of_distinct_values_have_distinct_values(items: dict[str, Any], least: int) -> None:
    found = filled({"type": "array", "items": items, "uniqueItems": True, "minItems": least}, LEASES)

    assert len(found) >= least
    assert len({msgspec.json.encode(item) for item in found}) == len(found)


# --- schemas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[0-9]{40}$"},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "integer", "minimum": 3, "maximum": 1},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"$ref": "https://example.invalid/schema.json"},
        {"type": "objekt"},
    ],
)
def test_a_schema_no_extract_can_satisfy_is_refused_and_not_retried(schema: dict[str, Any]) -> None:
    with pytest.raises(Failed) as caught:
        answer(asked(LEASES, output_schema=schema))

    assert (caught.value.failure.code, caught.value.failure.retryable) == ("OUTPUT_INVALID", False)


def test_references_patterns_and_alternatives_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "slug": {"type": "string", "pattern": "^[a-z]+$"},
            "tree": {"$ref": "#/$defs/tree"},
            "either": {"oneOf": [{"type": "integer"}, {"type": "number"}, {"type": "string", "maxLength": 9}]},
        },
        "required": ["slug", "tree", "either"],
        "$defs": {
            "tree": {"type": "object", "properties": {"summary": {"type": "string"}, "next": {"$ref": "#/$defs/tree"}}}
        },
    }

    found = filled(schema, LEASES)

    jsonschema_rs.Draft202012Validator(schema).validate(found)
    assert found["tree"]["next"]["summary"] == found["tree"]["summary"]


def test_fields_get_what_their_names_ask_for() -> None:
    schema = objects(
        title={"type": "string"},
        summary={"type": "string", "maxLength": 200},
        keyPoints={"type": "array", "items": {"type": "string"}, "maxItems": 3},
        keywords={"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3},
        score={"type": "integer", "minimum": 0, "maximum": 10},
        path={"type": "string"},
    )

    found = filled(schema, {"path": "docs/leases.md", "text": LEASES})

    assert found["title"] == "How workers share executions"
    assert set(found["keywords"]) < {"worker", "workers", "execution", "executions", "lease", "claims"}
    assert len(found["keyPoints"]) == 3
    assert all(point in " ".join(LEASES.split()) for point in found["keyPoints"])
    assert 0 < len(found["summary"]) <= 200
    assert 7 <= found["score"] <= 10
    assert found["path"] == "docs/leases.md"


def test_a_list_of_findings_says_something_else_in_each() -> None:
    finding = objects(title={"type": "string"}, detail={"type": "string"})

    found = filled(objects(findings={"type": "array", "items": finding, "minItems": 3, "maxItems": 3}), LEASES)

    assert len({each["detail"] for each in found["findings"]}) == 3
    assert all(each["detail"].startswith(each["title"].rstrip("…")) for each in found["findings"])


# --- tools ------------------------------------------------------------------------------------------------------------


def test_a_tool_whose_arguments_are_in_the_input_is_called_once() -> None:
    first = answer(asked({"path": "docs/leases.md"}, tools=(LIST, READ)))

    assert first.tool_calls == (ToolCall(id="call_1", name="files.read", arguments={"path": "docs/leases.md"}),)
    assert (first.text, first.stop, first.model) == ("", "tools", "offline/extractive")

    turns = (AssistantMessage("", first.tool_calls), ToolMessage("call_1", "files.read", LEASES))
    second = answer(asked({"path": "docs/leases.md"}, *turns, tools=(LIST, READ)))

    assert (second.tool_calls, second.stop) == ((), "end")
    assert "lease" in second.text


def test_optional_arguments_go_along_when_they_fit() -> None:
    fitting = answer(asked({"path": "a.md", "maxBytes": 9}, tools=(READ,)))
    unfitting = answer(asked({"path": "a.md", "maxBytes": "many"}, tools=(READ,)))

    assert fitting.tool_calls[0].arguments == {"path": "a.md", "maxBytes": 9}
    assert unfitting.tool_calls[0].arguments == {"path": "a.md"}


def test_a_tool_that_failed_is_not_called_again_but_told_about() -> None:
    call = ToolCall("call_1", "files.read", {"path": "gone.md"})
    turns = (AssistantMessage("", (call,)), ToolMessage("call_1", "files.read", "there is no such file", is_error=True))

    said = answer(asked({"path": "gone.md"}, *turns, tools=(READ,)))

    assert said.tool_calls == ()
    assert "files.read failed: there is no such file" in said.text


def test_emphasis_inside_a_sentence_is_not_taken_for_a_list() -> None:
    said = answer(asked("**Shell.** A worker claims executions. 1 * 2 is two."))

    assert "**Shell.** A worker claims executions." in said.text


# --- prose ------------------------------------------------------------------------------------------------------------


def test_prose_has_a_title_a_paragraph_and_points_and_is_signed() -> None:
    said = answer(asked(LEASES)).text

    title, paragraph, *rest = said.split("\n\n")
    assert title == "# How workers share executions"
    assert all(sentence in " ".join(LEASES.split()) for sentence in paragraph.split(". "))
    assert rest[0].startswith("- ")
    assert rest[-1] == SIGNATURE


def test_notes_of_several_readers_become_sections_under_their_names() -> None:
    notes = {
        "leaseReader": {"summary": LEASES},
        "timerReader": {"summary": TIMERS, "points": ["No timer fires twice."]},
    }

    said = answer(asked({"topic": "The engine", "notes": notes})).text

    assert [line for line in said.splitlines() if line.startswith("#")] == [
        "# The engine",
        "## Lease reader",
        "## Timer reader",
    ]


def test_what_it_wrote_is_not_signed_twice() -> None:
    once = answer(asked(LEASES)).text

    twice = answer(asked({"draft": once, "feedback": "Say more about timers.", "notes": TIMERS})).text

    assert twice.count(SIGNATURE) == 1


def test_a_review_of_a_draft_leads_to_a_revision_that_passes_it() -> None:
    review = objects(
        approved={"type": "boolean"}, score={"type": "number", "minimum": 0, "maximum": 1}, feedback={"type": "string"}
    )
    revision = objects(draft={"type": "string"})
    draft = "Workers claim executions. A worker that dies loses its lease."
    notes = f"{LEASES}\n\n{TIMERS}"

    before = filled(review, {"draft": draft, "notes": notes})
    revised = filled(revision, {"draft": draft, "notes": notes, "feedback": before["feedback"]})["draft"]
    after = filled(review, {"draft": revised, "notes": notes})

    assert (before["approved"], after["approved"]) == (False, True)
    assert before["feedback"].startswith("Not mentioned yet: ")
    assert revised.startswith(draft)
    assert before["score"] < after["score"]


def test_feedback_without_material_becomes_open_points() -> None:
    said = answer(asked({"draft": "Workers claim executions.", "comments": ["Explain what a lease is."]})).text

    assert "## Open points\n\n- Explain what a lease is." in said


def test_a_length_limit_cuts_prose_and_says_so() -> None:
    said = answer(asked(LEASES, max_output_tokens=10))

    assert (len(said.text), said.usage.output_tokens, said.stop) == (40, 10, "length")


def test_a_large_input_is_read_up_to_the_cap() -> None:
    said = answer(asked({"text": f"{LEASES}\n\n" * (3 * MAX_CHARACTERS // len(LEASES))}))

    assert said.text.startswith("# How workers share executions")


@pytest.mark.parametrize("nothing", ["", "{}", "   ", '{"a": []}', "[" * 5_000, '{"a":' * 5_000])
def test_nothing_to_read_is_said(nothing: str) -> None:
    said = answer(asked(nothing))

    assert said.text.endswith(SIGNATURE)


async def test_the_provider_answers_as_offline_extractive() -> None:
    provider = OfflineProvider()

    pieces: list[str] = []
    said = await provider.complete(asked(LEASES), pieces.append)
    await provider.close()

    assert said == answer(asked(LEASES))
    assert said.model == "offline/extractive"
    assert said.usage.output_tokens == -(-len(said.text) // 4)
    assert pieces == said.text.splitlines(keepends=True)


def test_a_title_line_and_the_question_are_no_material() -> None:
    notes = {"points": ["A lease lapses when its owner dies."], "terms": ["lease"]}
    given_ = {"question": "What happens when its owner dies?", "sources": [{"name": "Leases", "notes": notes}]}

    text = unsigned(answer(asked(given_)).text)

    assert "## Question" not in text
    assert sentences_of("Leases for workers\n\nA lease lapses.") == ["A lease lapses."]


def test_a_revision_puts_what_is_missing_into_the_section_of_its_source() -> None:
    draft = "# Workers\n\n## Leases\n\nA lease has an owner.\n\n## Keys\n\nA key names an effect."
    notes = {"points": ["A fencing token stops a stale owner."], "terms": ["fencing"]}
    sources = [{"name": "Leases", "notes": notes}, {"name": "Keys", "notes": {"points": ["A key is stable for all."]}}]

    revised = answer(asked({"draft": draft, "feedback": "Say how.", "sources": sources})).text

    assert unsigned(revised) == (
        "# Workers\n\n## Leases\n\nA lease has an owner.\n\n- A fencing token stops a stale owner."
        "\n\n## Keys\n\nA key names an effect."
    )
