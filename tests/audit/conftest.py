"""A database in which something was changed, by the services and past them, and somebody who may look."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.acting import act_as
from db.connection import Database
from services import audit, connections, orchestrations, roles, tokens
from services.audit import Verification
from services.caller import OPERATOR

ECHO = {"name": "echo", "steps": [{"name": "Echo", "kind": "transform", "inputMapping": {"one": 1}}]}


@pytest.fixture
async def admin(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Whoever owns the database, at psql."""
    connections.use(database, None)
    with act_as("anna", "rpc"):
        for name in ("Coder", "Critic", "Spare"):
            await roles.create(OPERATOR, name=name, base_prompt=f"You are the {name}.")
        await orchestrations.create(OPERATOR, document=ECHO)
        await tokens.create(OPERATOR, name="ci", scopes=("roles.read",))
    admin = await database.connect()
    yield admin
    await admin.close()
    connections.use(None, None)


async def found(*anchors: audit.Anchored) -> Verification:
    """What a verification of everything finds."""
    return await audit.verify(OPERATOR, anchors=anchors)


async def anchor() -> audit.Anchored:
    """The head, as somebody keeps it elsewhere."""
    head = await audit.head(OPERATOR)
    assert head is not None
    return audit.Anchored(seq=head.seq, hash=head.hash)
