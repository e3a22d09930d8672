"""`rolecall signal` at a terminal."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def unpaid(rolecall: Rolecall, tmp_path: Path, database_url: str) -> str:
    """An execution that is going to wait for its payment; nobody works on it yet."""
    rolecall.settings["ROLECALL_DATABASE_URL"] = database_url
    file = tmp_path / "delivery.json"
    file.write_text(json.dumps({"name": "delivery", "steps": [{"name": "Paid", "kind": "wait", "event": "payment"}]}))
    done = rolecall.run("run", str(file), "--delay", "1s")
    return re.findall(r"execution ([0-9a-f-]{36})$", done.stdout, re.MULTILINE)[0]


def test_a_signal_is_sent_once_and_ends_the_wait(rolecall: Rolecall, unpaid: str, tmp_path: Path) -> None:
    data = tmp_path / "payment.json"
    data.write_text('{"amount": 35}')
    sent = rolecall.run("signal", unpaid, "payment", "--data", f"@{data}", "--key", "k")
    again = rolecall.run("signal", unpaid, "payment", "--data", '{"amount": 35}', "--key", "k")
    other = rolecall.run("signal", unpaid, "payment", "--key", "k")
    with rolecall.started("work"):
        followed = rolecall.run("follow", unpaid)

    assert (sent.returncode, sent.stdout, sent.stderr) == (
        0,
        f"sent 'payment' to execution {unpaid}, which is queued\n",
        "",
    )
    assert (again.returncode, again.stdout) == (0, sent.stdout)
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr.startswith("rolecall: idempotency key 'k' was used for another signal")
    kinds = [line.split()[2:] for line in followed.stdout.splitlines()]
    assert kinds == [
        ["execution_started"],
        ["signal_received", "payment"],
        ["step_waiting", "Paid"],
        ["step_completed", "Paid", "(1)"],
        ["execution_completed"],
    ]


def test_who_runs_what_waits_is_told_how_to_go_on(rolecall: Rolecall, tmp_path: Path, database_url: str) -> None:
    rolecall.settings["ROLECALL_DATABASE_URL"] = database_url
    file = tmp_path / "order.json"
    waits = [{"name": name, "kind": "wait", "event": name.lower()} for name in ("Paid", "Packed")]
    file.write_text(json.dumps({"name": "order", "steps": waits}))
    with rolecall.started("run", str(file)) as run:
        assert run.stdout is not None
        title, told = run.stdout.readline(), run.stdout.readline()
        found = re.fullmatch(r"it waits to be told: rolecall signal ([0-9a-f-]{36}) packed \| paid\n", told)
        assert found is not None, told
        for event in ("packed", "paid"):
            assert rolecall.run("signal", found[1], event, "--data", f'"{event}"').returncode == 0
        rest = run.stdout.read()

    assert title == "order, version 1\n"
    assert json.loads(re.findall(r"^\{.*^\}", rest, re.DOTALL | re.MULTILINE)[0]) == {
        "input": {},
        "Paid": "paid",
        "Packed": "packed",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((NOBODY, "payment"), f"there is no execution '{NOBODY}'"),
        (("", "paid"), "the execution cannot be sent this signal:\n  /event: no step waits for the event 'paid'"),
        (("", "payment", "--data", "{amount: 35}"), "--data is not JSON"),
        (("", "payment", "--data", "@nowhere.json"), "cannot read nowhere.json"),
        (("", "payment", "--key", "k" * 201), "--key has 201 characters; it has 1 to 200"),
    ],
)
def test_what_cannot_be_sent_is_said(rolecall: Rolecall, unpaid: str, arguments: tuple[str, ...], message: str) -> None:
    execution, *others = arguments

    done = rolecall.run("signal", execution or unpaid, *others)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rolecall: {message}")
    assert "Traceback" not in done.stderr
