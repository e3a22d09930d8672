"""Everything that is wrong with a document is said at once, each problem at its place."""

from time import process_time
from uuid import UUID

import pytest

from services.definitions.catalog import Catalog
from services.definitions.check import check
from services.definitions.document import MAX_FAN_OUT, MAX_STEPS, Document, all_steps
from services.json import Json, JsonObject
from tests.definitions.slips import CATALOG, READER, branch, caught, deep, listed, loop, nested, steps


def codes(document: Json) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in check(document, CATALOG).problems]


def accepted(document: Json) -> Document:
    checked = check(document, CATALOG)
    assert checked.problems == ()
    assert checked.document is not None
    return checked.document


def test_a_document_in_the_classic_form_is_accepted_as_it_is() -> None:
    classic: JsonObject = {
        "name": "Deep Research",
        "steps": [
            {"name": "Search A", "roleName": "Reader", "parallelGroup": "search", "stepType": "parallel", "order": 0},
            {"name": "Search B", "roleId": str(READER), "parallelGroup": "search", "stepType": "parallel", "order": 0},
            {
                "name": "Synthesize",
                "roleName": "Writer",
                "order": 3,
                "stepType": "sequential",
                "inputMapping": {"a": "{{context.Search A}}", "b": "{{context.Search B.text}}"},
                "maxRetries": 2,
                "retryDelay": 500,
                "timeout": 60_000,
            },
        ],
    }

    checked = check(classic, CATALOG)

    assert checked.problems == ()
    assert checked.document is not None
    assert [step.role_name for step in checked.document.steps] == ["Reader", "Reader", "Writer"]


def test_a_classic_loop_is_a_loop() -> None:
    document = accepted(steps({**loop({"name": "A"}), "kind": "loop"}))

    classic: JsonObject = {"name": "Loop", "stepType": "loop", "maxIterations": 2, "steps": listed({"name": "A"})}

    assert accepted({"name": "flow", "steps": [classic]}) == document


def test_null_beside_an_id_is_no_other_role() -> None:
    step: JsonObject = {"name": "A", "roleId": str(READER), "roleName": None, "stepType": None}

    (read,) = accepted({"name": "flow", "steps": [loop(step | {"kind": "llm"})]}).steps[0].steps

    assert read.role_name == "Reader"


def test_steps_that_make_attempts_have_the_defaults_of_the_document() -> None:
    llm: JsonObject = {"kind": "llm", "roleName": "Reader"}
    document = accepted(
        steps(
            {**llm, "name": "Own", "maxRetries": 0, "timeout": 1},
            loop({**llm, "name": "Inner"}, {"name": "Data"}),
            defaults={"maxRetries": 3, "retryDelay": 7, "retry": {"backoff": "linear"}, "timeout": 9},
            onFailure=[{**llm, "name": "Told"}],
            **{"finally": [{**llm, "name": "Last"}]},
        )
    )

    found = {
        step.name: (step.max_retries, step.retry_delay, step.retry.backoff, step.timeout)
        for step in all_steps(document)
    }

    assert found == {
        "Own": (0, 7, "linear", 1),
        "Loop": (0, 1_000, "fixed", None),
        "Inner": (3, 7, "linear", 9),
        "Data": (0, 1_000, "fixed", None),
        "Told": (3, 7, "linear", 9),
        "Last": (3, 7, "linear", 9),
    }


def test_what_happens_at_the_end_has_a_minute() -> None:
    llm: JsonObject = {"kind": "llm", "roleName": "Reader"}
    group: JsonObject = {"name": "Group", "kind": "group", "steps": [{**llm, "name": "Inner"}]}

    document = accepted(steps({"name": "A"}, **{"finally": [group, {**llm, "name": "Own", "timeout": 300_000}]}))

    assert {step.name: step.timeout for step in all_steps(document)} == {
        "A": None, "Group": None, "Inner": 60_000, "Own": 300_000,
    }  # fmt: skip


