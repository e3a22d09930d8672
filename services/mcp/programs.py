"""A program as an MCP server: started for one connection, spoken to over its standard input and output, and ended.

The SDK has such a transport as well; it bounds no message, and a cancellation at the wrong moment leaves its program
running. Here the program has a group of its own, which is killed whatever happens.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from services.mcp.commands import McpCommand
from services.sandbox import program

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_GRACE_SECONDS = 1.0
_LOOK_SECONDS = 0.2
_TAIL_BYTES = 2_000

_log = logging.getLogger(__name__)


@asynccontextmanager
async def speaking(name: str, command: McpCommand) -> AsyncIterator[Any]:
    """The streams of messages from and to the program, as `mcp.Client` takes them.

    Raises:
        OSError: it cannot be started.
    """
    import anyio
    from mcp.shared.message import SessionMessage

    process = await asyncio.create_subprocess_exec(
        *command.run,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=command.variables(),
        start_new_session=True,
        limit=MAX_MESSAGE_BYTES,
    )
    to_client, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_client = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as group, to_client, incoming, outgoing, from_client:
            group.start_soon(_hear, name, process, to_client)
            group.start_soon(_tell, process, from_client, to_client)
            group.start_soon(_overhear, name, process)
            group.start_soon(_until_it_ends, process, to_client)
            try:
                yield incoming, outgoing
            finally:
                group.cancel_scope.cancel()
    finally:
        await asyncio.shield(_end(process))


async def _hear(name: str, process: asyncio.subprocess.Process, to_client: Any) -> None:
    """Give on what the program says, line by line; its silence ends the connection."""
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    assert process.stdout
    async with to_client:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            while line := await _line(name, process.stdout):
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    _log.warning("the MCP server %s says what is no message of MCP", name)
                    continue
                await to_client.send(SessionMessage(message))


async def _line(name: str, output: asyncio.StreamReader) -> bytes:
    try:
        return await output.readline()
    except ValueError:
        _log.warning("the MCP server %s says more than %s bytes at once", name, f"{MAX_MESSAGE_BYTES:,}")
        return b""


async def _tell(process: asyncio.subprocess.Process, from_client: Any, to_client: Any) -> None:
    assert process.stdin
    try:
        async for sent in from_client:
            process.stdin.write(sent.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        await to_client.aclose()


async def _until_it_ends(process: asyncio.subprocess.Process, to_client: Any) -> None:
    # What the program has started may hold its output open for longer; `wait` waits for that as well.
    while process.returncode is None:  # noqa: ASYNC110 nothing tells it
        await asyncio.sleep(_LOOK_SECONDS)
    await to_client.aclose()


async def _overhear(name: str, process: asyncio.subprocess.Process) -> None:
    """Log the end of what the program complains of; all of it is read, so that it is never kept waiting."""
    assert process.stderr
    tail = b""
    while chunk := await process.stderr.read(_TAIL_BYTES):
        tail = (tail + chunk)[-_TAIL_BYTES:]
    if tail:
        _log.warning("the MCP server %s has ended and said: %s", name, tail.decode(errors="replace").strip())


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    process.stdin.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.wait()), _GRACE_SECONDS)
    await program.end(process)
