"""The page on agents says what is so: its conversation is had, its notes are all there are, its command is run."""

import json
import re
import shlex
from typing import Any, get_args

import pytest

from services import bundles, executions
from services.caller import OPERATOR
from services.definitions.document import ContextPolicy
from services.steps.agents import calling, gauge, notes
from services.tools import files, registry
from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import DOCS, blocks, rows
from tests.examples.example import DOCUMENTS
from tests.meta_tools.agents import working
from tests.models.peer import Reply, completion, peer_with
from tests.steps.trying import wants

PAGE = "agents.md"


def said(answer: Any) -> Reply:
    if isinstance(answer, str):
        return completion(answer)
    return wants(*((call["tool"].replace(".", "_"), call["arguments"]) for call in answer["calls"]))


async def test_the_conversation_goes_as_it_says(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_tools", {})
    (bundle,) = blocks(PAGE, "yaml")
    (talk,) = [block.value for block in blocks(PAGE, "json") if block.word == "talk"]
    assert isinstance(talk, dict)
    with peer_with(*map(said, talk["says"])) as peer:
        async with working(database_url, peer) as ends:
            registry.register(*files.tools(str(DOCUMENTS)))
            await bundles.load(OPERATOR, bundles.read(bundle.text))
            started = await executions.start(OPERATOR, orchestration="read", input=talk["input"])
            finished = await ends.of(started.id)
            history = [item async for item in executions.follow(OPERATOR, execution=started.id)]

    kept = [item.event for item in history if isinstance(item, executions.Recorded) and item.kind == "step_noted"]
    assert finished.output == talk["output"], finished.error
    assert [event["note"]["note"] for event in kept] == talk["kept"]  # type: ignore[index]
    assert peer.asked[-1].body["messages"][-1]["content"] == talk["told"]


def test_every_note_is_named() -> None:
    told = [row.cells["note"] for row in rows(PAGE, "note", "is")]

    assert told == [kind.__struct_config__.tag for kind in get_args(notes.AnyNote)]


def test_the_limits_are_those() -> None:
    text = (DOCS / PAGE).read_text("utf-8")

    assert f"cut at {calling.MAX_RESULT_CHARACTERS:,} characters" in text
    assert f"or {gauge.ANSWER_TOKENS:,} tokens)" in text
    assert re.findall(r"at the same time, up to (\w+)\.", text) == ["eight"]
    assert calling.MAX_AT_ONCE == 8
    assert {row.cells["contextPolicy"] for row in rows(PAGE, "contextPolicy")} == set(get_args(ContextPolicy))


def test_the_operator_runs_offline(new_directory: NewDirectory) -> None:
    (command,) = blocks(PAGE, "sh")
    name, *arguments = shlex.split(command.text)
    with new_directory() as directory:
        done = Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"}).run(*arguments)

    assert (name, done.returncode, done.stderr) == ("rolecall", 0, "")
    assert "agrees" in json.dumps(done.stdout)