def test_problems_at_any_depth_come_at_once() -> None:
    document = steps(
        {"name": "A", **caught({"steps": [{"name": "9"}]}), "kind": "llm", "retry": {"jitter": "some"}},
        branch({"steps": [{"name": "B", "kind": "loop", "steps": [{"nam": "C"}]}]}, **{"else": {"name": "D"}}),
        groups={"g": {"n": 0, "merge": {"k": "sum"}}},
        onFailure=[3],
        **{"finally": [{"name": "E", "compensate": [{"name": "F", "tool": 3, "kind": "tool"}]}]},
    )

    assert sorted(codes(document)) == [
        ("REQUIRED", "/steps/1/cases/0/steps/0/steps/0"),
        ("UNKNOWN_FIELD", "/steps/1/cases/0/steps/0/steps/0/nam"),
        ("WRONG_VALUE", "/finally/0/compensate/0/tool"),
        ("WRONG_VALUE", "/groups/g/merge/k"),
        ("WRONG_VALUE", "/groups/g/n"),
        ("WRONG_VALUE", "/onFailure/0"),
        ("WRONG_VALUE", "/steps/0/onError/catch/0/steps/0/name"),
        ("WRONG_VALUE", "/steps/0/retry/jitter"),
        ("WRONG_VALUE", "/steps/1/else"),
    ]


# Each definition asks twice for the next, so a value would be judged 2^30 times.
DOUBLING: JsonObject = {
    "$defs": {
        **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)},
        "a30": {"type": "object"},
    },
    "$ref": "#/$defs/a0",
}


@pytest.mark.parametrize(
    "document",
    [
        steps(nested(900)),
        steps(*({"name": f"S{i}", "unknown": 1} for i in range(20_000))),
        steps(branch(*({"when": True, "steps": [{"name": "A"}] * 200} for _ in range(200)))),
        steps({"name": "A"}, input=deep(900)),
        steps({"name": "A", "kind": "group", "onError": {"default": deep(900)}}),
        steps({"name": "A", **{f"field {i}": 1 for i in range(20_000)}}),
        steps({"name": "A", "inputMapping": {f"k{i}": f"<<context.x{i}>>" for i in range(2_000)}}),
        steps({"name": "A", "inputMapping": {"k": " ".join(f"<<context.x{i}>>" for i in range(5_000))}}),
    ],
    ids=["deep", "long", "wide", "a deep schema", "a deep value", "many fields", "many names", "many names in a text"],
)
def test_a_hostile_document_costs_little(document: Json) -> None:
    started = process_time()

    problems = check(document, CATALOG).problems

    assert 1 <= len(problems) <= 100
    assert process_time() - started < 2


def test_of_many_names_the_nearest_are_told() -> None:
    many = Catalog(roles={f"Reader {n}": UUID(int=n) for n in range(5_000)}, kinds=CATALOG.kinds)

    (problem,) = check(steps({"name": "A", "kind": "llm", "roleName": "Raeder 4321"}), many).problems

    assert problem.suggestion == "Reader 4321"
    assert len(problem.allowed) == 20


def test_all_structural_problems_come_at_once() -> None:
    document: JsonObject = {
        "name": "9lives",
        "stepz": [],
        "steps": [{"name": "A", "kind": "lm", "roleNam": "Reader"}, 3, {"name": "B", "maxRetries": 99}],
    }

    assert sorted(codes(document)) == [
        ("UNKNOWN_FIELD", "/steps/0/roleNam"),
        ("UNKNOWN_FIELD", "/stepz"),
        ("WRONG_VALUE", "/name"),
        ("WRONG_VALUE", "/steps/0/kind"),
        ("WRONG_VALUE", "/steps/1"),
        ("WRONG_VALUE", "/steps/2/maxRetries"),
    ]


def test_a_slip_of_the_pen_is_recognised() -> None:
    (problem,) = check({**steps({"name": "A"}), "descripton": ""}, CATALOG).problems

    assert problem.suggestion == "description"
    assert "outputSchema" in problem.allowed


