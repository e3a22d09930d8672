"""Why a program did not work, for whoever wrote it."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from services.programs.limits import Limits

if TYPE_CHECKING:
    from pydantic_monty import MontyRuntimeError, MontySyntaxError

Code: TypeAlias = Literal["PROGRAM_INVALID", "PROGRAM_FAILED", "PROGRAM_LIMIT"]

_MAX_CHARACTERS = 4_000
_MAX_FRAMES = 5


class ProgramError(Exception):
    """The program is not valid, raised something, or reached a limit; the message says where and what."""

    def __init__(self, code: Code, message: str) -> None:
        self.code: Code = code
        self.message = message if len(message) <= _MAX_CHARACTERS else message[: _MAX_CHARACTERS - 1] + "…"
        super().__init__(f"{code}: {self.message}")


def has_only_warnings(findings: str) -> bool:
    """Whether what a type checker found keeps no program from working: no error, and nothing that is not awaited.

    >>> has_only_warnings("program.py:2:1: warning[unused-awaitable] Object of type … is not awaited")
    False
    """
    return "error[" not in findings and "[unused-awaitable]" not in findings


def of_types(findings: str) -> ProgramError:
    """What a type checker found, before anything ran."""
    return ProgramError("PROGRAM_INVALID", f"nothing was run, because of these errors\n{findings.strip()}")


def of_syntax(error: "MontySyntaxError") -> ProgramError:
    """What is no Python, before anything ran."""
    where = [f"program.py:{frame.line}:{frame.column}: " for frame in error.traceback()][-1:]
    return ProgramError("PROGRAM_INVALID", f"nothing was run, because of this error\n{''.join(where)}{error}")


def of_run(error: "MontyRuntimeError", limits: Limits) -> ProgramError:
    """What the program raised and did not catch, or the limit that it reached, and the lines that led there."""
    said = str(error)
    if (reached := _limit(error.exception(), said, limits)) is not None:
        return reached
    if "monty syntax parser does not yet support" in said:
        what = said.partition("does not yet support")[2].strip()
        return ProgramError("PROGRAM_INVALID", f"nothing was run: {_lines(error)}programs have no {what}")
    return ProgramError("PROGRAM_FAILED", f"{_lines(error)}{said}")


def of_time(limits: Limits) -> ProgramError:
    """The limit of time."""
    return ProgramError("PROGRAM_LIMIT", f"the program computed for longer than {limits.seconds:g} seconds")


def _lines(error: "MontyRuntimeError") -> str:
    frames = error.traceback()[-_MAX_FRAMES:]
    return "".join(f"line {frame.line}: {(frame.source_line or '').strip()[:200]}\n" for frame in frames)


def _limit(raised: BaseException, said: str, limits: Limits) -> ProgramError | None:
    """Which of the interpreter's limits was reached, if one was; a program cannot catch these."""
    match raised:
        case TimeoutError() if "time limit exceeded" in said:
            return of_time(limits)
        case MemoryError() if "memory limit" in said:
            message = f"the program took more than {limits.memory_bytes:,} bytes of memory"
            return ProgramError("PROGRAM_LIMIT", message)
        case RuntimeError() if "suspension limit" in said:
            return ProgramError("PROGRAM_LIMIT", "the program looked up what does not exist, again and again")
        case _:
            return None
