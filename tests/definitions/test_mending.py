"""What `check` says can be mended is mended by the patch it gives, and every code has a slip that provokes it."""

import ast
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from services import definitions, expressions
from services.definitions.catalog import Catalog
from services.definitions.check import check
from services.definitions.codes import CODES
from services.definitions.patch import apply
from services.json import Json
from services.problem import Problem
from tests.definitions.slips import CATALOG, READER, SLIPS, Slip, add, steps


def problems(document: Json, catalog: Catalog = CATALOG) -> tuple[Problem, ...]:
    return check(document, catalog).problems


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_is_named_at_its_place_with_what_mends_it(slip: Slip) -> None:
    found = [problem for problem in problems(slip.document) if (problem.code, problem.path) == (slip.code, slip.path)]

    assert [msgspec.to_builtins(problem.patch, str_keys=True) for problem in found] == [tuple(slip.patch)]


@pytest.mark.parametrize("slip", [slip for slip in SLIPS.values() if slip.patch], ids=lambda slip: slip.path)
def test_a_patch_leaves_nothing_of_the_slip_and_brings_nothing_new(slip: Slip) -> None:
    before = problems(slip.document)
    (problem,) = [problem for problem in before if (problem.code, problem.path) == (slip.code, slip.path)]

    after = problems(apply(slip.document, problem.patch))

    assert Counter((it.code, it.path) for it in after) < Counter((it.code, it.path) for it in before)


def test_every_code_has_a_slip() -> None:
    provoked = {problem.code for slip in SLIPS.values() for problem in problems(slip.document)}

    assert provoked == CODES


def test_every_code_that_is_written_in_the_sources_is_listed() -> None:
    """A code is what a `Problem` or an `ExpressionError` is made with."""
    made = {
        value.value
        for package in (definitions, expressions)
        for module in Path(package.__path__[0]).glob("*.py")
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Problem", "ExpressionError", "_named")
        for value in [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
        if isinstance(value, ast.Constant)
    }

    # What a publication finds, and a check does not.
    assert made == CODES | {"BREAKING_CHANGE"}


def test_a_step_gets_the_only_role_there_is() -> None:
    document = steps({"name": "A", "kind": "agent"})

    (problem,) = problems(document, Catalog(roles={"Reader": READER}))

    assert msgspec.to_builtins(problem.patch) == (add("/steps/0/roleName", "Reader"),)


def test_two_misspellings_of_one_field_are_not_moved_to_one_place() -> None:
    document = {**steps({"name": "A"}), "descripton": "x", "desciption": "y"}

    first, second = problems(document)

    assert [apply(document, problem.patch).keys() - document.keys() for problem in (first, second)] == [
        {"description"},
        set(),
    ]