@pytest.mark.parametrize(
    "document", [None, [], "text", 3, {}, {"name": "a"}, {"name": "a", "steps": []}, {"steps": {}}]
)
def test_what_is_no_document_is_a_problem_and_not_an_exception(document: Json) -> None:
    checked = check(document, CATALOG)

    assert checked.document is None
    assert checked.problems


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (steps({"name": "A"}, {"name": "A"}), [("DUPLICATE_NAME", "/steps/1/name")]),
        (steps({"name": "context"}), [("RESERVED_NAME", "/steps/0/name")]),
        (steps({"name": "A", "order": 1}, {"name": "B", "order": 1}), [("ORDER_CONFLICT", "/steps/1/order")]),
        (
            steps({"name": "A", "parallelGroup": "g"}, {"name": "B"}, {"name": "C", "parallelGroup": "g"}),
            [("GROUP_NOT_CONTIGUOUS", "/steps/2/parallelGroup")],
        ),
        (
            steps(
                {"name": "A", "parallelGroup": "g", "outputMapping": {"k": 1}},
                {"name": "B", "parallelGroup": "g", "outputMapping": {"k": 2}},
            ),
            [("CONTEXT_CONFLICT", "/steps/1/outputMapping")],
        ),
        (steps({"name": "A", "kind": "agent", "roleName": "Raeder"}), [("UNKNOWN_ROLE", "/steps/0/roleName")]),
        (steps({"name": "A", "kind": "agent"}), [("REQUIRED", "/steps/0")]),
        (steps({"name": "A", "kind": "agent", "roleId": str(UUID(int=9))}), [("UNKNOWN_ROLE", "/steps/0/roleId")]),
        (
            steps({"name": "A", "kind": "agent", "roleName": "Writer", "roleId": str(READER)}),
            [("ROLE_CONFLICT", "/steps/0/roleName")],
        ),
        (steps({"name": "A", "kind": "tool", "tool": "files.reed"}), [("UNKNOWN_TOOL", "/steps/0/tool")]),
        (steps({"name": "A", "kind": "tool", "tool": "system.create_role"}), [("UNKNOWN_TOOL", "/steps/0/tool")]),
        (steps({"name": "A", "tool": "files.read"}), [("FIELD_OF_OTHER_KIND", "/steps/0/tool")]),
        (steps({"name": "A", "stepType": "parallel"}), [("REQUIRED", "/steps/0")]),
        (steps({"name": "A", "stepType": "looop"}), [("WRONG_VALUE", "/steps/0/stepType")]),
        (steps({"name": "A"}, input={"type": "objekt"}), [("SCHEMA_INVALID", "/input/type")]),
        (steps({"name": "A", "outputSchema": {"pattern": "("}}), [("SCHEMA_INVALID", "/steps/0/outputSchema/pattern")]),
        (steps({"name": "A", "outputSchema": DOUBLING}), [("SCHEMA_INVALID", "/steps/0/outputSchema")]),
        (
            steps({"name": "A", "outputSchema": {"pattern": "^(a|a)*(b|b)*((a?){900}){30}$"}}),
            [("SCHEMA_INVALID", "/steps/0/outputSchema/pattern")],
        ),
        (
            steps({"name": "A", "inputMapping": {"a": {"$expr": "'a\\u0000'"}}}),
            [("EXPRESSION_INVALID", "/steps/0/inputMapping/a/$expr")],
        ),
        (
            steps({"name": "A", "inputMapping": {"a": '<<input.a | default("\\u0000")>>'}}),
            [("TEMPLATE_INVALID", "/steps/0/inputMapping/a")],
        ),
        (steps(*({"name": f"S{i}"} for i in range(MAX_STEPS + 1))), [("TOO_MANY_STEPS", "/steps")]),
        (
            steps(*({"name": f"S{i}", "parallelGroup": "g"} for i in range(MAX_FAN_OUT + 1))),
            [("FAN_OUT_TOO_LARGE", "/steps")],
        ),
    ],
)
def test_each_broken_rule_is_named_at_its_place(document: Json, expected: list[tuple[str, str]]) -> None:
    assert codes(document) == expected


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"inputMapping": {"x": "<<context.nope>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": ["a", {"y": "<<Later.text>>"}]}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<steps.Later.status>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<item.a>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<input.nope>>"}}, "/steps/1/inputMapping"),
        ({"inputMapping": {"x": "<<context.input.nope>>"}}, "/steps/1/inputMapping"),
        ({"condition": {"field": "context.nope", "operator": "exists"}}, "/steps/1/condition"),
        ({"condition": "nope.score > 1"}, "/steps/1/condition"),
        ({"outputMapping": {"x": "<<context.Later>>"}}, "/steps/1/outputMapping"),
    ],
)
def test_a_name_that_nothing_gives_is_refused(step: JsonObject, path: str) -> None:
    schema: JsonObject = {"type": "object", "properties": {"topic": {}}, "additionalProperties": False}
    document = steps({"name": "First"}, {"name": "Second", **step}, {"name": "Later"}, input=schema)

    assert codes(document) == [("UNKNOWN_REFERENCE", path)]


def test_what_may_be_missing_is_not_refused() -> None:
    mapping: Json = {"a": "<<context.nope?>>", "b": "<<context.nope | default('x')>>"}

    assert codes(steps({"name": "A", "inputMapping": mapping})) == []


