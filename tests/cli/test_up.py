"""`rolecall up`: what it leaves, whom it lets in, how it ends, and what is left when it is killed."""

import json
import signal
import stat
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.cli.processes import Rolecall, until
from tests.models.peer import Reply, completion, peer_with

EXAMPLE = ("run", "examples/research-brief.yaml", "--input", "@examples/research-brief.input.json")


def test_the_first_start_leaves_a_token_for_its_owner_alone(rolecall: Rolecall) -> None:
    with rolecall.up() as up:
        who = up.query("system.whoami")
        mode = stat.S_IMODE(up.token_file.stat().st_mode)
        token = up.token_file.read_text()
        code = up.end(signal.SIGTERM)
    with rolecall.up() as again:
        kept = again.token_file.read_text()

    assert (code, oct(mode), kept) == (0, "0o600", token)
    assert (who["kind"], who["name"]) == ("human", "admin")


def test_a_second_process_joins_the_database_of_the_first(rolecall: Rolecall) -> None:
    with rolecall.up() as up:
        done = rolecall.run(*EXAMPLE)
        executions = up.query("execution.list")["items"]
        code = up.end(signal.SIGINT)

    assert (done.returncode, code) == (0, 0)
    assert done.stderr == "joined the embedded database of another rolecall process; it ends with that process\n"
    assert [(it["orchestration"], it["status"]) for it in executions] == [("research-brief", "completed")]


def test_a_taken_port_is_said_in_one_line(rolecall: Rolecall) -> None:
    with rolecall.up() as up:
        port = up.url.rpartition(":")[2]
        done = rolecall.run("up", ROLECALL_PORT=port)

    said = f"rolecall: 127.0.0.1:{port} is in use, perhaps by another `rolecall up`; set ROLECALL_PORT to a free port\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_headers_without_end_are_cut_off(rolecall: Rolecall) -> None:
    with rolecall.up() as up:
        try:
            urlopen(Request(f"{up.url}/trpc/system.health", headers={"x": "a" * 100_000}), timeout=10)
            said = ""
        except HTTPError as error:
            said = f"{error.code} {json.load(error)['error']['message']}"

    assert said == "400 the headers are larger than 65536 bytes"


def test_a_worker_alone_ends_in_order(rolecall: Rolecall) -> None:
    with rolecall.started("work") as working:
        assert working.stdout is not None
        said = working.stdout.readline()
        working.send_signal(signal.SIGTERM)
        working.communicate(timeout=30)

    assert said == "Rolecall 0.1.0: working; model offline/extractive\n"
    assert working.returncode == 0


def test_after_kill_9_nothing_that_was_done_is_done_again(rolecall: Rolecall) -> None:
    roles = {"First": "Write the first sentence.", "Second": "Write the second sentence."}
    steps = [{"name": name, "kind": "llm", "roleName": name} for name in roles]
    with peer_with(completion("One."), Reply(never=True), completion("Two.")) as peer:
        real = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{peer.url}/v1", "ROLECALL_MODEL": "openai/m"}
        with rolecall.up(**real) as up:
            for name, prompt in roles.items():
                up.mutate("role.create", name=name, basePrompt=prompt)
            up.mutate("orchestration.create", document={"name": "slow", "steps": steps})
            execution = up.mutate("execution.start", orchestration="slow")["id"]
            until(lambda: up.statuses(execution), lambda seen: seen == {"First": "completed", "Second": "running"})
            until(lambda: len(peer.asked), lambda times: times == 2)
            up.end(signal.SIGKILL)
        with rolecall.up(**real) as up:
            finished = up.finished(execution)
            logs = up.query("execution.steps", execution=execution)

    assert (finished["status"], finished["output"]) == (
        "completed",
        {"input": {}, "First": "One.", "Second": "Two."},
    )
    assert [(log["name"], log["status"], log["attempts"], log["output"]) for log in logs] == [
        ("First", "completed", 1, "One."),
        ("Second", "completed", 1, "Two."),
    ]
    prompts = [asked.body["messages"][0]["content"] for asked in peer.asked]
    assert prompts == [roles["First"], roles["Second"], roles["Second"]]


def test_pages_of_an_allowed_origin_are_let_in(rolecall: Rolecall) -> None:
    with rolecall.up(ROLECALL_ALLOWED_ORIGINS="https://app.example") as up:
        asked = [
            Request(f"{up.url}/trpc/system.health", headers={"Origin": it})
            for it in ("https://app.example", "https://b.example")
        ]
        allowed = []
        for request in asked:
            with urlopen(request, timeout=10) as response:
                allowed.append(response.headers["access-control-allow-origin"])

    assert allowed == ["https://app.example", None]
