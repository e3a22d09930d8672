"""An event loop whose time passes only when everybody waits for it, and then at once."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Takes the time that a loop would have slept as passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for somebody else, and nobody for the time"
        self.now += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def run(scene: Callable[[Callable[[], float]], Awaitable[T]]) -> T:
    """What `scene` gives, which is told the clock."""
    with asyncio.Runner(loop_factory=_Loop) as runner:

        async def main() -> T:
            return await scene(asyncio.get_running_loop().time)

        return runner.run(main())