def test_a_key_that_a_later_step_writes_is_explained() -> None:
    document = steps({"name": "A", "inputMapping": {"x": "<<context.B>>"}}, {"name": "B"})

    (problem,) = check(document, CATALOG).problems

    assert problem.message == "context.B: 'B' is written by 'B', which has not finished by then"


def test_members_of_a_group_do_not_see_each_other() -> None:
    document = steps(
        {"name": "A", "parallelGroup": "g"}, {"name": "B", "parallelGroup": "g", "inputMapping": {"x": "<<context.A>>"}}
    )

    assert codes(document) == [("UNKNOWN_REFERENCE", "/steps/1/inputMapping")]


def test_what_does_not_parse_is_named_inside_its_mapping() -> None:
    document = steps(
        {
            "name": "A",
            "inputMapping": {"deep": ["ok", {"$expr": "1 +"}]},
            "condition": {"field": "input.a", "operator": "~", "value": 1},
        }
    )

    assert [(code, path) for code, path in codes(document) if code != "UNKNOWN_REFERENCE"] == [
        ("OPERATOR_UNKNOWN", "/steps/0/condition/operator"),
        ("EXPRESSION_INVALID", "/steps/0/inputMapping/deep/1/$expr"),
    ]


def test_problems_of_the_second_of_two_namesakes_stand_at_the_second() -> None:
    document = steps({"name": "A"}, {"name": "A", "inputMapping": {"x": "<<context.nope>>"}})

    assert codes(document) == [("DUPLICATE_NAME", "/steps/1/name"), ("UNKNOWN_REFERENCE", "/steps/1/inputMapping")]


SEEN_INSIDE: dict[str, JsonObject] = {
    "what came before": steps({"name": "A"}, loop({"name": "B", "inputMapping": {"a": "<<context.A>>"}})),
    "what came before inside": steps(loop({"name": "A"}, {"name": "B", "inputMapping": {"a": "<<A>> <<output>>"}})),
    "what a loop has left": steps(
        loop({"name": "A"}), {"name": "B", "inputMapping": {"a": "<<A>> <<steps.A.status>>"}}
    ),
    "what a case has left": steps(
        branch({"when": "input.a", "steps": listed({"name": "A"})}), {"name": "B", "inputMapping": {"a": "<<A>>"}}
    ),
    "what a handler has left": steps(
        {"name": "A", **caught({"steps": listed({"name": "H"})})}, {"name": "B", "inputMapping": {"a": "<<H>>"}}
    ),
    "the round of a loop": steps(
        loop(
            {"name": "A", "inputMapping": {"n": "<<loop.iteration>>"}, "condition": "B.score > 1"},
            {"name": "B"},
            until={"field": "B.score", "operator": ">", "value": "<<context.A>>"},
            collect={"a": "<<context.A>>", "b": "<<output>>", "n": "<<loop.index>>"},
        )
    ),
    "the loop before the round": steps(loop({"name": "A"}, **{"while": "loop.index < 2 and not A.done"})),
    "the item of a map": steps(
        {
            "name": "Each",
            "kind": "map",
            "items": "$.input.list[*]",
            "as": "hit",
            "steps": listed({"name": "A", "inputMapping": {"a": "<<item>> <<context.hit.url>> <<loop.index>>"}}),
        }
    ),
    "the error of a handler": steps(
        {
            "name": "A",
            **caught({"as": "it", "steps": listed({"name": "H", "inputMapping": {"a": "<<error.code>> <<it.code>>"}})}),
        }
    ),
    "the error of the execution": steps(
        {"name": "A"}, onFailure=listed({"name": "B", "inputMapping": {"a": "<<error.step>> <<context.A>>"}})
    ),
    "all at the end": steps(
        {"name": "A"},
        onFailure=listed({"name": "B"}),
        **{"finally": listed({"name": "C", "inputMapping": {"a": "<<A>> <<B>> <<steps.A.output>>"}})},
    ),
    "what is undone": steps(
        {"name": "A", "compensate": listed({"name": "U", "inputMapping": {"a": "<<step.output.id>> <<context.A>>"}})}
    ),
    "the item of what is undone": steps(
        {
            "name": "Each",
            "kind": "map",
            "items": [1],
            "steps": listed({"name": "A", "compensate": listed({"name": "U", "inputMapping": {"a": "<<item>>"}})}),
        }
    ),
    "the execution": steps({"name": "A", "inputMapping": {"a": "<<execution.id>> <<execution.startedAt>>"}}),
    "keys that are merged": steps(
        {"name": "A", "parallelGroup": "g", "outputMapping": {"k": 1}},
        {"name": "B", "parallelGroup": "g", "outputMapping": {"k": 2}},
        groups={"g": {"merge": {"k": "append"}}},
    ),
    "keys in two maps": steps(
        *(
            {
                "name": f"M{at}",
                "kind": "map",
                "items": [1],
                "parallelGroup": "g",
                "steps": listed({"name": f"A{at}", "outputMapping": {"k": 1}}),
            }
            for at in (1, 2)
        )
    ),
    "a literal of keys": steps(
        {"name": "A", "outputMapping": {"$literal": {"k": 1}}}, {"name": "B", "inputMapping": {"a": "<<context.k>>"}}
    ),
}


