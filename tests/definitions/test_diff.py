"""Differences between documents: by step and field, complete, and readable."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.definitions.diff import Change, diff, lines
from services.definitions.digest import digest
from services.definitions.document import Document, Step
from tests.definitions.documents import documents


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Document, Document]:
    """Two documents that may share steps: unrelated ones, or one and what a few edits make of it."""
    a = draw(documents())
    if draw(st.booleans()):
        return a, draw(documents())
    steps = [draw(st.sampled_from([step, step, _edited(draw, step)])) for step in a.steps if draw(st.integers(0, 4))]
    if len(steps) > 1 and draw(st.booleans()):
        # Into another slot, or into another step.
        moved, holder = steps.pop(), draw(st.integers(-1, len(steps) - 1))
        if holder == -1:
            a = replace(a, finally_=())
            return a, replace(a, steps=_in_order(steps), finally_=(moved,))
        steps[holder] = replace(steps[holder], compensate=(moved,))
    return a, replace(a, steps=_in_order(steps), description=draw(st.sampled_from(["", "", "new"])))


def _in_order(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: (step.order, step.name)))


def _edited(draw: st.DrawFn, step: Step) -> Step:
    changes: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"order": step.order + 3},
                {"condition": True},
                {"condition": 1},
                {"output_mapping": {"a": 1}},
                {"output_mapping": {"a": 1.0}},
                {"output_mapping": {"a": True}},
                {"name": step.name + "x"},
                {"timeout": 1},
            ]
        )
    )
    return replace(step, **changes)


def flow(*names: str, **fields: Any) -> Document:
    steps = tuple(Step(name=name, order=place, role_name="Reader") for place, name in enumerate(names))
    return Document(name="flow", steps=steps, **fields)


@given(documents())
def test_a_document_does_not_differ_from_itself(document: Document) -> None:
    assert diff(document, document) == ()


@given(pairs())
def test_documents_differ_if_and_only_if_their_digests_do(pair: tuple[Document, Document]) -> None:
    a, b = pair

    assert (diff(a, b) != ()) is (digest(a) != digest(b))


@given(pairs())
def test_the_way_back_is_the_same_way_reversed(pair: tuple[Document, Document]) -> None:
    a, b = pair

    there, back = diff(a, b), diff(b, a)

    opposite = {"added": "removed", "removed": "added", "moved": "moved", "changed": "changed"}
    reversed_ = [replace(it, what=opposite[it.what], before=it.after, after=it.before) for it in back]
    assert sorted(map(repr, map(_unordered, there))) == sorted(map(repr, map(_unordered, reversed_)))


def _unordered(change: Change) -> Change:
    return replace(change, before=_sorted(change.before), after=_sorted(change.after))


def _sorted(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def test_each_difference_is_named_once() -> None:
    before = flow("A", "B", "C", "D", tags=("old",))
    a, b, _, d = before.steps
    added = Step(name="New", kind="transform", order=3, input_mapping={"x": 1})
    after = replace(
        before, tags=(), steps=(replace(d, order=0), replace(a, order=1, max_retries=2), replace(b, order=2), added)
    )

    found = diff(before, after)

    assert found == (
        Change(what="changed", field="tags", before=["old"], after=[]),
        Change(what="removed", step="C", before={"name": "C", "kind": "agent", "order": 2, "roleName": "Reader"}),
        Change(what="moved", step="D", before=3, after=0),
        Change(what="changed", step="A", field="maxRetries", before=0, after=2),
        Change(
            what="added",
            step="New",
            after={"name": "New", "kind": "transform", "order": 3, "inputMapping": {"x": 1}},
        ),
        Change(what="changed", field="order", before={"A": 0, "B": 1}, after={"A": 1, "B": 2}),
    )
    assert lines(found) == [
        '~ tags ["old"] → []',
        "- step 'C' (agent)",
        "> step 'D': order 3 → 0",
        "~ step 'A': maxRetries 0 → 2",
        "+ step 'New' (transform)",
        "~ order: other numbers, the same sequence: A, B",
    ]


def test_a_step_that_comes_into_another_slot_has_moved() -> None:
    before = flow("A", "B", "C")
    a, b, c = before.steps
    loop = Step(name="Loop", kind="loop", order=1, max_iterations=2, steps=(replace(b, order=0, prompt="Again."),))
    after = replace(before, steps=(a, loop), finally_=(replace(c, order=0),))

    found = diff(before, after)

    assert found == (
        Change(
            what="added",
            step="Loop",
            after={"name": "Loop", "kind": "loop", "order": 1, "maxIterations": 2},
        ),
        Change(
            what="moved",
            step="B",
            before={"in": None, "slot": "main", "order": 1},
            after={"in": "Loop", "slot": "body", "order": 0},
        ),
        Change(what="changed", step="B", field="prompt", before=None, after="Again."),
        Change(
            what="moved",
            step="C",
            before={"in": None, "slot": "main", "order": 2},
            after={"in": None, "slot": "finally", "order": 0},
        ),
    )
    assert lines(found) == [
        "+ step 'Loop' (loop)",
        "> step 'B': main[1] → body[0] of 'Loop'",
        "~ step 'B': prompt null → \"Again.\"",
        "> step 'C': main[2] → finally[0]",
    ]


def test_what_a_step_holds_is_no_change_of_the_step() -> None:
    inner = Step(name="Inner", kind="transform", input_mapping={})
    before = Document(name="flow", steps=(Step(name="Each", kind="map", items=[1], steps=(inner,)),))
    after = replace(before, steps=(replace(before.steps[0], steps=(replace(inner, condition=True),)),))

    assert diff(before, after) == (Change(what="changed", step="Inner", field="condition", after=True),)


def test_true_and_one_are_not_the_same() -> None:
    a, b = flow("A"), flow("A")
    b = replace(b, steps=(replace(b.steps[0], output_mapping={"a": 1}),))
    a = replace(a, steps=(replace(a.steps[0], output_mapping={"a": True}),))

    assert lines(diff(a, b)) == ['~ step \'A\': outputMapping {"a":true} → {"a":1}']


def test_a_long_value_is_cut_in_a_line_and_whole_in_the_change() -> None:
    (change,) = diff(flow("A"), flow("A", description="x" * 500))

    assert change.after == "x" * 500
    assert [len(line) for line in lines((change,))] == [len('~ description "" → ') + 60]
