"""`rolecall cancel` at a terminal."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall


@pytest.fixture
def later(rolecall: Rolecall, tmp_path: Path, database_url: str) -> list[str]:
    """Three executions that nobody works on."""
    rolecall.settings["ROLECALL_DATABASE_URL"] = database_url
    file = tmp_path / "later.json"
    step = {"name": "Greet", "kind": "llm", "roleName": "Greeter", "prompt": "Say hello."}
    document = {"name": "later", "steps": [step]}
    bundle = {"rolecall": 1, "roles": [{"name": "Greeter", "basePrompt": "You greet."}], "orchestrations": [document]}
    file.write_text(json.dumps(bundle))
    runs = [rolecall.run("run", what, "--delay", "1d") for what in (str(file), "later", "later")]
    return [re.findall(r"execution ([0-9a-f-]{36})$", done.stdout, re.MULTILINE)[0] for done in runs]


def test_what_would_be_cancelled_is_listed_first(rolecall: Rolecall, later: list[str]) -> None:
    listed = rolecall.run("cancel", "--role", "Greeter", "--dry-run")
    by_id = rolecall.run("cancel", later[0], later[1], "00000000-0000-7000-8000-000000000000")
    by_role = rolecall.run(
        "cancel", "--role", "Greeter", "--started-after", "2026-01-31T12:00:00Z", "--reason", "enough"
    )

    assert (listed.returncode, listed.stdout) == (0, "\n  ".join(["would cancel 3 executions", *later]) + "\n")
    assert (by_id.returncode, by_id.stdout) == (0, "cancelled 2 executions\n")
    assert by_id.stderr == "1 of the ids name no execution that goes on\n"
    assert (by_role.returncode, by_role.stdout) == (0, "cancelled 3 executions\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "say which executions are meant: by their ids, by an option such as --role, or --all"),
        (("--role", "Greter"), "there is no role 'Greter'"),
        (("--started-before", "today"), "--started-before is 'today'; write an instant with its offset, such as"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(
    rolecall: Rolecall, database_url: str, options: tuple[str, ...], message: str
) -> None:
    done = rolecall.run("cancel", *options, ROLECALL_DATABASE_URL=database_url)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rolecall: {message}")
    assert done.stderr.count("\n") == 1
