"""What is shown of an execution at a terminal."""

import asyncio
import io

import pytest
from rich.console import Console

from api import progress
from services import executions
from services.caller import OPERATOR
from tests.engine.conftest import Engine, engine
from tests.engine.play import document

__all__ = ["engine"]


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_steps_are_shown_while_they_wait_and_when_they_are_done(engine: Engine, is_terminal: bool) -> None:
    execution = await engine.start(document("steps: [{name: Pause, kind: wait, forMs: 300}]"))
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=120)
    async with engine.working(engine.worker()):
        await engine.until(execution, lambda found: found.status == "waiting")
        async with asyncio.timeout(10):
            found = await progress.follow(OPERATOR, execution, console)

    assert found == await executions.get(OPERATOR, execution=execution)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "completed" in said
    assert ("… waiting" in said) == is_terminal
