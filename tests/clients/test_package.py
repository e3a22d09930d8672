"""The package for TypeScript, as npm packs it, against the real server."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services import orchestrations
from services.caller import OPERATOR
from tests.api.client import Api
from tests.clients.project import ROOT, Project, client_packages
from tests.node import TSC, TSC_5_9

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRAMS = Path(__file__).parent / "programs"
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ECHO = {
    "name": "echo it",
    "input": TEXT,
    "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"text": "<<input.text>>"}}],
    "output": {"text": "<<context.Echo.text>>"},
    "outputSchema": TEXT,
}
FAIL = {"name": "fail always", "steps": [{"name": "Refuse", "kind": "fail", "code": "TOO_SAD", "message": "no"}]}
NOTHING = [{"name": "Nothing", "kind": "transform", "inputMapping": {"one": 1}}]
NAMES = (
    "toString", "constructor", "then", "Apply", "mutate", "query", "prototype", "length", "name", "has own property",
    "HTTPServer v2", "default",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def router(api: Api) -> str:
    """The types of a server with some orchestrations."""
    named = [{"name": name, "output": {"is": name}, "steps": NOTHING} for name in NAMES]
    for document in (ECHO, FAIL, *named):
        await orchestrations.create(OPERATOR, document=document)
    reply = await asyncio.to_thread(api.text, "/router.ts")
    assert isinstance(reply, str)
    return reply


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["11.25", "11.4"])
async def said(
    request: pytest.FixtureRequest, api: Api, package: Path, router: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """What the program prints that makes the calls, with each of the clients that the package is for."""
    packages = client_packages(older=request.param == "11.4")
    project = Project.new(tmp_path_factory.mktemp("calls"), package, *packages)
    project.write("router.ts", router)
    project.write("calls.ts", (PROGRAMS / "calls.ts").read_text())
    assert project.compile() == []
    env = {"ROLECALL_URL": api.url, "ROLECALL_TOKEN": api.token}
    return msgspec.json.decode(await asyncio.to_thread(project.run, "calls.js", env))


async def test_its_types_are_those_of_the_router(package: Path) -> None:
    ours = (package / "src" / "router.ts").read_text("utf-8")

    assert ours == (ROOT / "openapi" / "router.ts").read_text("utf-8")


async def test_it_holds_what_is_needed_and_nothing_else(package: Path) -> None:
    files = files_of(package)
    names = ("client", "errors", "index", "retries", "router", "subscriptions")
    built = {f"dist/{name}{ending}" for name in names for ending in (".js", ".d.ts", ".js.map", ".d.ts.map")}

    assert files == {
        "package.json",
        "README.md",
        "LICENSE",
        *(f"src/{name}.ts" for name in names),
        *built,
    }


def files_of(package: Path) -> set[str]:
    """What came in the archive."""
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    return {file for file in files if not file.startswith("node_modules")}


@pytest.mark.parametrize("compiler", [TSC, TSC_5_9], ids=["7.0", "5.9"])
@pytest.mark.parametrize("older", [False, True], ids=["11.25", "11.4"])
async def test_its_types_hold_programs_to_the_router(
    package: Path, router: str, tmp_path: Path, compiler: Path, older: bool
) -> None:
    project = Project.new(tmp_path, package, *client_packages(older=older))
    project.write("router.ts", router)
    project.write("calls.ts", (PROGRAMS / "calls.ts").read_text())
    opening = (
        "import { createRolecallClient } from 'rolecall-client';\nimport type { AppRouter } from './router.js';\n"
        "const rolecall = createRolecallClient({ url: '', token: '' });\n"
        "export const mine = createRolecallClient<AppRouter>({ url: '', token: '' });\n"
    )
    wrong = [
        "await rolecall.role.get.query({});",
        "await rolecall.role.list.mutate();",
        "await rolecall.run.echoIt.mutate({ text: 'a' });",
        "await mine.run.echoIt.mutate({ text: 1 });",
        "(await mine.run.echoIt.mutate({ text: 'a' })).txet;",
        "createRolecallClient({ url: '' });",
    ]
    project.write("wrong.ts", opening + "\n".join(wrong))

    lines = [finding.partition("(")[2].partition(",")[0] for finding in project.compile(compiler)]

    assert sorted(set(map(int, lines))) == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("kind", ["streamed", "batched"])
async def test_calls_of_one_tick_travel_together_and_runs_alone(said: Any, kind: str) -> None:
    seen = said[kind]

    key = f"together {'true' if kind == 'streamed' else 'false'}"
    assert (seen["name"], seen["text"]) == ("tester", "ä")
    assert sorted(seen["requests"], key=str) == [
        ["POST", "/trpc/run.echoIt", key],
        ["POST", "/trpc/run.echoIt", None],
        ["POST", "/trpc/system.whoami,role.list", None],
    ]


async def test_the_address_may_be_written_in_several_ways(said: Any) -> None:
    assert said["addresses"] == ["tester"] * 4


async def test_a_token_is_asked_for_each_request(said: Any) -> None:
    assert said["renewed"] == [True, "tester", 2]


async def test_what_is_refused_for_now_is_tried_again(said: Any) -> None:
    assert said["retried"] == {
        "batch that does not stream": [2, True],
        "query, refused twice": [3, True],
        "query, refused for good": [4, False],
        "query, refused once too often": [2, False],
        "query that failed": [1, False],
        "query, not to be retried": [1, False],
        "mutation, too fast": [2, True],
        "mutation, server away": [1, False],
        "mutation with a key, server away": [2, True],
        "run, server away": [1, False],
        "run with a key, server away": [2, True],
    }


async def test_a_server_that_says_when_to_come_back_is_heard_up_to_a_limit(said: Any) -> None:
    assert said["waits"] == [True, True, True]


async def test_each_name_can_be_called(said: Any) -> None:
    assert said["names"] == [{"is": name} for name in NAMES]


async def test_errors_say_what_the_server_said(said: Any) -> None:
    assert said["errors"] == {
        "failed": {"code": "UNPROCESSABLE_CONTENT", "hasExecution": True, "failure": "TOO_SAD", "step": "Refuse"},
        "refused": {"code": "BAD_REQUEST", "hasExecution": False, "at": "/text"},
        "unreachable": {"hasExecution": False},
        "notOurs": False,
    }
