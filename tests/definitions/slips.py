"""One document for each way of going wrong, with the problem it has and the patch that mends it."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from services.catalog import KINDS
from services.definitions.catalog import Callee, Catalog
from services.definitions.document import MAX_FAN_OUT, MAX_NESTING, MAX_STEPS
from services.json import Json, JsonObject

READER = UUID("019a0000-0000-7000-8000-000000000001")
CATALOG = Catalog(
    roles={"Reader": READER, "Writer": UUID(int=2)},
    tools=frozenset({"files.list", "files.read"}),
    tagged={"meta": frozenset({"system.create_role"})},
    kinds=KINDS,
    orchestrations={
        "billing": Callee(frozenset({"mailing"})),
        "mailing": Callee(frozenset({"flow"})),
        "archive": Callee(),
    },
)
CLOSED: JsonObject = {"type": "object", "properties": {"topic": {}}, "additionalProperties": False}


class Slip(NamedTuple):
    """A document with this problem, and maybe others that follow from it, and what mends it; empty if nothing does."""

    document: Json
    code: str
    path: str
    patch: list[dict[str, Any]]


def steps(*given: Mapping[str, Json], **document: Json) -> JsonObject:
    return {"name": "flow", "steps": listed(*given), **document}


def listed(*given: Mapping[str, Json]) -> list[Json]:
    """The steps; those that do not say what they are give back an empty object."""
    return [step if "kind" in step else {"kind": "transform", "inputMapping": {}, **step} for step in map(dict, given)]


def loop(*given: Mapping[str, Json], **fields: Json) -> JsonObject:
    """A loop that holds these steps."""
    return {"name": "Loop", "kind": "loop", "maxIterations": 2, "steps": listed(*given), **fields}


def nested(levels: int) -> JsonObject:
    """A group that holds a group, and so on."""
    inner: JsonObject = {"name": "Innermost", "kind": "transform", "inputMapping": {}}
    for level in range(levels):
        inner = {"name": f"G{level}", "kind": "group", "steps": [inner]}
    return inner


def deep(levels: int) -> Json:
    """A list in a list, and so on."""
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


def branch(*cases: Mapping[str, Json], **fields: Json) -> JsonObject:
    """A branch of these cases, each with a step."""
    named = [{"name": f"c{at}", "steps": listed({"name": f"C{at}"}), **case} for at, case in enumerate(cases)]
    return {"name": "Branch", "kind": "branch", "cases": [*named], **fields}


def caught(*handlers: Mapping[str, Json], **fields: Json) -> JsonObject:
    """What catches failures, each of the handlers with a step."""
    given = [{"steps": listed({"name": f"H{at}"}), **handler} for at, handler in enumerate(handlers)]
    return {"onError": {"catch": [*given], **fields}}


def add(path: str, value: Json) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def replace(path: str, value: Json) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def move(source: str, path: str) -> dict[str, Any]:
    return {"op": "move", "from": source, "path": path}


def _wrong(field: str, value: Json, *patch: dict[str, Any], path: str = "") -> Slip:
    document = steps({"name": "A", "kind": "agent", "roleName": "Reader", field: value})
    return Slip(document, "WRONG_VALUE", f"/steps/0/{field}{path}", list(patch))


def _reading(value: Json, *patch: dict[str, Any], field: str = "inputMapping") -> Slip:
    """The third of four steps reads a name that is not there; First, plan and Second are."""
    document = steps(
        {"name": "First", "outputMapping": {"plan": 1, "Search A": 2}},
        {"name": "Second"},
        {"name": "Third", field: value},
        {"name": "Later"},
        input=CLOSED,
    )
    return Slip(document, "UNKNOWN_REFERENCE", f"/steps/2/{field}", list(patch))


def _unparsable(code: str, field: str, value: Json, inside: str, *patch: dict[str, Any]) -> Slip:
    return Slip(steps({"name": "A", field: value}), code, f"/steps/0/{field}{inside}", list(patch))


def _group(*between: Mapping[str, Json], **last: Json) -> JsonObject:
    return steps({"name": "A", "parallelGroup": "g"}, *between, {"name": "C", "parallelGroup": "g", **last})


_FIELDS: dict[str, Slip] = {
    "no document": Slip([], "WRONG_VALUE", "", []),
    "no name": Slip({"steps": [{"name": "A", "roleName": "Reader"}]}, "REQUIRED", "", []),
    "no steps": Slip({"name": "flow", "steps": []}, "REQUIRED", "/steps", []),
    "steps that are one step": Slip(
        {"name": "flow", "steps": {"name": "A", "roleName": "Reader"}},
        "WRONG_VALUE",
        "/steps",
        [replace("/steps", [{"name": "A", "roleName": "Reader"}])],
    ),
    "steps that are no list": Slip({"name": "flow", "steps": 3}, "WRONG_VALUE", "/steps", []),
    "a step that is no object": Slip({"name": "flow", "steps": ["A"]}, "WRONG_VALUE", "/steps/0", []),
    "a misspelt field": Slip(
        {**steps({"name": "A"}), "descripton": "x"},
        "UNKNOWN_FIELD",
        "/descripton",
        [move("/descripton", "/description")],
    ),
    "a misspelt classic field": Slip(
        {"name": "flow", "steps": [{"name": "A", "roleID": str(READER)}]},
        "UNKNOWN_FIELD",
        "/steps/0/roleID",
        [move("/steps/0/roleID", "/steps/0/roleId")],
    ),
    "a misspelt field beside the right one": Slip(
        {**steps({"name": "A"}), "tag": ["x"], "tags": []}, "UNKNOWN_FIELD", "/tag", [remove("/tag")]
    ),
    "a field that nothing reads": Slip(
        steps({"name": "A", "a/b": 1}), "UNKNOWN_FIELD", "/steps/0/a~1b", [remove("/steps/0/a~1b")]
    ),
    "a misspelt kind": _wrong("kind", "Agnet", replace("/steps/0/kind", "agent")),
    "a kind that is none": _wrong("kind", "quantum"),
    "a number too large": _wrong("maxRetries", 99, replace("/steps/0/maxRetries", 19)),
    "a number too small": _wrong("retryDelay", -1, replace("/steps/0/retryDelay", 0)),
    "no time at all": _wrong("timeout", 0, remove("/steps/0/timeout")),
    "a number as a text": _wrong("timeout", "5000", replace("/steps/0/timeout", 5000)),
    "a number as a text, too large": _wrong("maxTurns", "1000", replace("/steps/0/maxTurns", 100)),
    "a whole number with a point": _wrong("maxRetries", 2.0, replace("/steps/0/maxRetries", 2)),
    "half a retry": _wrong("maxRetries", 2.5),
    "null for a default": _wrong("maxRetries", None, remove("/steps/0/maxRetries")),
    "a list as a text": _wrong(
        "tools", "files.read, files.list", replace("/steps/0/tools", ["files.read", "files.list"])
    ),
    "a number for a text": _wrong("prompt", 7, replace("/steps/0/prompt", "7")),
    "a text for an object": _wrong("outputMapping", "<<output>>"),
    "a name with what names cannot hold": _wrong("name", "9 Ü/b (neu)", replace("/steps/0/name", "U b neu")),
    "a name of nothing else": _wrong("name", "日本"),
    "a tag that is no name": Slip(
        steps({"name": "A"}, tags=["x", "#y"]), "WRONG_VALUE", "/tags/1", [replace("/tags/1", "y")]
    ),
    "a misspelt step type": _wrong("stepType", "sequental", replace("/steps/0/stepType", "sequential")),
    "a step type that is none": _wrong("stepType", 5),
    "parallel without a group": Slip(
        steps({"name": "A", "stepType": "parallel"}), "REQUIRED", "/steps/0", [remove("/steps/0/stepType")]
    ),
    "conditional without a condition": Slip(
        steps({"name": "A", "stepType": "conditional"}), "REQUIRED", "/steps/0", []
    ),
    "a field of another kind": Slip(
        steps({"name": "A", "tool": "files.read"}), "FIELD_OF_OTHER_KIND", "/steps/0/tool", [remove("/steps/0/tool")]
    ),
    "a role id of another kind": Slip(
        steps({"name": "A", "roleId": str(READER)}),
        "FIELD_OF_OTHER_KIND",
        "/steps/0/roleId",
        [remove("/steps/0/roleId")],
    ),
    "a kind that its field says": Slip(
        {"name": "flow", "steps": [{"name": "A", "tool": "files.read"}]},
        "FIELD_OF_OTHER_KIND",
        "/steps/0/tool",
        [add("/steps/0/kind", "tool")],
    ),
}

_INSIDE: dict[str, Slip] = {
    "a misspelt field in a step in a step": Slip(
        steps({"name": "A"}, loop({"name": "B", "kind": "llm", "roleNam": "Reader"})),
        "UNKNOWN_FIELD",
        "/steps/1/steps/0/roleNam",
        [move("/steps/1/steps/0/roleNam", "/steps/1/steps/0/roleName")],
    ),
    "a wrong name in a case": Slip(
        steps(branch({"when": True, "steps": listed({"name": "A"}, {"name": "9"}, {"name": "1 b"})})),
        "WRONG_VALUE",
        "/steps/0/cases/0/steps/2/name",
        [replace("/steps/0/cases/0/steps/2/name", "b")],
    ),
    "a misspelt role in an else": Slip(
        steps(branch({"when": "input.a"}, **{"else": listed({"name": "B", "kind": "llm", "roleName": "Raeder"})})),
        "UNKNOWN_ROLE",
        "/steps/0/else/0/roleName",
        [replace("/steps/0/else/0/roleName", "Reader")],
    ),
    "a misspelt field of a handler": Slip(
        steps({"name": "A", **caught({"erors": ["TIMEOUT"]})}),
        "UNKNOWN_FIELD",
        "/steps/0/onError/catch/0/erors",
        [move("/steps/0/onError/catch/0/erors", "/steps/0/onError/catch/0/errors")],
    ),
    "a handler that is a step": Slip(
        steps({"name": "A", "onError": {"catch": [{"steps": {"name": "B", "roleName": "Reader"}}]}}),
        "WRONG_VALUE",
        "/steps/0/onError/catch/0/steps",
        [replace("/steps/0/onError/catch/0/steps", [{"name": "B", "roleName": "Reader"}])],
    ),
    "one handler for handlers": Slip(
        steps({"name": "A", "onError": {"catch": {"steps": listed({"name": "B"})}}}),
        "WRONG_VALUE",
        "/steps/0/onError/catch",
        [replace("/steps/0/onError/catch", [{"steps": listed({"name": "B"})}])],
    ),
    "a case that is none": Slip(
        steps({"name": "A", "kind": "branch", "cases": ["b"]}), "WRONG_VALUE", "/steps/0/cases/0", []
    ),
    "a misspelt way to go on": _wrong("onError", "contine", replace("/steps/0/onError", "continue")),
    "a misspelt part of a retry": Slip(
        steps({"name": "A", "kind": "llm", "roleName": "Reader", "retry": {"backof": "linear"}}),
        "UNKNOWN_FIELD",
        "/steps/0/retry/backof",
        [move("/steps/0/retry/backof", "/steps/0/retry/backoff")],
    ),
    "a code that is none": _wrong("retry", {"errors": ["TIMEOUT", "too slow"]}, path="/errors/1"),
    "no limits": Slip(steps({"name": "A"}, limits=None), "WRONG_VALUE", "/limits", [remove("/limits")]),
    "a price as a number": Slip(
        steps({"name": "A"}, limits={"maxCostUsd": 2.5}),
        "WRONG_VALUE",
        "/limits/maxCostUsd",
        [replace("/limits/maxCostUsd", "2.5")],
    ),
    "a group of no name": Slip(
        steps({"name": "A", "parallelGroup": "g"}, groups={"#g": {}}),
        "WRONG_VALUE",
        "/groups/#g",
        [move("/groups/#g", "/groups/g")],
    ),
    "a misspelt join": Slip(
        steps({"name": "A", "parallelGroup": "g"}, groups={"g": {"join": "al"}}),
        "WRONG_VALUE",
        "/groups/g/join",
        [replace("/groups/g/join", "all")],
    ),
    "null for no steps": Slip(
        steps({"name": "A"}, onFailure=None), "WRONG_VALUE", "/onFailure", [remove("/onFailure")]
    ),
    "a loop by its type and no loop by its kind": _wrong("stepType", "loop", remove("/steps/0/stepType")),
    "a field of another kind at the end": Slip(
        steps({"name": "A"}, **{"finally": listed({"name": "B", "maxRetries": 1})}),
        "FIELD_OF_OTHER_KIND",
        "/finally/0/maxRetries",
        [remove("/finally/0/maxRetries")],
    ),
    "a loop by its fields": Slip(
        {"name": "flow", "steps": [{"name": "A", "maxIterations": 2, "steps": listed({"name": "B"})}]},
        "FIELD_OF_OTHER_KIND",
        "/steps/0/maxIterations",
        [add("/steps/0/kind", "loop")],
    ),
}

_TOGETHER: dict[str, Slip] = {
    **{
        f"no {field}": Slip(steps({"name": "A", **step}), "REQUIRED", path, patch)
        for field, step, path, patch in [
            ("iterations", {**loop({"name": "B"}), "maxIterations": None}, "/steps/0", []),
            ("body", {"kind": "group"}, "/steps/0", []),
            ("items", {"kind": "map", "steps": listed({"name": "B"})}, "/steps/0", []),
            ("cases", {"kind": "branch"}, "/steps/0", []),
            ("time to wait for", {"kind": "wait"}, "/steps/0", []),
            (
                "language",
                {"kind": "code", "source": "1"},
                "/steps/0",
                [add("/steps/0/language", "python")],
            ),
            ("assignees", {"kind": "approval"}, "/steps/0", []),
            ("somebody to decide", {"kind": "approval", "assignees": {"notInitiator": True}}, "/steps/0/assignees", []),
            ("direction", {"kind": "webhook"}, "/steps/0", []),
            ("address", {"kind": "webhook", "direction": "send"}, "/steps/0", []),
            ("orchestration", {"kind": "orchestration"}, "/steps/0", []),
            ("way for a case", branch({}), "/steps/0/cases/0", []),
            ("steps of a case", branch({"when": "input.a", "steps": []}), "/steps/0/cases/0/steps", []),
            ("fallback", {"kind": "wait", "forMs": 1, "onError": {}}, "/steps/0/onError", []),
            ("handler", {"kind": "wait", "forMs": 1, "onError": {"catch": []}}, "/steps/0/onError/catch", []),
            (
                "steps of a handler",
                {"kind": "wait", "forMs": 1, **caught({"steps": []})},
                "/steps/0/onError/catch/0/steps",
                [],
            ),
            (
                "errors of a handler",
                {"kind": "wait", "forMs": 1, **caught({"errors": []})},
                "/steps/0/onError/catch/0/errors",
                [remove("/steps/0/onError/catch/0/errors")],
            ),
        ]
    },
    **{
        what: Slip(steps({"name": "A", **step}), "FIELD_CONFLICT", f"/steps/0/{path}", patch)
        for what, step, path, patch in [
            ("until and while", loop({"name": "B"}, until="loop.index > 1", **{"while": True}), "while", []),
            ("two times to wait for", {"kind": "wait", "forMs": 1, "until": "<<input.at>>"}, "until", []),
            (
                "a match of no event",
                {"kind": "wait", "forMs": 1, "match": True},
                "match",
                [remove("/steps/0/match")],
            ),
            (
                "a tolerance of nothing",
                {"kind": "map", "items": [1], "steps": listed({"name": "B"}), "tolerate": {"count": 1}},
                "tolerate",
                [remove("/steps/0/tolerate")],
            ),
            ("a condition and a weight", branch({"when": "input.a", "weight": 1}), "cases/0/when", []),
            ("a weight among conditions", branch({"when": "input.a"}, {"weight": 1}), "cases/1/weight", []),
            (
                "a split of no weights",
                branch({"when": "input.a"}, splitBy="<<input.a>>"),
                "splitBy",
                [remove("/steps/0/splitBy")],
            ),
            (
                "a default and handlers",
                {"kind": "wait", "forMs": 1, **caught({}, default=1)},
                "onError/default",
                [],
            ),
            (
                "context keys beside a mapping",
                {"contextKeys": ["input"], "kind": "llm", "roleName": "Reader", "inputMapping": {}},
                "contextKeys",
                [remove("/steps/0/contextKeys")],
            ),
            (
                "a method to receive",
                {"kind": "webhook", "direction": "receive", "method": "PUT"},
                "method",
                [remove("/steps/0/method")],
            ),
        ]
    },
    "a case after one that always holds": Slip(
        steps(branch({"when": True}, {"when": "input.a"})),
        "UNREACHABLE_CASE",
        "/steps/0/cases/1",
        [remove("/steps/0/cases/1")],
    ),
    "an else after a case that always holds": Slip(
        steps(branch({"when": True}, **{"else": listed({"name": "B"})})),
        "UNREACHABLE_CASE",
        "/steps/0/else",
        [remove("/steps/0/else")],
    ),
    "an else of weights": Slip(
        steps(branch({"weight": 1}, **{"else": listed({"name": "B"})})),
        "UNREACHABLE_CASE",
        "/steps/0/else",
        [remove("/steps/0/else")],
    ),
    "a case twice": Slip(
        steps(branch({"when": "input.a", "name": "c"}, {"when": "input.b", "name": "c"})),
        "DUPLICATE_NAME",
        "/steps/0/cases/1/name",
        [],
    ),
    "a handler after one for everything": Slip(
        steps({"name": "A", **caught({}, {"errors": ["TIMEOUT"]})}),
        "UNREACHABLE_HANDLER",
        "/steps/0/onError/catch/1",
        [remove("/steps/0/onError/catch/1")],
    ),
    "an output mapping that gives anything": Slip(
        steps({"name": "A", "outputMapping": {"$expr": "output.a"}}),
        "MAPPING_INVALID",
        "/steps/0/outputMapping",
        [replace("/steps/0/outputMapping", {"A": {"$expr": "output.a"}})],
    ),
    "an output mapping that gives a number": Slip(
        steps({"name": "A", "outputMapping": {"$literal": 3}}),
        "MAPPING_INVALID",
        "/steps/0/outputMapping",
        [replace("/steps/0/outputMapping", {"A": {"$literal": 3}})],
    ),
    "items that are no list": Slip(
        steps({"name": "A", "kind": "map", "items": {"a": 1}, "steps": listed({"name": "B"})}),
        "WRONG_VALUE",
        "/steps/0/items",
        [],
    ),
    "a time that is none": Slip(
        steps({"name": "A", "kind": "wait", "until": "tomorrow"}), "WRONG_VALUE", "/steps/0/until", []
    ),
    "a duration as a text": Slip(
        steps({"name": "A", "kind": "wait", "forMs": "500"}),
        "WRONG_VALUE",
        "/steps/0/forMs",
        [replace("/steps/0/forMs", 500)],
    ),
    **{
        what: Slip(
            steps(
                {"name": "A", "parallelGroup": "g", "outputMapping": {"total": 1}},
                {"name": "B", "parallelGroup": "g"},
                groups={name: settings},
            ),
            code,
            path,
            patch,
        )
        for what, name, settings, code, path, patch in [
            ("a misspelt group", "G", {}, "UNKNOWN_GROUP", "/groups/G", [move("/groups/G", "/groups/g")]),
            ("a group of nobody", "search", {}, "UNKNOWN_GROUP", "/groups/search", [remove("/groups/search")]),
            ("some of a group", "g", {"join": "n_of"}, "REQUIRED", "/groups/g", []),
            (
                "more than a group",
                "g",
                {"join": "n_of", "n": 3},
                "GROUP_TOO_SMALL",
                "/groups/g/n",
                [replace("/groups/g/n", 2)],
            ),
            (
                "more successes than members",
                "g",
                {"join": "all_settled", "minSuccess": 3},
                "GROUP_TOO_SMALL",
                "/groups/g/minSuccess",
                [replace("/groups/g/minSuccess", 2)],
            ),
            ("a number for all", "g", {"n": 2}, "FIELD_CONFLICT", "/groups/g/n", [remove("/groups/g/n")]),
            (
                "a misspelt key to merge",
                "g",
                {"merge": {"totl": "append"}},
                "UNKNOWN_REFERENCE",
                "/groups/g/merge/totl",
                [move("/groups/g/merge/totl", "/groups/g/merge/total")],
            ),
        ]
    },
}

_NAMES: dict[str, Slip] = {
    "a name twice": Slip(
        steps({"name": "A"}, {"name": "A 2"}, {"name": "A"}),
        "DUPLICATE_NAME",
        "/steps/2/name",
        [replace("/steps/2/name", "A 3")],
    ),
    "a name of the data": Slip(
        steps(
            {"name": "output"},
            {
                "name": "B",
                "condition": "context.output.ok and output.ok",
                "inputMapping": {
                    "a": "<<context.output.text>> of <<output>>",
                    "b": "$.context.output.text",
                    "c": ["<<steps.output.status>>", {"$literal": "<<context.output>>"}],
                },
            },
            output={"it": "{{ context.output }}"},
        ),
        "RESERVED_NAME",
        "/steps/0/name",
        [
            replace("/steps/0/name", "Output"),
            replace("/steps/1/condition", "context.Output.ok and output.ok"),
            replace("/steps/1/inputMapping/a", "<<context.Output.text>> of <<output>>"),
            replace("/steps/1/inputMapping/b", "$.context.Output.text"),
            replace("/steps/1/inputMapping/c/0", "<<steps.Output.status>>"),
            replace("/output/it", "{{ context.Output }}"),
        ],
    ),
    "input for a name": Slip(
        steps({"name": "input"}, {"name": "B", "inputMapping": {"a": "<<context.input>>"}}),
        "RESERVED_NAME",
        "/steps/0/name",
        [replace("/steps/0/name", "Input")],
    ),
    "one order for two": Slip(
        steps({"name": "B", "order": 1}, {"name": "A", "order": 1}, {"name": "C", "order": 5}),
        "ORDER_CONFLICT",
        "/steps/1/order",
        [add("/steps/1/order", 2)],
    ),
    "one order for two, and no room": Slip(
        steps(
            {"name": "A", "order": 0},
            {"name": "B", "order": 0},
            {"name": "C", "parallelGroup": "g", "order": 1},
            {"name": "D", "parallelGroup": "g", "order": 1},
        ),
        "ORDER_CONFLICT",
        "/steps/1/order",
        [add("/steps/1/order", 1), add("/steps/2/order", 2), add("/steps/3/order", 2)],
    ),
    "one order for two, and none above": Slip(
        steps({"name": "A", "order": 1_000_000}, {"name": "B", "order": 1_000_000}),
        "ORDER_CONFLICT",
        "/steps/1/order",
        [],
    ),
    "a step inside a group": Slip(
        _group({"name": "B"}), "GROUP_NOT_CONTIGUOUS", "/steps/2/parallelGroup", [move("/steps/2", "/steps/1")]
    ),
    "a step inside a group with orders": Slip(
        steps(
            {"name": "A", "parallelGroup": "g", "order": 3},
            {"name": "B", "order": 5},
            {"name": "C", "parallelGroup": "g", "order": 7},
            {"name": "D", "parallelGroup": "g", "order": 8},
        ),
        "GROUP_NOT_CONTIGUOUS",
        "/steps/2/parallelGroup",
        [add("/steps/2/order", 3), add("/steps/3/order", 3)],
    ),
    "a step that the rest of the group needs": Slip(
        _group({"name": "B"}, inputMapping={"x": "<<B.text>>"}),
        "GROUP_NOT_CONTIGUOUS",
        "/steps/2/parallelGroup",
        [replace("/steps/2/parallelGroup", "g 2")],
    ),
    "too many steps": Slip(steps(*({"name": f"S{i}"} for i in range(MAX_STEPS + 1))), "TOO_MANY_STEPS", "/steps", []),
    "too many members": Slip(
        steps(*({"name": f"S{i}", "parallelGroup": "g"} for i in range(MAX_FAN_OUT + 1))),
        "FAN_OUT_TOO_LARGE",
        "/steps",
        [],
    ),
    "too many steps in other steps": Slip(
        steps(loop(*({"name": f"S{i}"} for i in range(MAX_STEPS)))), "TOO_MANY_STEPS", "/steps", []
    ),
    "steps in steps in steps": Slip(
        steps(nested(MAX_NESTING + 1)), "TOO_DEEP", "/steps/0" + "/steps/0" * MAX_NESTING + "/steps", []
    ),
    "lists in lists in lists": Slip(steps({"name": "A"}, input=deep(70)), "TOO_DEEP", "", []),
    "too many members inside": Slip(
        steps(loop(*({"name": f"S{i}", "parallelGroup": "g"} for i in range(MAX_FAN_OUT + 1)))),
        "FAN_OUT_TOO_LARGE",
        "/steps/0/steps",
        [],
    ),
    "too many runs": Slip(
        steps(loop({"name": "A", "kind": "agent", "roleName": "Reader", "maxRetries": 19}, maxIterations=1000)),
        "BOUND_TOO_LARGE",
        "/steps",
        [],
    ),
    "more runs than it allows itself": Slip(
        steps(loop({"name": "A"}), limits={"maxStepRuns": 2}),
        "BOUND_TOO_LARGE",
        "/limits/maxStepRuns",
        [replace("/limits/maxStepRuns", 3)],
    ),
    "one name in two slots": Slip(
        steps({"name": "A"}, loop({"name": "B"}, {"name": "A"})),
        "DUPLICATE_NAME",
        "/steps/1/steps/1/name",
        [replace("/steps/1/steps/1/name", "A 2")],
    ),
    "a name of the data inside": Slip(
        steps(loop({"name": "loop"}, until="loop.index > 1 or context.loop.ok")),
        "RESERVED_NAME",
        "/steps/0/steps/0/name",
        [
            replace("/steps/0/steps/0/name", "Loop 2"),
            replace("/steps/0/until", "loop.index > 1 or context['Loop 2'].ok"),
        ],
    ),
    "one order for two inside": Slip(
        steps(loop({"name": "B", "order": 1}, {"name": "A", "order": 1})),
        "ORDER_CONFLICT",
        "/steps/0/steps/1/order",
        [add("/steps/0/steps/1/order", 2)],
    ),
    "a step inside a group, inside": Slip(
        steps(loop(*listed({"name": "A", "parallelGroup": "g"}, {"name": "B"}, {"name": "C", "parallelGroup": "g"}))),  # type: ignore[arg-type]
        "GROUP_NOT_CONTIGUOUS",
        "/steps/0/steps/2/parallelGroup",
        [move("/steps/0/steps/2", "/steps/0/steps/1")],
    ),
}

_CATALOG: dict[str, Slip] = {
    "a misspelt role": Slip(
        steps({"name": "A", "kind": "agent", "roleName": "Raeder"}),
        "UNKNOWN_ROLE",
        "/steps/0/roleName",
        [replace("/steps/0/roleName", "Reader")],
    ),
    "a role that is none": Slip(
        steps({"name": "A", "kind": "agent", "roleName": "Quux"}), "UNKNOWN_ROLE", "/steps/0/roleName", []
    ),
    "an id of no role": Slip(
        steps({"name": "A", "kind": "agent", "roleId": str(UUID(int=9))}), "UNKNOWN_ROLE", "/steps/0/roleId", []
    ),
    "an id of no role beside a name": Slip(
        steps({"name": "A", "kind": "agent", "roleId": str(UUID(int=9)), "roleName": "Reader"}),
        "UNKNOWN_ROLE",
        "/steps/0/roleId",
        [remove("/steps/0/roleId")],
    ),
    "two roles": Slip(
        steps({"name": "A", "kind": "agent", "roleName": "Writer", "roleId": str(READER)}),
        "ROLE_CONFLICT",
        "/steps/0/roleName",
        [remove("/steps/0/roleName")],
    ),
    "no role": Slip(steps({"name": "A", "kind": "agent"}), "REQUIRED", "/steps/0", []),
    "a misspelt tool": Slip(
        steps({"name": "A", "kind": "tool", "tool": "files.reed"}),
        "UNKNOWN_TOOL",
        "/steps/0/tool",
        [replace("/steps/0/tool", "files.read")],
    ),
    "a tool for designers": Slip(
        steps({"name": "A", "kind": "tool", "tool": "system.create_role"}), "UNKNOWN_TOOL", "/steps/0/tool", []
    ),
    "a tool that the tools of a step do not know": Slip(
        steps({"name": "A", "kind": "agent", "roleName": "Reader", "tools": ["files.*", "meta", "files.reed"]}),
        "UNKNOWN_TOOL",
        "/steps/0/tools/2",
        [replace("/steps/0/tools/2", "files.read")],
    ),
    "a kind that nobody performs": Slip(
        steps({"name": "A", "kind": "code", "language": "python", "source": "1"}), "NO_PERFORMER", "/steps/0/kind", []
    ),
    "a misspelt orchestration": Slip(
        steps({"name": "A", "kind": "orchestration", "orchestration": "archve"}),
        "UNKNOWN_ORCHESTRATION",
        "/steps/0/orchestration",
        [replace("/steps/0/orchestration", "archive")],
    ),
    "an orchestration that calls itself": Slip(
        steps({"name": "A", "kind": "orchestration", "orchestration": "flow"}),
        "CALL_CYCLE",
        "/steps/0/orchestration",
        [],
    ),
    "an orchestration that calls this one": Slip(
        steps({"name": "A"}, **{"finally": [{"name": "B", "kind": "orchestration", "orchestration": "billing"}]}),
        "CALL_CYCLE",
        "/finally/0/orchestration",
        [],
    ),
    "a transform of nothing": Slip(
        {"name": "flow", "steps": [{"name": "A", "kind": "transform"}]},
        "REQUIRED",
        "/steps/0",
        [add("/steps/0/inputMapping", {})],
    ),
}

_SCHEMAS: dict[str, Slip] = {
    what: Slip(steps({"name": "A"}, input=schema), "SCHEMA_INVALID", f"/input{path}", patch)
    for what, schema, path, patch in [
        ("a misspelt type", {"type": "objekt"}, "/type", [replace("/input/type", "object")]),
        (
            "a type of another language",
            {"properties": {"n": {"type": "int"}}},
            "/properties/n/type",
            [replace("/input/properties/n/type", "integer")],
        ),
        (
            "a type for a schema",
            {"properties": {"n": "string"}},
            "/properties/n",
            [replace("/input/properties/n", {"type": "string"})],
        ),
        (
            "a property that says it is required",
            {"properties": {"n": {"required": True}}, "required": ["m"]},
            "/properties/n/required",
            [remove("/input/properties/n/required"), add("/input/required", ["m", "n"])],
        ),
        ("one for a list", {"required": "n"}, "/required", [replace("/input/required", ["n"])]),
        ("a number in a schema as a text", {"minLength": "3"}, "/minLength", [replace("/input/minLength", 3)]),
        (
            "a boolean as a text",
            {"additionalProperties": "false"},
            "/additionalProperties",
            [replace("/input/additionalProperties", False)],
        ),
        ("a pattern that is none", {"pattern": "("}, "/pattern", [remove("/input/pattern")]),
        ("a property that is none", {"properties": {"n": 3}}, "/properties/n", []),
        ("a schema that is none", 3, "", []),
        ("a schema elsewhere", {"$ref": "https://schemas.invalid/a"}, "", []),
    ]
}

_READINGS: dict[str, Slip] = {
    "a misspelt key": _reading(
        {"a": "<<context.plna.text>> \\<<context.plna.text>>", "b": ["{{ context.plna.text | upper }}"]},
        replace("/steps/2/inputMapping/a", "<<context.plan.text>> \\<<context.plna.text>>"),
        replace("/steps/2/inputMapping/b/0", "{{ context.plan.text | upper }}"),
    ),
    "a misspelt key, classic": _reading(
        {"a": "<<Serch A.url>>"}, replace("/steps/2/inputMapping/a", "<<Search A.url>>")
    ),
    "a misspelt key in brackets": _reading(
        {"a": "<<context['Serch A'][0]>>"}, replace("/steps/2/inputMapping/a", "<<context['Search A'][0]>>")
    ),
    "a misspelt root": _reading({"a": "<<inptu.topic>>"}, replace("/steps/2/inputMapping/a", "<<input.topic>>")),
    "a misspelt root of a key": _reading(
        {"a": "<<contxt.plan.a>>"}, replace("/steps/2/inputMapping/a", "<<context.plan.a>>")
    ),
    "a misspelt step": _reading(
        {"a": "<<steps.Secnod.status>>"}, replace("/steps/2/inputMapping/a", "<<steps.Second.status>>")
    ),
    "a misspelt field of the input": _reading(
        {"a": "<<context.input.topik>>"}, replace("/steps/2/inputMapping/a", "<<context.input.topic>>")
    ),
    "a key that nothing writes": _reading(
        {"a": "<<context.quux.a | upper>><<context.quux.a?>>"},
        replace("/steps/2/inputMapping/a", "<<context.quux.a? | upper>><<context.quux.a?>>"),
    ),
    "a root that is not here": _reading({"a": "<<item.a>>"}, replace("/steps/2/inputMapping/a", "<<item.a?>>")),
    "a key that comes later": _reading({"a": "<<context.Later>>"}),
    "a step that comes later": _reading({"a": "<<steps.Later.status>>"}),
    "a misspelt key in a path": _reading(
        {"a": {"$path": "$['context']['plna'].x"}}, replace("/steps/2/inputMapping/a/$path", "$.context.plan.x")
    ),
    "a key that nothing writes in a path": _reading({"a": "$.context.quux"}),
    "a misspelt key in an expression": _reading(
        "plna.score > 1 and 'plna.score' != context['Search A']",
        replace("/steps/2/condition", "plan.score > 1 and 'plna.score' != context['Search A']"),
        field="condition",
    ),
    "a misspelt key in a condition": _reading(
        {"any": [{"not": {"field": "plna.a", "operator": "==", "value": "<<plna.a>>"}}]},
        replace("/steps/2/condition/any/0/not/field", "plan.a"),
        replace("/steps/2/condition/any/0/not/value", "<<plan.a>>"),
        field="condition",
    ),
    "a key that nothing writes in a condition": _reading("quux.score > 1", field="condition"),
    "a key that nothing writes in the value of a condition": _reading(
        {"field": "input.topic", "operator": "==", "value": "<<context.quux>>"}, field="condition"
    ),
    "a misspelt key in what is written": _reading(
        {"x": "<<context.plna>>"}, replace("/steps/2/outputMapping/x", "<<context.plan>>"), field="outputMapping"
    ),
    "a key that a map keeps": Slip(
        steps(
            {"name": "Each", "kind": "map", "items": [1], "steps": listed({"name": "Hit"})},
            {"name": "B", "inputMapping": {"a": "<<context.Hit>>"}},
        ),
        "UNKNOWN_REFERENCE",
        "/steps/1/inputMapping",
        [],
    ),
    "a misspelt field of a loop": Slip(
        steps(loop({"name": "A", "inputMapping": {"n": "<<loop.iteratoin>>"}})),
        "UNKNOWN_REFERENCE",
        "/steps/0/steps/0/inputMapping",
        [replace("/steps/0/steps/0/inputMapping/n", "<<loop.iteration>>")],
    ),
    "an item outside a map": Slip(
        steps(loop({"name": "A"}, collect="<<item.a>>")),
        "UNKNOWN_REFERENCE",
        "/steps/0/collect",
        [replace("/steps/0/collect", "<<item.a?>>")],
    ),
    "a misspelt key in what an event has to be like": Slip(
        steps(
            {"name": "Plan"}, {"name": "B", "kind": "wait", "event": "paid", "match": "output.id == context.Plna.id"}
        ),
        "UNKNOWN_REFERENCE",
        "/steps/1/match",
        [replace("/steps/1/match", "output.id == context.Plan.id")],
    ),
    "an error where none is": Slip(
        steps({"name": "A"}, **{"finally": listed({"name": "B", "inputMapping": {"e": "<<error.code>>"}})}),
        "UNKNOWN_REFERENCE",
        "/finally/0/inputMapping",
        [replace("/finally/0/inputMapping/e", "<<error.code?>>")],
    ),
    "a misspelt key in a message": Slip(
        steps({"name": "Plan"}, {"name": "B", "kind": "fail", "message": "no <<context.Plna.title>>"}),
        "UNKNOWN_REFERENCE",
        "/steps/1/message",
        [replace("/steps/1/message", "no <<context.Plan.title>>")],
    ),
    "a misspelt key of the context": Slip(
        steps({"name": "Plan"}, {"name": "B", "kind": "llm", "roleName": "Reader", "contextKeys": ["Plna"]}),
        "UNKNOWN_REFERENCE",
        "/steps/1/contextKeys/0",
        [replace("/steps/1/contextKeys/0", "Plan")],
    ),
    "a misspelt key in a case": Slip(
        steps({"name": "Plan"}, branch({"when": "Plna.ok"})),
        "UNKNOWN_REFERENCE",
        "/steps/1/cases/0/when",
        [replace("/steps/1/cases/0/when", "Plan.ok")],
    ),
    "one key from a member and from inside another": Slip(
        steps(
            {"name": "A", "parallelGroup": "g", "outputMapping": {"k": 1}},
            loop({"name": "B", "outputMapping": {"k": 2}}, parallelGroup="g"),
        ),
        "CONTEXT_CONFLICT",
        "/steps/1/steps/0/outputMapping",
        [move("/steps/1/steps/0/outputMapping/k", "/steps/1/steps/0/outputMapping/k B")],
    ),
    "one key from two literals": Slip(
        steps(
            {"name": "A", "parallelGroup": "g", "outputMapping": {"$literal": {"k": 1}}},
            {"name": "B", "parallelGroup": "g", "outputMapping": {"$literal": {"k": 2}}},
        ),
        "CONTEXT_CONFLICT",
        "/steps/1/outputMapping",
        [move("/steps/1/outputMapping/$literal/k", "/steps/1/outputMapping/$literal/k B")],
    ),
    "one key from two members": Slip(
        steps(
            {"name": "A", "parallelGroup": "g", "outputMapping": {"k/l": 1}},
            {"name": "B", "parallelGroup": "g", "outputMapping": {"k/l": 2}},
        ),
        "CONTEXT_CONFLICT",
        "/steps/1/outputMapping",
        [move("/steps/1/outputMapping/k~1l", "/steps/1/outputMapping/k~1l B")],
    ),
    "one key from a member and its name": Slip(
        steps({"name": "A", "parallelGroup": "g", "outputMapping": {"B": 1}}, {"name": "B", "parallelGroup": "g"}),
        "CONTEXT_CONFLICT",
        "/steps/1/outputMapping",
        [move("/steps/0/outputMapping/B", "/steps/0/outputMapping/B A")],
    ),
    "one key from two of one name": Slip(
        steps({"name": "A", "parallelGroup": "g"}, {"name": "A", "parallelGroup": "g"}),
        "CONTEXT_CONFLICT",
        "/steps/1/outputMapping",
        [add("/steps/1/outputMapping", {"A 2": "<<output>>"})],
    ),
}

_LANGUAGES: dict[str, Slip] = {
    "a misspelt operator": _unparsable(
        "OPERATOR_UNKNOWN",
        "condition",
        {"all": [{"field": "input.a", "operator": "startsWith", "value": "x"}]},
        "/all/0/operator",
        replace("/steps/0/condition/all/0/operator", "starts_with"),
    ),
    "an operator that is none": _unparsable(
        "OPERATOR_UNKNOWN", "condition", {"field": "input.a", "operator": "~", "value": 1}, "/operator"
    ),
    "a misspelt part of a condition": _unparsable(
        "CONDITION_INVALID",
        "condition",
        {"feild": "input.a", "operator": "exists"},
        "",
        move("/steps/0/condition/feild", "/steps/0/condition/field"),
    ),
    "exists: false": _unparsable(
        "CONDITION_INVALID",
        "condition",
        {"field": "input.a", "operator": "exists", "value": False},
        "",
        replace("/steps/0/condition/operator", "not_exists"),
        remove("/steps/0/condition/value"),
    ),
    "all of one": _unparsable(
        "CONDITION_INVALID",
        "condition",
        {"all": "input.a > 1"},
        "/all",
        replace("/steps/0/condition/all", ["input.a > 1"]),
    ),
    "a misspelt type of a value": _unparsable(
        "CONDITION_INVALID",
        "condition",
        {"field": "input.a", "operator": "is_type", "value": "strng"},
        "/value",
        replace("/steps/0/condition/value", "string"),
    ),
    "a condition without a field": _unparsable("CONDITION_INVALID", "condition", {"operator": "exists"}, ""),
    "a tag for a path": _unparsable(
        "PATH_INVALID",
        "condition",
        {"field": "<<input.a>>", "operator": "exists"},
        "/field",
        replace("/steps/0/condition/field", "input.a"),
    ),
    "a path that is none": _unparsable("PATH_INVALID", "condition", {"field": "", "operator": "exists"}, "/field"),
    "operators of another language": _unparsable(
        "EXPRESSION_INVALID",
        "condition",
        "<<input.a>> === 'a && b' && !input.b || input.c = 1",
        "",
        replace("/steps/0/condition", "input.a == 'a && b' and not input.b or input.c == 1"),
    ),
    "a misspelt function": _unparsable(
        "EXPRESSION_INVALID",
        "inputMapping",
        {"n": {"$expr": "1 + lenght(input.a)"}},
        "/n/$expr",
        replace("/steps/0/inputMapping/n/$expr", "1 + len(input.a)"),
    ),
    "half an expression": _unparsable("EXPRESSION_INVALID", "condition", "1 +", ""),
    "an expression in a tag": _unparsable(
        "TEMPLATE_INVALID",
        "inputMapping",
        {"deep": [1, "{{ input.n + 1 }}"]},
        "/deep/1",
        replace("/steps/0/inputMapping/deep/1", {"$expr": "input.n + 1"}),
    ),
    "half a tag": _unparsable("TEMPLATE_INVALID", "inputMapping", {"a": "n: <<input.n + 1>>"}, "/a"),
    "a misspelt filter": _unparsable(
        "FILTER_UNKNOWN",
        "inputMapping",
        {"a": "<<input.uper | uper>>"},
        "/a",
        replace("/steps/0/inputMapping/a", "<<input.uper | upper>>"),
    ),
    "a filter misused": _unparsable("FILTER_INVALID", "inputMapping", {"a": "<<input.n | upper(3)>>"}, "/a"),
    "a query that is none": _unparsable("JSONPATH_INVALID", "inputMapping", {"a": {"$path": "input["}}, "/a/$path"),
    "a query with a filter": _unparsable("JSONPATH_UNSUPPORTED", "inputMapping", {"a": "$.input.a[?@.b > 1]"}, "/a"),
}

SLIPS: dict[str, Slip] = {
    **_FIELDS,
    **_INSIDE,
    **_TOGETHER,
    **_NAMES,
    **_CATALOG,
    **_SCHEMAS,
    **_READINGS,
    **_LANGUAGES,
}
