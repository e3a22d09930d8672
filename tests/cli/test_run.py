"""`rolecall run` and `rolecall check`: from a file to an output, or to words that help."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall, until
from tests.models.peer import Reply, completion, peer_with

EXAMPLE = ("run", "examples/research-brief.yaml", "--input", "@examples/research-brief.input.json")


def test_the_example_runs_from_nothing_and_again_without_a_second_version(rolecall: Rolecall) -> None:
    first = rolecall.run(*EXAMPLE)
    second = rolecall.run(*EXAMPLE)

    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("research-brief, version 1\nmodel: offline/extractive")
        settled = re.findall(r"^✓ ([\w ]+): (\w+)", done.stdout, re.MULTILINE)
        assert sorted(settled) == [
            ("Read first", "completed"),
            ("Read second", "completed"),
            ("Read third", "completed"),
            ("Review", "completed"),
            ("Revise", "completed"),
            ("Synthesise", "completed"),
        ]
        assert "\n# Crash-safe AI workflows\n" in done.stdout
        assert re.search(r"^completed: 6 of 6 steps · .* · \$0 · execution [0-9a-f-]{36}$", done.stdout, re.MULTILINE)


def test_a_loaded_orchestration_runs_by_name(rolecall: Rolecall, tmp_path: Path) -> None:
    greeting = tmp_path / "greeting.json"
    greeting.write_text(json.dumps(document("Greet", inputMapping={"hello": "<<input.name>>"})))
    rolecall.run("run", str(greeting), "--input", '{"name": "Ada"}')

    done = rolecall.run("run", "sample", "--sticky-key", "Grace", "--input", '{"name": "Grace"}')

    assert done.returncode == 0
    assert '"hello": "Grace"' in done.stdout


def test_a_delayed_run_is_left_to_the_workers_of_then(rolecall: Rolecall, tmp_path: Path) -> None:
    greeting = tmp_path / "greeting.json"
    greeting.write_text(json.dumps(document("Greet", inputMapping={"hello": "<<input.name>>"})))

    done = rolecall.run("run", str(greeting), "--delay", "2d", "--priority", "7")
    refused = rolecall.run("run", "sample", "--delay", "366d")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"^queued until [\d-]{10} [\d:]{8} UTC; .* takes it up: execution [0-9a-f-]{36}$", done.stdout, re.M
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "rolecall: --delay is longer than a year; start the execution within 365d\n"


def test_a_failed_execution_names_its_step_and_ends_with_1(rolecall: Rolecall, tmp_path: Path) -> None:
    failing = tmp_path / "failing.json"
    step = {"kind": "tool", "tool": "files.read", "inputMapping": {"path": "nowhere.txt"}}
    failing.write_text(json.dumps(document("Fetch", **step)))

    done = rolecall.run("run", str(failing))

    assert done.returncode == 1
    assert done.stderr == (
        "the execution failed at the step Fetch: TOOL_ERROR: 'nowhere.txt' cannot be read: No such file or directory\n"
    )


def test_a_file_that_breaks_callers_runs_only_when_it_may(rolecall: Rolecall, tmp_path: Path) -> None:
    file = tmp_path / "greeting.json"
    schema = {"type": "object", "required": ["name"]}
    file.write_text(json.dumps(document("Greet", inputMapping={"hello": "<<input>>"})))
    rolecall.run("run", str(file), "--input", '{"name": "Ada"}')
    file.write_text(json.dumps({**document("Greet", inputMapping={"hello": "<<input>>"}), "input": schema}))

    refused = rolecall.run("run", str(file), "--input", '{"name": "Ada"}')
    done = rolecall.run("run", str(file), "--input", '{"name": "Ada"}', "--breaking")

    assert refused.returncode == 1
    assert "this would break those who rely on version 1 of 'sample'; if it may, say `breaking`" in refused.stderr
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sample, version 2\n")


def test_check_lists_every_problem_at_once(rolecall: Rolecall, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("""
rolecall: 1
roles:
  - {name: Reader, basePromt: Read., tools: [files.reed]}
  - {name: Writer, basePrompt: Write., tools: [files.reed]}
orchestrations:
  - name: bad
    steps:
      - {name: Write, roleName: Wriiter}
      - {name: Show, kind: transform, inputMapping: {text: "<<context.Wrote>>"}}
""")

    done = rolecall.run("check", str(bad))

    assert (done.returncode, done.stdout) == (1, "")
    assert [re.sub(r":.*\((\w+)\)$", r" \1", line) for line in done.stderr.splitlines()[:-1]] == [
        "/roles/0/basePromt UNKNOWN_FIELD",
        "/roles/0 REQUIRED",
        "/roles/1/tools/0 UNKNOWN_TOOL",
        "/orchestrations/0/steps/0/roleName UNKNOWN_ROLE",
        "/orchestrations/0/steps/1/inputMapping UNKNOWN_REFERENCE",
    ]
    assert "did you mean basePrompt?" in done.stderr
    assert done.stderr.endswith("bad.yaml: 5 problems\n")


def test_check_is_content_with_the_example(rolecall: Rolecall) -> None:
    done = rolecall.run("check", "examples/research-brief.yaml")

    expected = "examples/research-brief.yaml: 4 roles, 1 orchestration, no problems\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("run", "no/such.yaml"), {}, "cannot read no/such.yaml: No such file or directory"),
        (("run", "sample", "--input", "{"), {}, "--input is not JSON: Input data was truncated"),
        (("run", "nobody-knows"), {}, "there is no orchestration 'nobody-knows'; there are none yet"),
        (("run", "examples/research-brief.yaml"), {}, "the input does not fit the orchestration's input schema"),
        (("migrate",), {"ROLECALL_DATABASE_URL": "mysql://x"}, "is not the URL of a PostgreSQL database"),
        (("migrate",), {"ROLECALL_DATABASE_URL": "postgresql://127.0.0.1:9/x"}, "cannot open the database"),
        (("work",), {"ROLECALL_MODEL": "openai/gpt-6-luna"}, "ROLECALL_MODEL=openai/gpt-6-luna is not available"),
        (("up",), {"ROLECALL_PORT": "many"}, "ROLECALL_PORT is 'many'"),
        (("up",), {"ROLECALL_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
        (("token", "create", "ci", "--scope", "roles.reed"), {}, "did you mean roles.read?"),
    ],
)
def test_what_the_user_can_mend_is_said_in_words(
    rolecall: Rolecall, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    done = rolecall.run(*arguments, **settings)

    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("rolecall: ")
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_the_execution_for_the_next_worker(rolecall: Rolecall, tmp_path: Path) -> None:
    slow = tmp_path / "slow.json"
    role = {"name": "Writer", "basePrompt": "Write."}
    slow.write_text(json.dumps({"roles": [role], "orchestrations": [document("Write", kind="llm", roleName="Writer")]}))
    with peer_with(Reply(never=True), completion("Written.")) as peer:
        real = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{peer.url}/v1", "ROLECALL_MODEL": "openai/m"}
        with rolecall.started("run", str(slow), **real) as running:
            until(lambda: len(peer.asked), lambda times: times == 1)
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=30)
        execution = re.search(r"The execution (\S+) is kept", said)
        with rolecall.up(**real) as up:
            finished = up.finished(execution[1] if execution else said)

    assert running.returncode == 130
    assert (finished["status"], finished["output"]) == ("completed", {"input": {}, "Write": "Written."})


def document(step: str, **fields: object) -> dict[str, object]:
    """An orchestration `sample` of one step, a transform unless it says otherwise."""
    return {"name": "sample", "steps": [{"name": step, "kind": "transform", **fields}]}
