"""A program run to its end, in bounded time and with a bounded output, and nothing of it left behind."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_CHUNK = 16 * 1024
_END_SECONDS = 2.0


class TooLong(Exception):
    """The program was not done in its time, and was ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a program. `exit_code` is negative after a signal, and after an output that was cut: the program
    is ended there.
    """

    exit_code: int
    output: bytes
    errors: bytes
    is_cut: bool


async def run(
    command: Sequence[str],
    *,
    seconds: float,
    max_output_bytes: int,
    environment: Mapping[str, str],
    given: bytes = b"",
    **options: Any,
) -> Outcome:
    """What became of `command`, which reads `given` and sees `environment` and nothing else; `options` are as of
    `asyncio.create_subprocess_exec`.

    Raises:
        TooLong: it takes more than `seconds`.
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
        **options,
    )
    try:
        async with asyncio.timeout(seconds):
            return await _outcome(process, given, max_output_bytes)
    except TimeoutError:
        raise TooLong(f"it was not done within {seconds:g} seconds") from None
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill the program and whatever it has started in its group, and wait for its end."""
    # The group may outlive the program that it is called after.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(_ended(process))


async def _ended(process: asyncio.subprocess.Process) -> None:
    # What nobody reads keeps its pipe open; and somebody who has left the group may hold it for ever.
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS), asyncio.TaskGroup() as group:
            for stream in filter(None, (process.stdout, process.stderr)):
                group.create_task(_drain(stream))
    await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


async def _outcome(process: asyncio.subprocess.Process, given: bytes, max_output_bytes: int) -> Outcome:
    assert process.stdout and process.stderr
    async with asyncio.TaskGroup() as group:
        group.create_task(_give(process, given))
        output = group.create_task(_read(process, process.stdout, max_output_bytes))
        errors = group.create_task(_read(process, process.stderr, max_output_bytes))
    exit_code = await process.wait()
    (out, is_out_cut), (err, is_err_cut) = output.result(), errors.result()
    return Outcome(exit_code=exit_code, output=out, errors=err, is_cut=is_out_cut or is_err_cut)


async def _give(process: asyncio.subprocess.Process, given: bytes) -> None:
    assert process.stdin
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(given)
        await process.stdin.drain()
    process.stdin.close()


async def _read(
    process: asyncio.subprocess.Process, stream: asyncio.StreamReader, max_bytes: int
) -> tuple[bytes, bool]:
    """What the stream says, and whether that was more than fits: then the program is killed."""
    content = bytearray()
    while chunk := await stream.read(_CHUNK):
        content += chunk
        if len(content) > max_bytes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            return bytes(content[:max_bytes]), True
    return bytes(content), False
