"""The expression language, pure: strings are compiled once, then evaluated over a scope, a mapping of roots.

`compile_template`, `compile_condition`, `compile_expression` and `compile_jsonpath` each give a value with
`references` and one method: `render`, `test`, `evaluate` or `find`. `parse_path` reads a bare path. What cannot be
compiled raises `ExpressionError`; what does not fit its data raises `EvaluationError`.
"""

from services.expressions.conditions import OPERATORS, Condition, compile_condition
from services.expressions.errors import EvaluationError, ExpressionError
from services.expressions.expression import Expression, compile_expression
from services.expressions.filters import FILTERS
from services.expressions.functions import FUNCTIONS
from services.expressions.jsonpath import JsonPath, compile_jsonpath
from services.expressions.paths import MISSING, ROOTS, Missing, Path, Reference, Scope, parse_path
from services.expressions.templates import Template, compile_template

__all__ = [
    "FILTERS",
    "FUNCTIONS",
    "MISSING",
    "OPERATORS",
    "ROOTS",
    "Condition",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "JsonPath",
    "Missing",
    "Path",
    "Reference",
    "Scope",
    "Template",
    "compile_condition",
    "compile_expression",
    "compile_jsonpath",
    "compile_template",
    "parse_path",
]
