"""`rolecall follow` at a terminal, and following across processes."""

import json
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services import executions, orchestrations, roles
from services.caller import OPERATOR
from services.executions import AttemptStarted, Delta, Recorded
from services.models.catalog import Models
from services.runtime import opened
from services.settings import Settings
from tests.cli.processes import Rolecall

EXAMPLE = ("run", "examples/research-brief.yaml", "--input", "@examples/research-brief.input.json")


def test_a_finished_execution_is_printed_a_line_for_each_event(rolecall: Rolecall) -> None:
    execution = rolecall.run(*EXAMPLE).stdout.split()[-1]

    done = rolecall.run("follow", execution)
    rest = rolecall.run("follow", execution, "--after", "12", "--json")

    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [number for number, *_ in lines] == [str(n) for n in range(1, 15)]
    assert [lines[n][2] for n in (0, 10, 13)] == [
        "execution_started",
        "step_completed      Synthesise (1)",
        "execution_completed",
    ]
    items = [json.loads(line) for line in rest.stdout.splitlines()]
    assert [(item["seq"], item["event"]["event"]) for item in items] == [
        (13, "step_completed"),
        (14, "execution_completed"),
    ]
    assert (done.returncode, rest.returncode, done.stderr, rest.stderr) == (0, 0, "", "")


def test_one_that_failed_ends_with_1_also_when_its_end_was_seen_before(rolecall: Rolecall, tmp_path: Path) -> None:
    failing = tmp_path / "failing.json"
    step = {"name": "Fetch", "kind": "tool", "tool": "files.read", "inputMapping": {"path": "nowhere.txt"}}
    failing.write_text(json.dumps({"name": "failing", "steps": [step]}))
    execution = rolecall.run("run", str(failing)).stdout.split()[-1]

    done = rolecall.run("follow", execution)
    again = rolecall.run("follow", execution, "--after", str(len(done.stdout.splitlines())))

    assert (done.returncode, again.returncode, again.stdout) == (1, 1, "")
    assert "step_failed         Fetch (1): TOOL_ERROR: \"'nowhere.txt' cannot be read" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((str(uuid4()),), "there is no execution"),
        (("brief",), "'brief' is not a valid UUID"),
        ((str(uuid4()), "--after", "-1"), "-1 is not in the range x>=0"),
    ],
)
def test_what_cannot_be_followed_is_said_in_words(rolecall: Rolecall, arguments: tuple[str, ...], said: str) -> None:
    done = rolecall.run("follow", *arguments)

    assert said in done.stderr
    assert (done.returncode != 0, done.stdout, "Traceback" in done.stderr) == (True, "", False)


def test_one_that_waits_is_left_with_ctrl_c(rolecall: Rolecall, tmp_path: Path) -> None:
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps({"name": "flow", "steps": [{"name": "Nap", "kind": "wait", "forMs": 3_600_000}]}))
    with rolecall.up() as up:
        up.mutate("orchestration.create", document=json.loads(flow.read_text()))
        execution = up.mutate("execution.start", orchestration="flow", input={})["id"]
        with rolecall.started("follow", execution) as following:
            assert following.stdout is not None
            first = next(line for line in following.stdout if "execution_started" in line)
            following.send_signal(signal.SIGINT)
            said, _ = following.communicate(timeout=30)

    assert first.split()[0] == "1"
    assert (following.returncode, "Traceback" in said) == (130, False)


async def test_progress_arrives_from_a_worker_of_another_process(rolecall: Rolecall, database_url: str) -> None:
    # Long enough for the worker to learn that it is followed.
    write = {"name": "Write", "kind": "llm", "roleName": "Writer"}
    document: Any = {
        "name": "flow",
        "steps": [{"name": "Loop", "kind": "loop", "maxIterations": 200, "steps": [write]}],
    }
    async with opened(Settings(), database_url, Models.from_environment({"ROLECALL_MODEL": "offline"})):
        await roles.create(OPERATOR, name="Writer", base_prompt="Write.")
        await orchestrations.create(OPERATOR, document=document)
        execution = (await executions.start(OPERATOR, orchestration="flow", input={"topic": "leases"})).id
        with rolecall.started("work", ROLECALL_DATABASE_URL=database_url):
            items = [item async for item in executions.follow(OPERATOR, execution=execution)]
        steps = await executions.steps(OPERATOR, execution=execution)

    assert [item.seq for item in items if isinstance(item, Recorded)] == list(range(1, 404))
    started = [item.path for item in items if isinstance(item, AttemptStarted)]
    texts: defaultdict[str, str] = defaultdict(str)
    for item in items:
        if isinstance(item, Delta):
            texts[item.path] += item.text
    # Progress that comes later than the events after it is not told any more, so not all of it need be there.
    told_whole = [step.path for step in steps if step.path in started and texts[step.path] == step.output]
    assert told_whole
    assert started == sorted(started, key=[step.path for step in steps].index)
