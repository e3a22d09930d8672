"""The page on sockets says what is the case: its example is run, its limits compared."""

from pathlib import Path

from api.cli.serving import REQUEST_PATIENCE_SECONDS
from api.rpc import MAX_MESSAGE_BYTES, SocketLimits
from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import DOCS, blocks, rows
from tests.node import run_script

PAGE = "sockets.md"
MIB = 1024 * 1024


def test_the_example_prints_what_stands_below_it(new_directory: NewDirectory, tmp_path: Path) -> None:
    (example,) = blocks(PAGE, "js")
    (printed,) = blocks(PAGE, "console")
    with new_directory() as directory, Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"}).up() as up:
        token = f"const token = '{up.token_file.read_text().strip()}';\n"
        script = tmp_path / "example.mjs"
        script.write_text(token + example.text.replace("ws://127.0.0.1:8787", up.url.replace("http", "ws")))
        told = run_script(script)

    assert told == printed.text


def test_the_limits_are_those_of_the_server() -> None:
    limits = SocketLimits()

    assert {row.cells["what"]: row.cells["limit"] for row in rows(PAGE, "what", "limit")} == {
        "a frame": f"{MAX_MESSAGE_BYTES // MIB} MiB",
        "the input of a call": f"{limits.max_input_bytes // MIB} MiB",
        "calls in one message": f"{limits.max_batch}",
        "queries and mutations under way": f"{limits.max_calls}",
        "subscriptions under way": f"{limits.max_subscriptions}",
        "silence of the client": f"{limits.ping_seconds:g} s",
        "a text that the client does not read": f"{limits.send_seconds:g} s",
    }
    (silence,) = [row for row in rows(PAGE, "what", "beyond it") if row.cells["what"] == "silence of the client"]
    assert f"after {limits.pong_seconds:g} s more" in silence.cells["beyond it"]


def test_the_patience_of_a_server_that_ends_is_told() -> None:
    assert REQUEST_PATIENCE_SECONDS == 5
    assert "for up to five\nseconds" in (DOCS / PAGE).read_text(encoding="utf-8")
