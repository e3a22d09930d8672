"""The page on the opened folder says what is the case: its calls are made, its table compared with the tools."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from services.sandbox import NoSandbox, Sandbox
from services.tools import files, git, shell
from services.tools.tool import Tool
from tests.docs.markdown import blocks, rows
from tests.tools.calling import called, refused

PAGE = "opened-folder.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    opened = tmp_path / "open"
    (opened / "notes").mkdir(parents=True)
    (opened / "notes" / "plan.txt").write_text("Buy tea.\n")
    (opened / "recipes.txt").write_text("In hot water:\nTea: 3 minutes.\n")
    for path in (opened, *opened.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    return opened


async def tools_of(folder: Path) -> dict[str, Tool]:
    try:
        sandbox = await Sandbox.probed()
    except NoSandbox:
        sandbox = None
    found = (*files.tools(str(folder), writable=True), *git.tools(str(folder), sandbox))
    return {tool.name: tool for tool in (*found, *(shell.tools(sandbox, str(folder)) if sandbox else ()))}


async def test_the_calls_do_what_the_page_says(folder: Path) -> None:
    tools = await tools_of(folder)
    calls = [block for block in blocks(PAGE, "json") if block.word in ("call", "sandboxed")]
    answers = [block for block in blocks(PAGE, "json") if block.word in ("result", "error")]

    for call, answer in zip(calls, answers, strict=True):
        said, meant = json.loads(call.text), json.loads(answer.text)
        if call.word == "sandboxed" and said["tool"] not in tools:
            continue
        if said["tool"].startswith("git."):
            _repository(folder / "project")
        answered = await (refused if answer.word == "error" else called)(tools[said["tool"]], **said["arguments"])
        assert answered == meant


async def test_the_table_is_that_of_the_tools(folder: Path) -> None:
    tools = await tools_of(folder)

    told = {row.cells["tool"]: (row.cells["effect"], row.cells["security"]) for row in rows(PAGE, "tool", "effect")}

    assert {name: told[name] for name in tools} == {name: (it.effect, it.security) for name, it in tools.items()}
    assert set(told) - set(tools) <= {"shell.run"}


def _repository(path: Path) -> None:
    path.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(path)], check=True, timeout=30)
    (path / "new.txt").write_text("new\n")
