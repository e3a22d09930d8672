"""The reference of the language says what is the case: each example is executed, each number compared."""

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from services import catalog
from services.definitions import document as documents
from services.definitions import yaml12
from services.definitions.codes import CODES
from services.definitions.document import (
    DEFAULT_CONCURRENCY,
    DEFAULT_ITEMS,
    DEFAULT_TIMEOUT,
    FIELDS_OF_KIND,
    KINDS,
    Budget,
    Cache,
    Case,
    Catch,
    Defaults,
    Document,
    Group,
    Limits,
    Retry,
    Step,
    Tolerance,
    as_json,
    default_of,
)
from services.definitions.kinds import NEEDS
from services.engine.attempts import MAX_OUTPUT_BYTES
from services.engine.orders import MAX_SIGNAL_BYTES
from services.executions.signalling import MAX_ALL_SIGNALS_BYTES, MAX_SIGNALS
from services.expressions import (
    FILTERS,
    FUNCTIONS,
    MISSING,
    OPERATORS,
    EvaluationError,
    ExpressionError,
    compile_condition,
    compile_expression,
    compile_jsonpath,
    compile_template,
    conditions,
    filters,
    functions,
    jsonpath,
    jsonpath_syntax,
    parse_path,
    paths,
    syntax,
    tags,
)
from services.failure import RETRYABLE
from services.json import Json
from services.steps.agents.calling import DEFAULT_MAX_TOOL_CALLS
from services.steps.agents.dialogue import DEFAULT_MAX_TURNS
from tests.docs.markdown import Row, blocks, rows

PAGE = "definition.md"
LANGUAGES = ("path", "template", "JSONPath", "condition", "expression")
(DATA,) = [block.value for block in blocks(PAGE, "json") if block.word == "data"]
assert isinstance(DATA, dict)
# What holds where a field is left out that only some kinds have.
EFFECTIVE = {
    "maxTurns": str(DEFAULT_MAX_TURNS), "maxToolCalls": str(DEFAULT_MAX_TOOL_CALLS),
    "onLimit": '"complete"', "maxItems": str(DEFAULT_ITEMS),
    "maxConcurrency": str(DEFAULT_CONCURRENCY), "onItemError": '"fail"', "code": '"FAILED"', "quorum": "1",
    "onExpire": '"fail"', "onReject": '"fail"', "method": '"POST"', "wait": "true",
    "timeout": str(DEFAULT_TIMEOUT),
}  # fmt: skip
_GROUP = get_type_hints(Group)
_STEP_SCHEMA = msgspec.json.schema(Step)["$defs"]["Step"]["properties"]


def examples(outcome: str) -> list[Any]:
    """The rows of the tables that say what an example gives, or how it fails."""
    return [
        pytest.param(language, row.cells[language], row.cells[outcome], id=f"line {row.line}")
        for language in LANGUAGES
        for row in rows(PAGE, language, outcome)
    ]


def compiled(language: str, text: str) -> Any:
    """The example, compiled."""
    match language:
        case "path":
            return parse_path(text)
        case "template":
            # One that is not a text stands there as JSON.
            is_json = text.startswith('{"')
            return compile_template(msgspec.json.decode(text) if is_json else text, jsonpath=True)
        case "JSONPath":
            return compile_jsonpath(text)
        case "condition":
            return compile_condition(msgspec.json.decode(text))
        case _:
            return compile_expression(text)


def evaluated(language: str, text: str) -> Json:
    """What the example gives over the data of the page."""
    example = compiled(language, text)
    methods = {"path": "resolve", "template": "render", "JSONPath": "find", "condition": "test"}
    value = getattr(example, methods.get(language, "evaluate"))(DATA)
    assert value is not MISSING
    return value


