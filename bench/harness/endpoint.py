"""A model endpoint in a process of its own that answers at once: python -m harness.endpoint.

It prints that it is ready, then its port, and ends with its input. A question that offers tools is answered with a call
of the first one until that has a result.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvloop
from harness.gated import gated

_USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


@asynccontextmanager
async def endpoint() -> AsyncIterator[str]:
    """The address of a running endpoint, as it stands in OPENAI_BASE_URL."""
    async with gated(sys.executable, "-m", "harness.endpoint") as running:
        yield f"http://127.0.0.1:{await running.line()}/v1"


def _answer(request: dict[str, Any]) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": "done"}
    if request.get("tools") and request["messages"][-1]["role"] != "tool":
        function = {"name": request["tools"][0]["function"]["name"], "arguments": "{}"}
        message = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": _USAGE}
    return json.dumps(body).encode()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if b"content-length:" in line)
            body = _answer(json.loads(await reader.readexactly(int(length))))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
    writer.close()


async def main() -> None:
    """Serve until the input is closed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(f"ready\n{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
