"""`rolecall retry` at a terminal, for many executions at once; for one it is in test_restart.py."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def failures(rolecall: Rolecall, tmp_path: Path, database_url: str) -> list[str]:
    """Two executions that have failed, and one that fails whatever is retried: its output cannot be made."""
    rolecall.settings["ROLECALL_DATABASE_URL"] = database_url
    fetch = {"name": "Fetch", "kind": "tool", "tool": "files.read", "inputMapping": {"path": "late.txt"}}
    (tmp_path / "reading.json").write_text(json.dumps({"name": "reading", "steps": [fetch]}))
    say = {"name": "Say", "kind": "transform", "inputMapping": {"said": "it"}}
    output = {"n": {"$expr": "context.Say.said + 1"}}
    (tmp_path / "saying.json").write_text(json.dumps({"name": "saying", "steps": [say], "output": output}))
    runs = [
        rolecall.run("run", what) for what in (str(tmp_path / "reading.json"), "reading", str(tmp_path / "saying.json"))
    ]
    assert [done.returncode for done in runs] == [1, 1, 1]
    return [re.findall(r"execution ([0-9a-f-]{36})$", done.stdout, re.MULTILINE)[0] for done in runs]


def test_many_are_listed_retried_and_skipped_the_next_time(rolecall: Rolecall, failures: list[str]) -> None:
    reading = ("--orchestration", "reading")
    listed = rolecall.run("retry", *reading, "--status", "failed", "--dry-run")
    retried = rolecall.run("retry", *reading)
    listed_again = rolecall.run("retry", *reading, "--dry-run")
    skipped = rolecall.run("retry", *reading)
    again = rolecall.run("retry", *failures[:2], NOBODY, "--again")

    assert (listed.returncode, listed.stdout) == (0, "\n  ".join(["would retry 2 executions", *failures[:2]]) + "\n")
    assert (retried.returncode, retried.stdout, retried.stderr) == (0, "retried 2 executions\n", "")
    assert listed_again.stdout == "would retry 0 executions; 2 had been restarted before\n"
    assert (skipped.returncode, skipped.stdout) == (0, "retried 0 executions; 2 had been restarted before\n")
    assert (again.returncode, again.stdout) == (0, "retried 2 executions\n")
    assert again.stderr.startswith("1 of the ids name no execution that can be retried")


def test_what_cannot_be_retried_is_said_of_each(rolecall: Rolecall, failures: list[str]) -> None:
    done = rolecall.run("retry", "--all")

    assert (done.returncode, done.stdout) == (1, "retried 2 executions\n")
    first, last = done.stderr.splitlines()
    assert first.startswith(f"  {failures[2]}: CONFLICT: execution '{failures[2]}' has no step to retry")
    assert last == "1 execution could not be retried"


def test_nothing_is_not_everything(rolecall: Rolecall, database_url: str) -> None:
    done = rolecall.run("retry", ROLECALL_DATABASE_URL=database_url)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rolecall: say which executions are meant")
