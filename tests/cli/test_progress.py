"""What is shown of an execution at a terminal."""

import asyncio
import io
import threading

import pytest
from rich.console import Console

from api import progress
from services import executions
from services.caller import OPERATOR
from tests.engine.conftest import Engine, engine
from tests.engine.play import document

__all__ = ["engine"]


class Screen(io.StringIO):
    """Knows when it has shown that something waits."""

    def __init__(self) -> None:
        super().__init__()
        self.shows_waiting = threading.Event()

    def write(self, text: str) -> int:
        if "… waiting" in text:
            self.shows_waiting.set()
        return super().write(text)


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_steps_are_shown_while_they_wait_and_when_they_are_done(
    engine: Engine, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")  # on a dumb one nothing is drawn anew
    execution = await engine.start(document("steps: [{name: Pause, kind: wait, event: go}]"))
    screen = Screen()
    console = Console(file=screen, force_terminal=is_terminal, width=120)
    async with engine.working(engine.worker()), asyncio.timeout(20):
        await engine.until(execution, lambda found: found.status == "waiting")
        following = asyncio.create_task(progress.follow(OPERATOR, execution, console))
        if is_terminal:
            assert await asyncio.to_thread(screen.shows_waiting.wait, 10)
        await executions.signal(OPERATOR, execution=execution, event="go")
        found = await following

    assert found == await executions.get(OPERATOR, execution=execution)
    assert "completed" in screen.getvalue()
    assert screen.shows_waiting.is_set() == is_terminal
