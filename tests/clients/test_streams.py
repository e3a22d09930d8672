"""The package's subscriptions and streams, by server-sent events and by WebSocket, against the real server."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services import orchestrations
from services.caller import OPERATOR
from tests.api.client import Api
from tests.clients.project import Project, client_packages
from tests.clients.test_package import ECHO, PROGRAMS
from tests.node import NODE_MODULES

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ["execution_started", "step_completed", "execution_completed"]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def echo(api: Api) -> None:
    """What there is to run."""
    await orchestrations.create(OPERATOR, document=ECHO)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["11.25", "11.4"])
async def said(
    request: pytest.FixtureRequest, api: Api, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """What the program prints that follows executions, with each of the clients that the package is for."""
    packages = client_packages(older=request.param == "11.4")
    project = Project.new(tmp_path_factory.mktemp("follow"), package, *packages, NODE_MODULES / "ws")
    project.write("ws.d.ts", "declare module 'ws' { export class WebSocket {} }\n")
    project.write("follow.ts", (PROGRAMS / "follow.ts").read_text())
    assert project.compile() == []
    env = {"ROLECALL_URL": api.url, "ROLECALL_TOKEN": api.token}
    return msgspec.json.decode(await asyncio.to_thread(project.run, "follow.js", env))


@pytest.mark.parametrize("way", ["sse", "ws"])
async def test_an_execution_is_followed_to_its_end(said: Any, way: str) -> None:
    assert said[way] == {"ids": ["1", "2", "3"], "kinds": KINDS}


@pytest.mark.parametrize("way", ["sse", "ws"])
async def test_a_follower_may_begin_behind_an_event(said: Any, way: str) -> None:
    assert said["rest"][way] == {"ids": ["2", "3"], "kinds": KINDS[1:]}


async def test_a_connection_that_breaks_is_made_again_behind_the_last_event(said: Any) -> None:
    assert (said["resumed"], said["answers"]) == ({"ids": ["1", "2", "3"], "kinds": KINDS}, 2)


@pytest.mark.parametrize("way", ["sse", "ws"])
async def test_a_refused_subscription_says_why(said: Any, way: str) -> None:
    assert said["nobody"][way] == "NOT_FOUND"


async def test_an_execution_can_be_run_and_read_as_it_goes(said: Any) -> None:
    assert said["streamed"] == KINDS
