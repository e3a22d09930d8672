"""`rolecall restart` and `rolecall retry` at a terminal."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

READING = {
    "name": "reading",
    "steps": [
        {"name": "Say", "kind": "transform", "inputMapping": {"said": "<<input.path>>"}},
        {"name": "Fetch", "kind": "tool", "tool": "files.read", "inputMapping": {"path": "<<input.path>>"}},
    ],
    "output": {"said": "<<context.Say.said>>", "characters": {"$expr": "len(context.Fetch)"}},
}


def test_what_failed_is_retried_and_restarted_with_another_input(
    rolecall: Rolecall, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "reading.json").write_text(json.dumps(READING))
    given = {"ROLECALL_DATABASE_URL": database_url, "ROLECALL_FILES_DIR": str(tmp_path)}
    failed = rolecall.run("run", str(tmp_path / "reading.json"), "--input", '{"path": "late.txt"}', **given)
    origin = execution_of(failed.stdout)
    (tmp_path / "late.txt").write_text("here")
    (tmp_path / "other.txt").write_text("elsewhere")

    retried = rolecall.run("retry", origin, **given)
    restarted = rolecall.run("restart", origin, "--from", "Fetch", "--input", '{"path": "other.txt"}', **given)
    edited = rolecall.run("restart", origin, "--from", "Fetch", "--context", '{"Say": {"said": "by hand"}}', **given)

    assert failed.returncode == 1
    for done, output in (
        (retried, {"said": "late.txt", "characters": 4}),
        (restarted, {"said": "late.txt", "characters": 9}),
        (edited, {"said": "by hand", "characters": 4}),
    ):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"reading, version 1, a restart of {origin}\n")
        assert json.loads(re.findall(r"^\{.*^\}", done.stdout, re.DOTALL | re.MULTILINE)[0]) == output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry", "00000000-0000-7000-8000-000000000000"), "there is no execution"),
        (("restart", "00000000-0000-7000-8000-000000000000", "--context", "[]"), "--context is to be an object"),
        (("restart", "00000000-0000-7000-8000-000000000000", "--context", "{"), "--context is not JSON"),
    ],
)
def test_what_cannot_be_restarted_is_said_in_one_line(
    rolecall: Rolecall, database_url: str, arguments: tuple[str, ...], said: str
) -> None:
    done = rolecall.run(*arguments, ROLECALL_DATABASE_URL=database_url)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rolecall: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def execution_of(printed: str) -> str:
    """The id that a run ends with."""
    return printed.split()[-1]
