"""The recipes are documents without problems, and do what stands below each of them."""

from typing import Any

import pytest

from services.definitions.check import check
from services.engine.core.commands import StartStep
from services.engine.core.decide import advance
from services.engine.core.events import ExecutionStarted
from services.engine.core.plan import Plan, plan_of
from services.engine.core.settle import complete
from services.engine.core.state import NEW, State
from services.schema import problems_of_value
from tests.docs.markdown import blocks, catalog_of

PAGE = "recipes.md"
RECIPES: list[Any] = [block.value for block in blocks(PAGE, "yaml")]


def runs() -> list[Any]:
    """Each run with the recipe that it stands below."""
    found: list[Any] = []
    recipe: Any = None
    for block in blocks(PAGE, "yaml", "json"):
        if block.word == "run":
            found.append(pytest.param(recipe, block.value, id=f"line {block.line}"))
        else:
            recipe = block.value
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["name"])
def test_a_recipe_has_no_problems(recipe: Any) -> None:
    assert check(recipe, catalog_of(recipe)).problems == ()


@pytest.mark.parametrize(("recipe", "run"), runs())
def test_a_recipe_does_what_stands_below_it(recipe: Any, run: Any) -> None:
    document = check(recipe, catalog_of(recipe)).document
    assert document is not None
    assert problems_of_value(document.input, run["input"]) == []

    state, asked = performed(plan_of(document), run["input"], run["answers"])

    failure = state.failure.code if state.failure is not None else None
    assert (state.output, failure) == (run.get("output"), run.get("failure"))
    assert asked == set(run["answers"])


def test_there_are_eight_and_each_is_run() -> None:
    assert len(RECIPES) == 8
    assert {param.values[0]["name"] for param in runs()} == {recipe["name"] for recipe in RECIPES}


def performed(plan: Plan, input: Any, answers: dict[str, Any]) -> tuple[State, set[str]]:
    """The state at the end, with these answers; and which steps were asked for one."""
    turn = advance(plan, NEW, ExecutionStarted(input=input))
    waiting: dict[str, StartStep] = {}
    asked: set[str] = set()
    while True:
        waiting |= {command.path: command for command in turn.commands if isinstance(command, StartStep)}
        if not waiting:
            return turn.state, asked
        path, command = waiting.popitem()
        asked.add(path)
        member = plan.steps[path]
        answer = complete(member, turn.state, attempt=1, input=command.input, output=answers[path])
        turn = advance(plan, turn.state, answer)
