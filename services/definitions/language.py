"""The JSON Schema (2020-12) of what people write: a document, or a file of roles and documents.

What the structs say is taken from them. What they cannot say stands here: which fields a kind needs, what a condition
and a mapping may be, and the classic fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from services.definitions import texts
from services.definitions.document import (
    FIELDS_OF_KIND,
    MAX_STEPS,
    RESERVED_NAMES,
    Document,
    Kind,
    Step,
    default_of,
)
from services.definitions.kinds import NEEDS, WAITS_FOR
from services.definitions.patterns import portable
from services.definitions.read import STEP_TYPES
from services.expressions import OPERATORS
from services.expressions.comparison import TYPES
from services.expressions.jsonpath_syntax import MAX_QUERY
from services.expressions.syntax import MAX_CHARACTERS
from services.json import JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document_schema() -> JsonObject:
    """What a document may look like; everything that `check` accepts fits it.

    >>> document_schema()["$ref"]
    '#/$defs/Document'
    """
    return {"$schema": DIALECT, "title": "Rolecall document", "$ref": _ref("Document"), "$defs": _definitions()}


def file_schema(role: type[msgspec.Struct]) -> JsonObject:
    """What a file may look like: a document, a role (such a struct), or a bundle of roles and documents."""
    definitions = _definitions(role)
    return {
        "$schema": DIALECT,
        "title": "Rolecall definition",
        "description": "A document (with `steps`), a role (with `basePrompt`), or `roles` and `orchestrations`.",
        "type": "object",
        "if": {"required": ["steps"]},
        "then": {"$ref": _ref("Document")},
        "else": {
            "if": {"required": ["basePrompt"]},
            "then": {"$ref": _ref("RoleAlone")},
            "else": {"$ref": _ref("Bundle")},
        },
        "$defs": {**definitions, "RoleAlone": _alone_in_file(definitions[role.__name__]), "Bundle": _bundle(role)},
    }


_Schema: TypeAlias = dict[str, Any]

_LISTS = ("steps", "cases")
_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Step)}

_UNARY = ("exists", "not_exists", "is_empty", "not_empty")
# The value of an operator that could never hold is refused, unless it is only known at run time.
_AT_RUN_TIME: _Schema = {"anyOf": [{"type": "string", "pattern": r"<<|\{\{"}, {"type": "object"}]}


def _definitions(*more: type[msgspec.Struct]) -> _Schema:
    _, components = msgspec.json.schema_components([Document, *more], ref_template=_ref("{name}"))
    found: _Schema = portable(components)
    definitions: _Schema = {
        **found, "Condition": _condition(), "Comparison": _comparison(), "Mapping": _mapping(), "Value": _value(),
        "OutputMapping": _output_mapping(), "Schema": _json_schema(),
    }  # fmt: skip
    _refine_document(definitions["Document"])
    _refine_parts(definitions)
    _refine_step(definitions["Step"])
    for role in more:
        _refine_role(definitions[role.__name__])
        _describe(definitions["ModelConstraints"], texts.MODEL, "What a role asks of its model.")
        _describe(definitions["CostCeiling"], texts.CEILING, "What a model may cost at most.")
        _describe(definitions["Parameters"], texts.PARAMETERS, "What is passed to the model with each call.")
    return definitions


def _describe(struct: _Schema, fields: Mapping[str, str], description: str, **own: _Schema) -> None:
    """Give each field its text, and those in `own` a type of ours instead of the struct's."""
    struct["description"] = description
    properties: dict[str, _Schema] = struct["properties"]
    for name, found in properties.items():
        of_field = {**own.get(name, found), "description": fields.get(name, "")}
        # An editor would offer to write out a default of null.
        properties[name] = {k: v for k, v in of_field.items() if (k, v) != ("default", None)}


def _refine_document(document: _Schema) -> None:
    schemas = {name: _or_null(_ref("Schema")) for name in ("input", "outputSchema")}
    _describe(
        document,
        texts.DOCUMENT,
        "One orchestration: what it takes, its steps, what it gives back.",
        output=_or_null(_ref("Mapping")),
        **schemas,
    )
    document["properties"]["steps"] |= {"minItems": 1, "maxItems": MAX_STEPS}


def _refine_parts(definitions: _Schema) -> None:
    """What stands in a document and in a step."""
    for name, fields, description in (
        ("Limits", texts.LIMITS, "What one execution may take."),
        ("Defaults", texts.DEFAULTS, "What steps have where they do not say it themselves."),
        ("Group", texts.GROUP, "How the members of a parallel group come together."),
        ("Retry", texts.RETRY, "How the delay grows from attempt to attempt, and which failures are tried again."),
        ("Budget", texts.BUDGET, "What the model calls of a step may take."),
        ("Cache", texts.CACHE, "How long the models' answers are kept, and for whom."),
        ("Tolerance", texts.TOLERANCE, "How many items of a map may fail before the map does."),
        ("Assignees", texts.ASSIGNEES, "Who may decide an approval."),
        ("Catch", texts.CATCH, "What is done about some failures."),
        ("Fallback", texts.FALLBACK, "What takes the place of an output after the last attempt."),
    ):
        _describe(definitions[name], fields, description)
    _describe(definitions["Case"], texts.CASE, "One way of a branch.", when=_or_null(_ref("Condition")))
    definitions["Case"]["anyOf"] = [_has("when"), _has("weight")]
    definitions["Fallback"]["oneOf"] = [{"required": ["default"]}, {"required": ["catch"]}]
    for name, field in (("Case", "steps"), ("Catch", "steps"), ("Catch", "errors"), ("Fallback", "catch")):
        definitions[name]["properties"][field]["minItems"] = 1


