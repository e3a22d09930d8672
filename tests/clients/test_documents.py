"""What docs/clients.md and the README of the package show is done: files are generated, programs compiled and run."""

import asyncio
import shlex
import sys
from pathlib import Path

import pytest

from services import orchestrations, tokens
from services.caller import OPERATOR
from services.procedure_names import procedure_name
from tests.api.client import Api
from tests.clients.project import PACKAGE, ROOT, Project, client_packages
from tests.docs.markdown import Block, blocks, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = "clients.md"
README = str(PACKAGE / "README.md")
ADDRESS = "http://127.0.0.1:8787"


def served_by(api: Api, text: str) -> str:
    """What a page shows, with the address of this server."""
    return text.replace(ADDRESS, f"http://127.0.0.1:{api.port}")


def printed(page: str) -> str:
    """What a page says that its programs print."""
    return "".join(block.text for block in blocks(page, "text"))


async def typed(command: str, api: Api, folder: Path) -> str:
    """What a command of a page prints, given in that folder, with our token in the environment."""
    words = [sys.executable if word == "rolecall" else word for word in shlex.split(command)]
    words[1:1] = ["-m", "api.cli"] if words[0] == sys.executable else []
    words = [served_by(api, word).replace("$ROLECALL_TOKEN", api.token) for word in words]
    env = {"ROLECALL_TOKEN": api.token, "PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, env=env, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_the_page_is_done_as_it_stands(api: Api, tmp_path: Path) -> None:
    (document,) = blocks(CLIENTS, "yaml")
    await orchestrations.create(OPERATOR, document=document.value)
    project = Project.new(tmp_path, *client_packages())
    generate, curl = [block.text.strip() for block in blocks(CLIENTS, "sh")]

    said = await typed(generate, api, tmp_path)
    fetched = await typed(curl, api, tmp_path)
    shown = [block.text for block in blocks(CLIENTS, "ts") if not block.word]
    project.write("program.ts", served_by(api, "\n".join(shown)))

    text = (tmp_path / "router.ts").read_text("utf-8")
    assert (said, fetched) == ("router.ts\n", text)
    assert [block.line for block in generated() if block.text not in text] == []
    assert project.compile() == []
    run = asyncio.to_thread(project.run, "program.js", {"ROLECALL_TOKEN": api.token})
    assert await run == printed(CLIENTS)


def generated() -> list[Block]:
    return [block for block in blocks(CLIENTS, "ts") if block.word == "generated"]


async def test_names_are_made_as_the_table_says() -> None:
    told = {row.cells["orchestration"]: row.cells["procedure"] for row in rows(CLIENTS, "orchestration", "procedure")}

    assert {name: f"run.{procedure_name(name)}" for name in told} == told


async def test_the_readme_of_the_package_is_done_as_it_stands(api: Api, package: Path, tmp_path: Path) -> None:
    project = Project.new(tmp_path, package, *client_packages())
    _, generate = [block.text.strip() for block in blocks(README, "sh")]
    *first, last = [block.text for block in blocks(README, "ts")]
    env = {"ROLECALL_TOKEN": api.token}

    project.write("first.ts", served_by(api, "\n".join(first)))
    findings = project.compile()
    said = await asyncio.to_thread(project.run, "first.js", env)
    await typed(generate, api, tmp_path)
    project.write("last.ts", served_by(api, last))
    findings += project.compile()
    said += await asyncio.to_thread(project.run, "last.js", env)

    assert (findings, said) == ([], printed(README))


async def test_whoever_may_not_read_orchestrations_gets_no_types(api: Api) -> None:
    runner = await tokens.create(OPERATOR, name="types runner", scopes=("executions.run",))

    stranger = await api.ask("GET", "/router.ts")
    refused = await api.ask("GET", "/router.ts", authorization=f"Bearer {runner.token}")

    said = "no token was sent; send the header `Authorization: Bearer <token>`"
    assert (stranger.status, stranger.body) == (401, {"error": {"message": said, "status": 401}})
    assert stranger.headers["www-authenticate"] == 'Bearer realm="rolecall"'
    assert refused.status == 403
    assert refused.body["error"]["message"].endswith("this needs orchestrations.read")
