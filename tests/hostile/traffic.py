"""One round of generated traffic: a server with an empty database, and schemathesis, which reads what it serves."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.processes import ROOT, Rolecall, Up

CONFIG = Path(__file__).with_name("schemathesis.toml")

# How many random inputs each procedure gets; there are as many again that are made of its schema's limits.
INPUTS = 120

_OF_EACH = 8


@dataclass(frozen=True)
class Round:
    """How many requests were answered, how many kinds of answers were wrong, and what is said of these."""

    cases: int
    failures: int
    said: str


def round_of(rolecall: Rolecall, *, seed: int, inputs: int = INPUTS) -> Round:
    """What came of a round with that seed; the server has answered to the end, and ends when it is asked to.

    Raises:
        AssertionError: the traffic was not played to its end.
    """
    # A case in each procedure comes with a wrong token.
    with rolecall.up(ROLECALL_FAILED_SIGN_INS_PER_MINUTE="1000") as up:
        found = _played(up, _world(up), seed, inputs)
        assert up.query("system.health")["status"] == "ok", found.said
        return found


def _world(up: Up) -> Mapping[str, Sequence[str]]:
    """By the field that names it, what there is: roles, orchestrations that cost nothing, executions in every state."""
    quote = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "<<input.topic | default('tea')>>"}}
    held = {"name": "Draft", "kind": "wait", "forMs": 86_400_000}
    broken = {"name": "Draft", "kind": "transform", "inputMapping": {"text": "<<input.nothing.at.all>>"}}
    roles = [f"Critic {number}" for number in range(_OF_EACH)]
    for role in roles:
        up.mutate("role.create", name=role, basePrompt="You score drafts strictly.")
    steps = {
        f"{name} {number}": step
        for name, step in {"review": quote, "held": held, "broken": broken}.items()
        for number in range(_OF_EACH)
    }
    for name, step in steps.items():
        up.mutate("orchestration.create", document={"name": name, "steps": [step]})
    executions = [up.mutate("execution.start", orchestration=name)["id"] for name in steps]
    later = [up.mutate("execution.start", orchestration="review 0", delayMs=86_400_000)["id"] for _ in range(_OF_EACH)]
    up.mutate("execution.pause", execution=later[0])
    up.mutate("execution.cancel", execution=later[1])
    return {"role": roles, "orchestration": list(steps), "execution": [*executions, *later]}


def _played(up: Up, there: Mapping[str, Sequence[str]], seed: int, inputs: int) -> Round:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{up.url}/openapi.json",
            "--seed", str(seed), "--max-examples", str(inputs), "--report", "json", "--report-json-path", str(report),
        ]  # fmt: skip
        own = {"ROLECALL_TOKEN": up.token_file.read_text().strip(), "ROLECALL_THERE": json.dumps(there)}
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False)
        assert report.exists(), done.stdout + done.stderr
        return _read(json.loads(report.read_text()), done.stdout + done.stderr)


def _read(report: Any, said: str) -> Round:
    cases = report["test_cases"]
    assert report["complete"] and not cases["errored"] and report["operations"]["errored"] == 0, said
    # It may also end badly for reasons that are no failures of an answer.
    return Round(cases["generated"], max(len(report["failures"]), report["exit_code"]), said)
