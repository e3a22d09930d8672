"""One round of generated traffic: a server with an empty database, and schemathesis, which reads what it serves."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.processes import ROOT, Rolecall, Up

CONFIG = Path(__file__).with_name("schemathesis.toml")

# How many random inputs each procedure gets; there are as many again that are made of its schema's limits.
INPUTS = 120


@dataclass(frozen=True)
class Round:
    """How many requests were answered, what was wrong with the answers, and all that was said about it."""

    cases: int
    failures: list[str]
    said: str


def round_of(rolecall: Rolecall, *, seed: int, inputs: int = INPUTS) -> Round:
    """What came of a round with that seed; the server has answered to the end, and ends when it is asked to.

    Raises:
        AssertionError: the traffic was not played to its end.
    """
    with rolecall.up() as up:
        found = _played(up, _world(up), seed, inputs)
        assert up.query("system.health")["status"] == "ok", found.said
        return found


def _world(up: Up) -> list[str]:
    """Executions in every state, of an orchestration that costs nothing, and a role; these are named by examples."""
    quote = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "<<input.topic | default('tea')>>"}}
    held = {"name": "Held", "kind": "wait", "forMs": 86_400_000}
    broken = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "<<input.nothing.at.all>>"}}
    up.mutate("role.create", name="Critic", basePrompt="You score drafts strictly.")
    for name, steps in {"review": [quote], "held": [held], "broken": [broken]}.items():
        up.mutate("orchestration.create", document={"name": name, "steps": steps})
    started = [up.mutate("execution.start", orchestration=name)["id"] for name in ("review", "held", "broken") * 4]
    later = up.mutate("execution.start", orchestration="review", delayMs=86_400_000)["id"]
    up.mutate("execution.cancel", execution=started[-2])
    up.mutate("execution.pause", execution=started[-5])
    return [*started, later]


def _played(up: Up, executions: list[str], seed: int, inputs: int) -> Round:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{up.url}/openapi.json",
            "--seed", str(seed), "--max-examples", str(inputs), "--report", "json", "--report-json-path", str(report),
        ]  # fmt: skip
        own = {"ROLECALL_TOKEN": up.token_file.read_text().strip(), "ROLECALL_EXECUTIONS_THERE": ",".join(executions)}
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False)
        assert report.exists(), done.stdout + done.stderr
        return _read(json.loads(report.read_text()), done.stdout + done.stderr)


def _read(report: Any, said: str) -> Round:
    cases = report["test_cases"]
    assert report["complete"] and not cases["errored"] and report["operations"]["errored"] == 0, said
    failures = [json.dumps(failure) for failure in report["failures"]]
    # Whatever else made it end badly is told in what it said.
    return Round(cases["generated"], failures or ([said] if report["exit_code"] else []), said)