@pytest.mark.parametrize("document", SEEN_INSIDE.values(), ids=SEEN_INSIDE)
def test_a_step_may_read_what_is_there_at_its_place(document: JsonObject) -> None:
    assert codes(document) == []


NOT_SEEN: dict[str, tuple[JsonObject, str]] = {
    "the output before, in a body": (
        steps({"name": "A"}, loop({"name": "B", "inputMapping": {"a": "<<output>>"}})),
        "/steps/1/steps/0/inputMapping",
    ),
    "what a loop writes, before it": (
        steps({"name": "A", "inputMapping": {"a": "<<B>>"}}, loop({"name": "B"})),
        "/steps/0/inputMapping",
    ),
    "what comes later in the round": (
        steps(loop({"name": "A", "inputMapping": {"a": "<<B>>"}}, {"name": "B"})),
        "/steps/0/steps/0/inputMapping",
    ),
    "another case": (
        steps(
            branch(
                {"when": "input.a"},
                {"when": "input.b", "steps": listed({"name": "B", "inputMapping": {"a": "<<C0>>"}})},
            )
        ),
        "/steps/0/cases/1/steps/0/inputMapping",
    ),
    "its own body, in what it writes": (
        steps(loop({"name": "A"}, outputMapping={"a": "<<A>>"})),
        "/steps/0/outputMapping",
    ),
    "the loop, after it": (
        steps(loop({"name": "A"}), {"name": "B", "condition": "loop.index > 1"}),
        "/steps/1/condition",
    ),
    "what undoing writes": (
        steps({"name": "A", "compensate": listed({"name": "U"})}, {"name": "B", "inputMapping": {"a": "<<U>>"}}),
        "/steps/1/inputMapping",
    ),
    "the input of what is undone": (
        steps({"name": "A", "compensate": listed({"name": "U", "inputMapping": {"a": "<<step.input>>"}})}),
        "/steps/0/compensate/0/inputMapping",
    ),
    "what comes out, in an idempotency key": (
        steps({"name": "A", "kind": "tool", "tool": "files.read", "idempotencyKey": "<<output>>"}),
        "/steps/0/idempotencyKey",
    ),
}


@pytest.mark.parametrize(("document", "path"), NOT_SEEN.values(), ids=NOT_SEEN)
def test_a_step_may_not_read_what_is_not_there_at_its_place(document: JsonObject, path: str) -> None:
    assert codes(document) == [("UNKNOWN_REFERENCE", path)]


def test_what_keeps_to_a_map_is_explained() -> None:
    document = steps(
        {"name": "Each", "kind": "map", "items": [1], "steps": listed({"name": "Hit"})},
        {"name": "B", "inputMapping": {"a": "<<context.Hit>>"}},
    )

    (problem,) = check(document, CATALOG).problems

    said = "context.Hit: 'Hit' is written inside the map 'Each', whose items keep it to themselves"
    assert problem.message == said


def test_a_kind_without_a_performer_is_checked_like_any_other() -> None:
    step: JsonObject = {"name": "A", "kind": "approval", "assignees": {"roles": ["Boss"]}, "form": {"type": "objekt"}}

    (schema, performer) = check(steps(step), CATALOG).problems

    assert (schema.code, schema.path) == ("SCHEMA_INVALID", "/steps/0/form/type")
    assert (performer.code, performer.message) == (
        "NO_PERFORMER",
        "no performer for kind 'approval' on this server",
    )
