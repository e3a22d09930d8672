"""`rolecall generate`: the types of a server or of a database, as a file."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

BUNDLE = """
orchestrations:
  - name: research-brief
    input: {type: object, properties: {topic: {type: string}}, required: [topic]}
    steps: [{name: Quote, kind: transform, inputMapping: {said: "<<input.topic>>"}}]
"""


def test_a_server_and_its_database_give_the_same_types(rolecall: Rolecall, database_url: str, tmp_path: Path) -> None:
    given = {"ROLECALL_DATABASE_URL": database_url}
    (tmp_path / "bundle.yaml").write_text(BUNDLE)
    assert rolecall.run("run", str(tmp_path / "bundle.yaml"), "--input", '{"topic": "ink"}', **given).returncode == 0

    of_database = rolecall.run("generate", "--from-database", "--out", "-", **given)
    with rolecall.up(**given) as up:
        file = tmp_path / "router.ts"
        token = up.token_file.read_text().strip()
        server = ["generate", "--from-server", up.url, "--out", str(file)]
        by_option = rolecall.run(*server, "--token", token)
        trpc = f"{up.url}/trpc/"
        by_variable = rolecall.run("generate", "--from-server", trpc, "--out", "-", ROLECALL_TOKEN=token)
        refused = rolecall.run(*server, "--token", "rc_wrong")

    assert of_database.stdout == by_variable.stdout == file.read_text("utf-8")
    assert "researchBrief: Mutation<RunResearchBriefInput, Json>;" in of_database.stdout
    assert (by_option.returncode, by_option.stdout, by_option.stderr) == (0, f"{file}\n", "")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"rolecall: {up.url}/router.ts answers 401: this is no token;")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--from-server", "127.0.0.1:8787"],
            "--from-server is '127.0.0.1:8787'; it should be like http://127.0.0.1:8787",
        ),
        (
            ["--from-server", "file:///etc/passwd"],
            "--from-server is 'file:///etc/passwd'; it should be like http://127.",
        ),
        (
            ["--from-server", "http://127.0.0.1:1"],
            "a server tells its orchestrations to callers it knows: give --token",
        ),
        (["--from-server", "http://127.0.0.1:1", "--token", "x"], "cannot read http://127.0.0.1:1/router.ts: "),
        (["--from-server", "http://127.0.0.1:1", "--token", "a\nb"], "cannot read http://127.0.0.1:1/router.ts: "),
        (["--from-server", "http://127.0.0.1:1", "--from-database"], "give --from-server or --from-database, not both"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(rolecall: Rolecall, arguments: list[str], says: str) -> None:
    done = rolecall.run("generate", *arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"rolecall: {says}")


@pytest.mark.parametrize(
    ("status", "says"), [(200, "is no router.ts of a Rolecall"), (418, "answers 418: I'm a Teapot")]
)
def test_another_server_is_not_taken_for_one_of_ours(
    rolecall: Rolecall, tmp_path: Path, status: int, says: str
) -> None:
    file = tmp_path / "router.ts"
    file.write_text("kept")

    with other_server(status) as url:
        done = rolecall.run("generate", "--from-server", url, "--token", "x", "--out", str(file))

    assert (done.returncode, file.read_text()) == (1, "kept")
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == [file]


@contextmanager
def other_server(status: int) -> Iterator[str]:
    """Where something else answers."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