@pytest.mark.parametrize(("language", "text", "expected"), examples("gives"))
def test_an_example_gives_what_it_says(language: str, text: str, expected: str) -> None:
    value = evaluated(language, text)

    wanted = yaml12.read(f"[{expected}]")
    assert msgspec.json.encode([value], order="sorted") == msgspec.json.encode(wanted, order="sorted")


@pytest.mark.parametrize(("language", "text", "code"), examples("refused with"))
def test_a_refused_example_is_refused_with_its_code(language: str, text: str, code: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        compiled(language, text)

    assert refusal.value.code == code


@pytest.mark.parametrize(("language", "text", "code"), examples("fails with"))
def test_a_failing_example_compiles_and_fails_with_its_code(language: str, text: str, code: str) -> None:
    example = compiled(language, text)

    with pytest.raises(EvaluationError) as failure:
        evaluated(language, text)

    assert example is not None
    assert failure.value.code == code


def test_there_are_examples_of_every_language() -> None:
    shown = {language: len(rows(PAGE, language, "gives")) for language in LANGUAGES}

    assert min(shown.values()) >= 9, shown


@pytest.mark.parametrize(
    ("heading", "struct", "apart"),
    [
        ("document", Document, {}),
        ("step", Step, EFFECTIVE | {"roleId": "classic", "stepType": "classic"}),
        ("case", Case, {}),
        ("tolerate", Tolerance, {}),
        ("group", Group, {}),
        ("retry", Retry, {}),
        ("defaults", Defaults, {}),
        ("handler", Catch, {}),
        ("limits", Limits, {}),
        ("budget", Budget, {}),
        ("cache", Cache, {}),
    ],
)
def test_each_field_is_described_with_its_default(
    heading: str, struct: type[msgspec.Struct], apart: dict[str, str]
) -> None:
    told = {row.cells[heading]: row.cells["default"] for row in rows(PAGE, heading, "default")}

    fields = {field.encode_name: _default(field) for field in msgspec.structs.fields(struct)}
    assert told == {**fields, **apart}


def test_a_field_of_two_kinds_is_described_alike() -> None:
    told = {(row.cells["step"], row.cells["default"]) for row in rows(PAGE, "step", "default")}

    assert len(told) == len({name for name, _ in told})


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = default_of(field)
    shown = as_json(value) if isinstance(value, msgspec.Struct) else value
    return "its place in the list" if field.name == "order" else msgspec.json.encode(shown).decode()


def test_each_kind_is_described_with_its_fields() -> None:
    told = {row.cells["kind"]: (_words(row.cells["needs"]), _words(row.cells["may have"])) for row in _kinds()}

    needs = {kind: set(NEEDS.get(kind, ())) for kind in KINDS}
    fields = {name: kinds for name, kinds in FIELDS_OF_KIND.items() if name not in _shared()}
    assert told == {
        kind: (needs[kind], {name for name, kinds in fields.items() if kind in kinds} - needs[kind]) for kind in KINDS
    }


def test_each_field_of_several_kinds_is_told() -> None:
    told = {name: row.cells["of the kinds"] for row in rows(PAGE, "fields", "of the kinds") for name in _fields(row)}

    for name in _shared() - {"roleId"}:
        kinds = {kind for kind in KINDS if f"`{kind}`" in told[name]}
        if told[name].startswith("all but"):
            kinds = set(KINDS) - kinds
        if told[name].startswith("the same"):
            kinds = {kind for kind in KINDS if f"`{kind}`" in told["inputMapping"]} - kinds
        assert kinds == set(FIELDS_OF_KIND[name]), name


def test_the_kinds_that_nothing_performs_are_named() -> None:
    told = {row.cells["kind"]: row.cells["here"] for row in _kinds()}

    assert {kind for kind, here in told.items() if here != "no"} == catalog.KINDS


def _kinds() -> list[Row]:
    return rows(PAGE, "kind", "needs")


def _shared() -> set[str]:
    """The fields that many kinds have; what a model is told is not among them."""
    of_many = {name for name, kinds in FIELDS_OF_KIND.items() if len(kinds) > 4}
    return of_many | {"roleId"}


def _fields(row: Row) -> set[str]:
    return _words(row.cells["fields"])


def _words(cell: str) -> set[str]:
    return {word.strip("` ") for word in cell.split(",")} - {""}


@pytest.mark.parametrize(
    ("heading", "meaning", "choices"),
    [
        ("join", "fails when", get_args(_GROUP["join"])),
        ("merge", "the key is then", get_args(get_args(_GROUP["merge"])[1])),
        ("onError", "then", ("fail", "continue", "{default: …}", "{catch: […]}")),
    ],
)
def test_each_choice_has_a_row(heading: str, meaning: str, choices: tuple[str, ...]) -> None:
    assert [row.cells[heading] for row in rows(PAGE, heading, meaning)] == list(choices)


@pytest.mark.parametrize(
    ("heading", "names"), [("operator", OPERATORS), ("filter", FILTERS), ("function", tuple(FUNCTIONS))]
)
def test_each_name_of_the_language_has_a_row(heading: str, names: tuple[str, ...]) -> None:
    assert [row.cells[heading] for row in rows(PAGE, heading, "gives")] == list(names)


def test_the_failures_are_tried_again_as_it_says() -> None:
    told = {row.cells["failure"]: row.cells["tried again"] for row in rows(PAGE, "failure", "tried again")}

    assert told.pop("CHILD_FAILED") == "as the child's"
    assert told == {code: "yes" if code in RETRYABLE else "no" for code in told}


def test_each_problem_has_a_row() -> None:
    assert {row.cells["problem"] for row in rows(PAGE, "problem", "the document")} == CODES


def test_the_limits_are_those_of_the_code() -> None:
    told = {row.cells["limit"]: int(row.cells["value"].replace(",", "")) for row in rows(PAGE, "limit", "value")}

    assert MAX_OUTPUT_BYTES == documents.MAX_CONTEXT_BYTES
    assert told == {
        "bytes of a file": yaml12.MAX_BYTES,
        "bytes of a file of JSON": yaml12.MAX_JSON_BYTES,
        "levels of nesting in a file": yaml12.MAX_DEPTH,
        "steps of a document, those in others counted": documents.MAX_STEPS,
        "steps in steps, levels": documents.MAX_NESTING,
        "children in children, levels": documents.MAX_CHILD_DEPTH,
        "orchestrations that one calls, those that they call counted": documents.MAX_CALLED,
        "members of a group": documents.MAX_FAN_OUT,
        "step runs, the bound": documents.MAX_STEP_RUNS,
        "iterations of a loop": _most("maxIterations"),
        "items of a map": _most("maxItems"),
        "bytes of the context, and of one output": MAX_OUTPUT_BYTES,
        "bytes of the data of one signal": MAX_SIGNAL_BYTES,
        "bytes of all signals to one execution": MAX_ALL_SIGNALS_BYTES,
        "signals to one execution": MAX_SIGNALS,
        "bytes of one resolved mapping": filters.MAX_OUTPUT_BYTES,
        "characters of a path": paths.MAX_PATH,
        "characters of a tag": tags.MAX_TAG,
        "tags of a text": tags.MAX_OPENERS,
        "filters of a tag": tags.MAX_FILTERS,
        "characters of a JSONPath": jsonpath_syntax.MAX_QUERY,
        "values that one JSONPath selects": jsonpath.MAX_RESULTS,
        "nested conditions": conditions.MAX_DEPTH,
        "characters of an expression": syntax.MAX_CHARACTERS,
        "parts of an expression": syntax.MAX_NODES,
        "characters of a text that an expression makes": functions.MAX_TEXT,
    }


def _most(field: str) -> int:
    """The most that a field of a step may say."""
    (number,) = (choice for choice in _STEP_SCHEMA[field]["anyOf"] if "maximum" in choice)
    return number["maximum"]
