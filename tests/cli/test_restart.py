"""Restarts as a user meets them: `rolecall restart` and `rolecall retry`, and a server that is killed meanwhile."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall, until
from tests.models.peer import Reply, completion, peer_with

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


def test_a_retry_survives_the_death_of_its_process_and_repeats_nothing_that_was_done(
    rolecall: Rolecall, tmp_path: Path
) -> None:
    draft = {"name": "Draft", "kind": "llm", "roleName": "Writer"}
    fetch = {"name": "Fetch", "kind": "tool", "tool": "files.read", "inputMapping": {"path": "late.txt"}}
    edit = {"name": "Edit", "kind": "llm", "roleName": "Writer"}
    with peer_with(completion("Draft."), Reply(never=True), completion("Final.")) as peer:
        real = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{peer.url}/v1", "ROLECALL_MODEL": "openai/m"}
        real["ROLECALL_FILES_DIR"] = str(tmp_path)
        with rolecall.up(**real) as up:
            up.mutate("role.create", name="Writer", basePrompt="Write.")
            up.mutate("orchestration.create", document={"name": "writing", "steps": [draft, fetch, edit]})
            origin = up.mutate("execution.start", orchestration="writing")["id"]
            failed = up.finished(origin)
            (tmp_path / "late.txt").write_text("here")
            retried = up.mutate("execution.retry", execution=origin)["id"]
            until(lambda: len(peer.asked), lambda times: times == 2)
            up.end(signal.SIGKILL)
        with rolecall.up(**real) as up:
            finished = up.finished(retried)

    assert failed["status"] == "failed"
    assert (finished["status"], finished["restartOf"]) == ("completed", origin)
    assert finished["context"] == {"input": {}, "Draft": "Draft.", "Fetch": "here", "Edit": "Final."}
    assert len(peer.asked) == 3


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
