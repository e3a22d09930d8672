"""The codes of the problems that `check` finds; each is stable, and each has a test that provokes it."""

from typing import Literal, get_args

Code = Literal[
    # The structure: looked at first, and alone while anything is wrong with it.
    "REQUIRED",
    "UNKNOWN_FIELD",
    "WRONG_VALUE",
    "FIELD_OF_OTHER_KIND",
    "ROLE_CONFLICT",
    # Names and their order.
    "DUPLICATE_NAME",
    "RESERVED_NAME",
    "ORDER_CONFLICT",
    "GROUP_NOT_CONTIGUOUS",
    # What its fields say together.
    "FIELD_CONFLICT",
    "UNREACHABLE_CASE",
    "UNREACHABLE_HANDLER",
    "UNKNOWN_GROUP",
    "GROUP_TOO_SMALL",
    "MAPPING_INVALID",
    # What a document may grow to.
    "TOO_MANY_STEPS",
    "TOO_DEEP",
    "FAN_OUT_TOO_LARGE",
    "BOUND_TOO_LARGE",
    # What it names.
    "NO_PERFORMER",
    "UNKNOWN_ROLE",
    "UNKNOWN_TOOL",
    "UNKNOWN_ORCHESTRATION",
    "CALL_CYCLE",
    "UNKNOWN_REFERENCE",
    "CONTEXT_CONFLICT",
    # What it says in other languages: JSON Schema, templates, conditions, paths and expressions.
    "SCHEMA_INVALID",
    "TEMPLATE_INVALID",
    "FILTER_UNKNOWN",
    "FILTER_INVALID",
    "PATH_INVALID",
    "JSONPATH_INVALID",
    "JSONPATH_UNSUPPORTED",
    "EXPRESSION_INVALID",
    "CONDITION_INVALID",
    "OPERATOR_UNKNOWN",
]
CODES: frozenset[Code] = frozenset(get_args(Code))
