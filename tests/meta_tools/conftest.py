"""A database with services over it, and agents that call the system tools directly."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

import meta_tools
from db.connection import Database
from services import connections, executions, orchestrations, roles
from services.caller import OPERATOR, Caller
from services.json import Json
from services.principal import SCOPES, Principal, Scope
from services.roles import RoleChanges
from services.tools import files, registry
from services.tools.tool import ToolContext, ToolError

DESIGNER = "Designer"


@dataclass(frozen=True)
class Agent:
    """An agent in a role, in one call of its model; `scopes` are those of whoever started it.

    `role` is what the role was called when its execution started.
    """

    role_id: UUID | None
    role: str = DESIGNER
    scopes: tuple[Scope, ...] = SCOPES
    key: str = "execution/Design/call_1"
    initiator: str = "operator"

    @property
    def context(self) -> ToolContext:
        principal = Principal(kind="agent", name=f"{self.role} for {self.initiator}", scopes=self.scopes)
        return ToolContext(caller=Caller(principal), role_id=self.role_id, idempotency_key=self.key)

    async def call(self, tool: str, /, **arguments: Json) -> Any:
        """The result of `system.<tool>`, as the agent reads it."""
        found = registry.find(f"system.{tool}")
        assert found is not None
        return (await found.run(self.context, arguments)).unwrapped()

    async def refused(self, tool: str, /, **arguments: Json) -> Any:
        """The refusal of a call, which has to come as JSON."""
        with pytest.raises(ToolError) as caught:
            await self.call(tool, **arguments)
        return json.loads(str(caught.value))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own, with the file tools and the system tools."""
    monkeypatch.setattr(registry, "_tools", {})
    registry.register(*files.tools(None))
    meta_tools.install()


@pytest.fixture
async def designer(database: Database, tools: None) -> AsyncIterator[Agent]:
    """An agent in a role that holds `meta` and `files.read`, over a database of the test's own."""
    connections.use(database, None)
    role = await made_role(DESIGNER, "meta", "files.read")
    yield Agent(role.id)
    connections.use(None, None)


async def made_role(name: str, *tools: str, prompt: str = "Be brief.") -> roles.Role:
    """A role that a person made."""
    return await roles.create(OPERATOR, name=name, base_prompt=prompt, changes=RoleChanges(tools=tools))


async def everything() -> tuple[object, ...]:
    """Every role, orchestration and execution there is."""
    return (
        (await roles.list_(OPERATOR)).items,
        (await orchestrations.list_(OPERATOR)).items,
        (await executions.list_(OPERATOR)).items,
    )
