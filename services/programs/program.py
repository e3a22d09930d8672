"""Running a program that a model has written: Python whose functions are tools.

The program and we take turns. It runs until all it could go on with are calls that it waits for; then we make those,
and tell it one result at a time, each once it is recorded. Its clock stands still and its chance is seeded, so what it
does follows from its text and from what it was told, in that order: run again with what was recorded, it comes to where
it was, and no recorded call is made again.
"""

from collections.abc import Sequence

import msgspec

from services.failure import failed
from services.json import Json
from services.programs import problems
from services.programs.problems import ProgramError
from services.programs.recorded import Recorded, Replay, deviated
from services.programs.running import Running
from services.programs.surroundings import Surroundings


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a program came to: the value of its last line, what it printed, and how many calls it made."""

    value: Json
    printed: str = ""
    calls: int = 0


async def run(code: str, surroundings: Surroundings, recorded: Sequence[Recorded] = (), input: Json = None) -> Outcome:
    """What the program comes to, with `input` as its variable of that name.

    Raises:
        ProgramError: it is not valid Python, or calls its functions wrongly (nothing has run then); it raised
            something; or it reached a limit.
        Failed: PROGRAM_DEVIATED, when it does not do again what it did when `recorded` came about; PROGRAM_CRASHED,
            when its process ended under it; PROGRAM_UNAVAILABLE, when there can be no process.
    """
    limits = surroundings.workers.limits
    if len(code) > limits.code_characters:
        message = f"the program has {len(code):,} characters; up to {limits.code_characters:,} are run"
        raise ProgramError("PROGRAM_LIMIT", message)
    running = Running(surroundings, limits, Replay(recorded))
    try:
        value = await _value(running, code, surroundings, input)
    except ProgramError as error:
        if error.code == "PROGRAM_INVALID" and recorded:
            raise deviated(str(error)) from None
        raise ProgramError(error.code, error.message + running.history) from None
    finally:
        await running.stop()
    return Outcome(value=value, printed=running.printed, calls=running.calls)


async def _value(running: Running, code: str, surroundings: Surroundings, input: Json) -> Json:
    from pydantic_monty import MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError, MontyTypingError

    workers = surroundings.workers
    try:
        async with workers.session(surroundings.library, clock=surroundings.clock, seed=surroundings.seed) as session:
            return await running.value(session, code, input)
    except MontyTypingError as error:
        raise problems.of_types(str(error)) from None
    except MontySyntaxError as error:
        raise problems.of_syntax(error) from None
    except MontyRuntimeError as error:
        raise problems.of_run(error, workers.limits) from None
    except MontyCrashedError as error:
        if error.timed_out:
            raise problems.of_time(workers.limits) from None
        message = f"the process of the program ended under it: {error}"
        raise failed("PROGRAM_CRASHED", message, retryable=True) from None
    except MontyError as error:
        raise ProgramError("PROGRAM_FAILED", str(error)) from None
