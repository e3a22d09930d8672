"""The page on following says what is the case: its commands are run, its items compared."""

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.engine.progress import MAX_DELTA_CHARACTERS
from services.executions import AttemptStarted, Delta, Recorded, ToolAnswered, ToolCalled, TurnStarted
from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import blocks, rows
from tests.node import run_script

PAGE = "following.md"
_TIME = re.compile(r"\d\d:\d\d:\d\d\.\d{3}")


def test_the_commands_print_what_stands_below_them(new_directory: NewDirectory, tmp_path: Path) -> None:
    (document,) = blocks(PAGE, "yaml")
    (tmp_path / "greeting.yaml").write_text(document.text)
    first, again, as_json = [block.text.splitlines() for block in blocks(PAGE, "sh")]
    whole, rest = [block.text for block in blocks(PAGE, "text")]
    (last,) = [block.value for block in blocks(PAGE, "json")]
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"})
        ran = typed(rolecall, first[0].replace("greeting.yaml", str(tmp_path / "greeting.yaml")))
        execution = ran.split()[-1]
        printed = [typed(rolecall, command.replace("$execution", execution)) for command in (first[1], *again)]
        item: Any = msgspec.json.decode(typed(rolecall, as_json[0].replace("$execution", execution)))

    assert [_TIME.sub("at", lines) for lines in printed] == [_TIME.sub("at", lines) for lines in (whole, rest)]
    assert item | {"at": None} == last | {"at": None}  # type: ignore[operator]


@pytest.mark.parametrize("example", ["follow", "run"])
def test_a_client_is_told_what_stands_below_the_example(
    new_directory: NewDirectory, tmp_path: Path, example: str
) -> None:
    (document,) = [block.value for block in blocks(PAGE, "yaml")]
    scripts = {block.word: block.text for block in blocks(PAGE, "js")}
    printed = dict(zip(("follow", "run"), [block.text for block in blocks(PAGE, "console")], strict=True))
    with new_directory() as directory, Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"}).up() as up:
        up.mutate("orchestration.create", document=document)
        execution = up.mutate("execution.start", orchestration="greeting", input={"name": "Ada"})["id"]
        up.finished(execution)
        known = {"token": up.token_file.read_text().strip(), "execution": execution}
        (tmp_path / "example.mjs").write_text(
            "".join(f"const {name} = '{value}';\n" for name, value in known.items())
            + scripts["links"].replace("http://127.0.0.1:8787", up.url)
            + scripts[example]
        )
        told = run_script(tmp_path / "example.mjs")

    shown = [line for line in told.splitlines() if line not in ("attempt_started", "turn_started", "delta")]
    assert shown == printed[example].splitlines()


def typed(rolecall: Rolecall, command: str) -> str:
    """What a command prints."""
    name, *arguments = shlex.split(command)
    done = rolecall.run(*arguments)
    assert (name, done.returncode, done.stderr) == ("rolecall", 0, "")
    return done.stdout


def test_each_item_is_described_with_its_fields() -> None:
    told = {row.cells["item"]: re.findall(r"`(\w+)`", row.cells["fields"]) for row in rows(PAGE, "item", "fields")}

    structs: tuple[Any, ...] = (Recorded, AttemptStarted, TurnStarted, Delta, ToolCalled, ToolAnswered)
    assert told == {struct.__struct_config__.tag: list(struct.__struct_encode_fields__) for struct in structs}
    (delta,) = [row for row in rows(PAGE, "item", "meaning") if row.cells["item"] == "delta"]
    assert f"up to {MAX_DELTA_CHARACTERS} characters" in delta.cells["meaning"]
