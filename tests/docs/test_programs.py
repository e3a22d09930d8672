"""The page on programs says what is so: its programs are run, its limits and codes are those."""

import json
import re
from typing import Any, get_args

import pytest

from services import bundles, executions, orchestrations
from services.caller import OPERATOR
from services.json import Json
from services.programs.limits import Limits
from services.programs.problems import Code
from services.tools import files, registry
from tests.docs.markdown import DOCS, blocks, rows
from tests.examples.example import DOCUMENTS
from tests.meta_tools.agents import Ends, working
from tests.models.peer import Peer, completion, peer_with
from tests.steps.trying import wants

PAGE = "programs.md"
PATHS: Json = ["human-oversight.txt", "durable-execution.txt"]
TEXTS = {(block.language, block.word): block.text for block in blocks(PAGE, "yaml", "python", "json", "text")}


async def told_of(code: str, database_url: str) -> tuple[Any, Any]:
    """What the model on the page is offered as a program's functions, and what it is told of this one."""
    with peer_with(wants(("program_run", {"code": code, "input": {"paths": PATHS}})), completion("done")) as peer:
        async with working(database_url, peer) as ends:
            registry.register(*files.tools(str(DOCUMENTS)))
            await bundles.load(OPERATOR, bundles.read(TEXTS["yaml", ""]))
            finished = await started(ends, "longest", {"paths": PATHS})
    assert finished.output == {"answer": "done"}, finished.error
    return offered(peer), peer.asked[-1].body["messages"][-1]["content"]


async def started(ends: Ends, orchestration: str, input: Json) -> Any:
    return await ends.of((await executions.start(OPERATOR, orchestration=orchestration, input=input)).id)


def offered(peer: Peer) -> str:
    (tool,) = [it["function"] for it in peer.asked[0].body["tools"] if it["function"]["name"].startswith("program")]
    return tool["parameters"]["properties"]["code"]["description"]


@pytest.fixture(autouse=True)
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_tools", {})


async def test_the_program_comes_to_what_stands_below_it(database_url: str) -> None:
    functions, told = await told_of(TEXTS["python", "program"], database_url)

    assert json.loads(told) == json.loads(TEXTS["json", "result"])
    assert TEXTS["python", "functions"] in functions


async def test_the_wrong_program_is_told_what_stands_below_it(database_url: str) -> None:
    _, told = await told_of(TEXTS["python", "wrong"], database_url)

    assert TEXTS["text", "wrong"].strip() in told


async def test_the_tool_step_sums_up(database_url: str) -> None:
    (document,) = [block.value for block in blocks(PAGE, "yaml") if block.word == "step"]
    with peer_with(completion("never asked")) as peer:
        async with working(database_url, peer) as ends:
            await orchestrations.create(OPERATOR, document=document)
            given: Json = {"rows": [{"price": 2.5, "count": 2}, {"price": 1, "count": 3}]}
            finished = await started(ends, "totals", given)

    assert finished.output == {"total": 8.0}, finished.error


def test_the_limits_are_those() -> None:
    told = {row.cells["limit"]: [float(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", row.cells["is"])]
            for row in rows(PAGE, "limit", "is")}  # fmt: skip
    limits = Limits()

    assert told == {
        "computing": [limits.seconds],
        "memory": [limits.memory_bytes],
        "calls": [limits.calls, limits.calls_at_once],
        "nested function calls": [limits.depth],
        "text of the program": [limits.code_characters],
        "value, arguments of a call, result of a call": [limits.value_bytes],
        "printed": [limits.printed_characters],
    }


def test_every_code_is_named() -> None:
    told = {row.cells["code"] for row in rows(PAGE, "code", "means")}

    assert set(get_args(Code)) < told
    assert told - set(get_args(Code)) == {"PROGRAM_CRASHED", "PROGRAM_DEVIATED", "PROGRAM_UNAVAILABLE"}
    assert "up to ten at a time" in (DOCS / PAGE).read_text("utf-8")
