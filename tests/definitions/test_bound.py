"""The proven maximum of step runs, by hand."""

import pytest

from services.definitions.bound import max_step_runs
from services.definitions.check import check
from services.json import JsonObject
from tests.definitions.slips import CATALOG, branch, caught, listed, loop, steps

LLM: JsonObject = {"kind": "llm", "roleName": "Reader"}
MAP: JsonObject = {"name": "Each", "kind": "map", "items": "<<input.hits>>", "steps": listed({"name": "Hit"})}


@pytest.mark.parametrize(
    ("document", "runs"),
    [
        pytest.param(steps({"name": "A"}), 1, id="one step"),
        pytest.param(steps({**LLM, "name": "A", "maxRetries": 3}), 4, id="with retries"),
        pytest.param(
            steps(
                {**LLM, "name": "Create"}, loop({**LLM, "name": "Critic"}, {**LLM, "name": "Refine"}, maxIterations=5)
            ),
            12,
            id="ping-pong",
        ),
        pytest.param(
            steps(
                *({"name": f"Search {it}", "parallelGroup": "search"} for it in "ABC"),
                {"name": "Hits"},
                {**MAP, "maxItems": 10, "steps": listed({**LLM, "name": "Summary", "maxRetries": 1})[:1]},
                {**LLM, "name": "Synthesize"},
            ),
            26,
            id="map-reduce",
        ),
        pytest.param(
            steps(
                *({**LLM, "name": it, "parallelGroup": "think"} for it in "ABC"),
                {**LLM, "name": "Evaluate"},
                branch({"when": "input.a"}, {"when": "input.b"}, **{"else": listed({"name": "Take C"})}),
            ),
            8,
            id="tree of thoughts",
        ),
        pytest.param(steps(MAP), 101, id="a map of any length"),
        pytest.param(
            steps(loop({**MAP, "maxItems": 3, "steps": listed({"name": "A"}, {"name": "B"})}, maxIterations=4)),
            1 + 4 * (1 + 3 * 2),
            id="a map in a loop",
        ),
        pytest.param(steps({"name": "A", **caught({}, {"errors": ["TIMEOUT"]}, {})}), 4, id="all handlers"),
        pytest.param(
            steps(loop({"name": "A", "compensate": listed({"name": "U"})}, maxIterations=5)),
            11,
            id="every compensation",
        ),
        pytest.param(
            steps({"name": "A"}, onFailure=listed({"name": "B"}), **{"finally": listed({"name": "C"})}),
            3,
            id="what comes at the end",
        ),
    ],
)
def test_whatever_could_run_is_counted(document: JsonObject, runs: int) -> None:
    read = check(document, CATALOG).document
    assert read is not None

    assert max_step_runs(read) == runs
