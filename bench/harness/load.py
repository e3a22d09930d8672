"""The load: requests from wrk over connections that stay open, each sending its next request after an answer."""

import asyncio
import shutil
from pathlib import Path

import msgspec

_SCRIPT = Path(__file__).with_name("load.lua")


class Request(msgspec.Struct, frozen=True):
    """What is asked over and over; a %d in the body is another number each time."""

    title: str
    method: str
    path: str
    body: str | None = None
    calls: int = 1


class Answered(msgspec.Struct, frozen=True):
    """How many were answered in how many seconds, half of them within `p50` and 99 of 100 within `p99` seconds."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float


class NoWrk(Exception):
    """There is nothing to make the load with."""


async def load(url: str, token: str, request: Request, *, connections: int, seconds: int) -> Answered:
    """What came of so many seconds of requests.

    Raises:
        NoWrk: it is not on PATH.
        RuntimeError: a request was refused or got no answer.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrk("wrk makes the load and is not on PATH; it is in the package `wrk` of most systems")
    options = ("--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "10s")
    arguments = (token, request.method, request.path, *([] if request.body is None else [request.body]))
    process = await asyncio.create_subprocess_exec(
        wrk, *options, "--script", str(_SCRIPT), url, "--", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"wrk ended with {process.returncode}: {printed.decode()}")
    answered = msgspec.json.decode(printed.splitlines()[-1], type=Answered)
    if answered.failed:
        raise RuntimeError(f"{answered.failed:,} of {answered.requests:,} requests for {request.title} failed at {url}")
    return answered
