"""How often Python looks for cyclic garbage while a worker is at work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# By default every 700 new objects, in which a worker with some hundred executions spends a fifth of its time: its
# states are many, live long and hold no cycles.
_THRESHOLDS = (200_000, 20, 50)


@contextmanager
def seldom() -> Iterator[None]:
    """Inside, the collector of this process runs after 200,000 new objects and leaves alone what was there before."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