def _refine_step(step: _Schema) -> None:
    step["properties"] |= {
        "roleId": {"type": ["string", "null"]},
        "stepType": {"enum": [*STEP_TYPES, None]},
    }
    _describe(
        step,
        texts.STEP,
        "One step of an orchestration.",
        outputMapping=_or_null(_ref("OutputMapping")),
        inputMapping=_or_null(_ref("Mapping")),
        **{name: _or_null(_ref("Condition")) for name in ("condition", "while", "match")},
        **{name: _or_null(_ref("Schema")) for name in ("outputSchema", "form")},
        **{name: {"allOf": [{"$ref": _ref("Value")}]} for name in ("collect", "items", "present", "output")},
    )
    step["properties"]["name"]["not"] = {"enum": sorted(RESERVED_NAMES)}
    # The struct's default stands for the place in the list.
    step["properties"]["order"].pop("default", None)
    step["allOf"] = [
        *_rules_of_kinds(),
        *(_rule_of_type(step_type, field) for step_type, field in STEP_TYPES.items() if field is not None),
    ]


def _refine_role(role: _Schema) -> None:
    _describe(role, texts.ROLE, "Who a model plays.", outputSchema=_or_null(_ref("Schema")))


def _alone_in_file(role: _Schema) -> _Schema:
    marked = {"rolecall": {"enum": [1], "default": 1, "description": texts.BUNDLE["rolecall"]}, **role["properties"]}
    return {**role, "title": "Role", "properties": marked}


def _bundle(role: type[msgspec.Struct]) -> _Schema:
    bundle: _Schema = {
        "type": "object",
        "properties": {
            "rolecall": {"enum": [1], "default": 1},
            "roles": {"type": "array", "items": {"$ref": _ref(role.__name__)}},
            "orchestrations": {"type": "array", "items": {"$ref": _ref("Document")}},
        },
        "additionalProperties": False,
    }
    _describe(bundle, texts.BUNDLE, "Roles and orchestrations, loaded together or not at all.")
    return bundle


def _rules_of_kinds() -> list[_Schema]:
    """What each kind needs, and that no step has the fields of another."""
    by_name: _Schema = {"anyOf": [_has("roleName"), _has("roleId")]}
    at_some_time: _Schema = {"anyOf": [{"type": "string"}, {"$ref": _ref("Mapping")}, {"type": "null"}]}
    return [
        *(
            {
                "if": _is_of((kind,)),
                "then": {"allOf": [by_name if name == "roleName" else _has(name) for name in needed]},
            }
            for kind, needed in NEEDS.items()
        ),
        {"if": _is_of(("wait",)), "then": {"anyOf": [_has(field) for field in WAITS_FOR]}},
        {"if": _is_of(("wait",)), "then": {"properties": {"until": at_some_time}}},
        {"if": _is_of(("loop",)), "then": {"properties": {"until": _or_null(_ref("Condition"))}}},
        *({"if": {"not": _is_of(kinds)}, "then": {"properties": unsaid}} for kinds, unsaid in _fields_by_kinds()),
    ]


def _fields_by_kinds() -> Iterator[tuple[tuple[Kind, ...], _Schema]]:
    """The fields that belong to the same kinds, each as other kinds may have it: with the value that says nothing."""
    found: dict[tuple[Kind, ...], _Schema] = {}
    for name, kinds in FIELDS_OF_KIND.items():
        found.setdefault(kinds, {})[name] = _unsaid(default_of(_FIELDS[name])) if name in _FIELDS else {"type": "null"}
    return iter(found.items())


def _unsaid(value: Any) -> _Schema:
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {"properties": {field.encode_name: _unsaid(getattr(value, field.name)) for field in fields}}
    return {"const": msgspec.to_builtins(value)} if value != () else {"maxItems": 0}


def _is_of(kinds: tuple[Kind, ...]) -> _Schema:
    """Whether a step is of one of these kinds; one that does not say is an agent, or, classic, a loop."""
    ways: list[_Schema] = [{"required": ["kind"], "properties": {"kind": {"enum": list(kinds)}}}]
    says_loop: _Schema = {"required": ["stepType"], "properties": {"stepType": {"const": "loop"}}}
    unsaid: _Schema = {"not": {"required": ["kind"]}}
    if "agent" in kinds:
        ways.append({"allOf": [unsaid, {"not": says_loop}]})
    if "loop" in kinds:
        ways.append({"allOf": [unsaid, says_loop]})
    return ways[0] if len(ways) == 1 else {"anyOf": ways}


