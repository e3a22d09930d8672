"""What a program is run in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from services.json import Json, JsonObject
from services.programs.recorded import Recorded
from services.programs.stubs import Library
from services.programs.workers import Workers

Call: TypeAlias = Callable[[int, str, JsonObject], Awaitable[Json]]
Record: TypeAlias = Callable[[Recorded], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The tools of a program, who calls them, and what it finds of the world.

    `call` makes the call of a number, a tool and its arguments, and raises `ToolError` where it does not work; several
    calls are made at a time. `record` keeps what came of one and returns once that is kept; it is asked for one after
    the other. `clock` and `seed` are the same whenever the program is run again.
    """

    library: Library
    workers: Workers
    call: Call
    record: Record
    clock: datetime
    seed: str
