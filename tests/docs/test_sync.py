"""docs/sync.md: its files are written and its commands run, in their order, over one database."""

import re
import shlex
from pathlib import Path

from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import DOCS

_BLOCK = re.compile(r"^```(?:yaml file=(?P<file>\S+)|console)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ rolecall (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def test_each_command_says_what_stands_below_it(new_directory: NewDirectory, database_url: str, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    said: list[tuple[str, str]] = []
    with new_directory() as data:
        rolecall = Rolecall(data, {"ROLECALL_DATABASE_URL": database_url, "ROLECALL_MODEL": "offline"})
        for block in _BLOCK.finditer((DOCS / "sync.md").read_text("utf-8")):
            if block["file"] is not None:
                (tmp_path / block["file"]).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / block["file"]).write_text(block["text"])
                continue
            for command in _COMMAND.finditer(block["text"]):
                done = rolecall.run(*(_below(tmp_path, word) for word in shlex.split(command[1])))
                code = f"[{done.returncode}]\n" if done.returncode else ""
                told.append((command[1], command[2]))
                said.append((command[1], done.stdout + done.stderr + code))

    assert len(told) > 8
    assert said == told


def _below(folder: Path, word: str) -> str:
    return str(folder / word) if (folder / word).exists() else word