def _rule_of_type(step_type: str, field: str) -> _Schema:
    return {"if": {"properties": {"stepType": {"const": step_type}}, "required": ["stepType"]}, "then": _has(field)}


def _has(field: str) -> _Schema:
    """Whether the field is there, and says something."""
    return {"required": [field], "properties": {field: {"not": {"enum": [None, *([[]] if field in _LISTS else ())]}}}}


def _condition() -> _Schema:
    each: _Schema = {"$ref": _ref("Condition")}
    combined: _Schema = {
        "all": {"description": "Every one of these holds.", "type": "array", "items": each},
        "any": {"description": "At least one of these holds.", "type": "array", "items": each},
        "not": {**each, "description": "This does not hold."},
    }
    return {
        "description": 'true, false, {field, operator, value}, {all: []}, {any: []}, {not: …} or "an expression".',
        "anyOf": [
            {"type": "boolean"},
            {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS},
            {"$ref": _ref("Comparison")},
            *(
                {"type": "object", "properties": {key: found}, "required": [key], "additionalProperties": False}
                for key, found in combined.items()
            ),
        ],
    }


def _comparison() -> _Schema:
    return {
        "description": "A value of the data, compared.",
        "type": "object",
        "properties": {
            "field": {"description": "A path, such as context.Review.score.", "type": "string", "minLength": 1},
            "operator": {"description": "How to compare.", "enum": list(OPERATORS)},
            "value": {"description": "What to compare with; it may hold <<tags>>."},
        },
        "required": ["field", "operator"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": _uses(*_UNARY),
                "then": {"properties": {"value": {"not": {"const": False}}}},
                "else": {"required": ["value"]},
            },
            _takes({"type": "array"}, "in", "not_in"),
            _takes({"type": "string"}, "starts_with", "ends_with", "before", "after"),
            _takes({"enum": list(TYPES)}, "is_type"),
        ],
    }


def _uses(*operators: str) -> _Schema:
    return {"properties": {"operator": {"enum": list(operators)}}}


def _takes(value: _Schema, *operators: str) -> _Schema:
    return {"if": _uses(*operators), "then": {"properties": {"value": {"anyOf": [value, _AT_RUN_TIME]}}}}


def _mapping() -> _Schema:
    return {"type": "object", "allOf": [{"$ref": _ref("Value")}]}


def _output_mapping() -> _Schema:
    """A mapping that gives an object, whatever the data is."""
    special: _Schema = {"type": "object", "maxProperties": 1}
    return {
        "allOf": [
            {"$ref": _ref("Mapping")},
            *({"not": {**special, "required": [key]}} for key in ("$path", "$expr")),
            {"if": {**special, "required": ["$literal"]}, "then": {"properties": {"$literal": {"type": "object"}}}},
        ]
    }


def _value() -> _Schema:
    value: _Schema = {"$ref": _ref("Value")}
    return {
        "properties": {
            "$path": {"description": "A JSONPath (RFC 9535) over all roots, such as $.context.hits[*].url."},
            "$expr": {"description": "An expression, such as context.score * 100."},
            "$literal": {"description": "What stands here is taken as it is."},
        },
        "if": {"type": "object", "required": ["$literal"], "maxProperties": 1},
        "else": {"additionalProperties": value, "items": value},
        "allOf": [
            _alone("$path", {"type": "string", "maxLength": MAX_QUERY, "pattern": r"^\$"}),
            _alone("$expr", {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}),
        ],
    }


def _alone(key: str, value: _Schema) -> _Schema:
    # Beside other keys it is a key like any other.
    is_alone: _Schema = {"type": "object", "required": [key], "maxProperties": 1}
    return {"if": is_alone, "then": {"properties": {key: value}}}


def _json_schema() -> _Schema:
    """The keywords that people use, so that no editor has to fetch the whole of 2020-12."""
    each: _Schema = {"$ref": _ref("Schema")}
    by_name: _Schema = {"type": "object", "additionalProperties": each}
    several: _Schema = {"type": "array", "items": each, "minItems": 1}
    count: _Schema = {"type": "integer", "minimum": 0}
    number: _Schema = {"type": "number"}
    type_: _Schema = {"enum": sorted(TYPES)}
    return {
        "description": "A JSON Schema (2020-12).",
        "type": ["object", "boolean"],
        "properties": {
            "type": {"anyOf": [type_, {"type": "array", "items": type_, "minItems": 1, "uniqueItems": True}]},
            "title": {"type": "string"}, "description": {"type": "string"}, "default": {}, "const": {},
            "enum": {"type": "array"}, "format": {"type": "string"}, "pattern": {"type": "string", "format": "regex"},
            "properties": by_name, "$defs": by_name, "additionalProperties": each, "items": each,
            "required": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            "allOf": several, "anyOf": several, "oneOf": several, "not": each,
            "minLength": count, "maxLength": count, "minItems": count, "maxItems": count,
            "minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number,
            "uniqueItems": {"type": "boolean"},
        },
    }  # fmt: skip


def _or_null(ref: str) -> _Schema:
    return {"anyOf": [{"$ref": ref}, {"type": "null"}]}


def _ref(name: str) -> str:
    return f"#/$defs/{name}"
