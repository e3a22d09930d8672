"""One document for each way of going wrong, with the problem it has and the patch that mends it."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from services.definitions.catalog import Catalog
from services.definitions.document import MAX_FAN_OUT, MAX_STEPS
from services.json import Json, JsonObject

READER = UUID("019a0000-0000-7000-8000-000000000001")
CATALOG = Catalog(roles={"Reader": READER, "Writer": UUID(int=2)}, tools=frozenset({"files.list", "files.read"}))
CLOSED: JsonObject = {"type": "object", "properties": {"topic": {}}, "additionalProperties": False}


class Slip(NamedTuple):
    """A document with this problem, and maybe others that follow from it, and what mends it; empty if nothing does."""

    document: Json
    code: str
    path: str
    patch: list[dict[str, Any]]


def steps(*given: Mapping[str, Json], **document: Json) -> JsonObject:
    return {"name": "flow", "steps": [{"kind": "transform", "inputMapping": {}, **step} for step in given], **document}


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
    "too many runs": Slip(
        steps(*({"name": f"S{i}", "maxRetries": 19} for i in range(501))), "BOUND_TOO_LARGE", "/steps", []
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

SLIPS: dict[str, Slip] = {**_FIELDS, **_NAMES, **_CATALOG, **_SCHEMAS, **_READINGS, **_LANGUAGES}
