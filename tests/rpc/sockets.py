"""A small router with one of everything that a socket can carry, its server, and a raw client."""

import asyncio
import itertools
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api.rpc import (
    MAX_MESSAGE_BYTES,
    Form,
    Procedure,
    RequestInfo,
    Router,
    RpcApp,
    RpcError,
    SocketLimits,
    Tracked,
    mutation,
    query,
    subscription,
)
from tests.rpc import toy
from tests.rpc.toy import Context

ORIGIN = "https://app.example"
PATIENCE_SECONDS = 10.0


class Seen:
    """What procedures of the server tell to a test that waits for it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.let_go = threading.Event()
        self.made = 0
        self.contexts: list[RequestInfo] = []
        self.revoked: set[str] = set()


SEEN = Seen()
BOTH = asyncio.Barrier(2)


class Tick(msgspec.Struct, frozen=True):
    tick: int


@subscription
async def ticks(ctx: Context, *, count: int, last_event_id: str | None = None) -> AsyncIterator[Tracked[Tick]]:
    """As many ticks, behind the last one that is known."""
    first = int(last_event_id or 0) + 1
    for number in range(first, first + count):
        yield Tracked(str(number), Tick(number))


@subscription
async def numbers(ctx: Context, *, count: int) -> AsyncIterator[int]:
    """As many numbers, from zero."""
    for number in range(count):
        yield number


@subscription
async def mixed(ctx: Context, *, last_event_id: str | None = None) -> AsyncIterator[Tracked[int] | str]:
    """A remark, a tick, a remark."""
    yield "before"
    yield Tracked("1", 1)
    yield "after"


@subscription
async def gap(ctx: Context) -> AsyncIterator[Any]:
    """Something JavaScript reads as undefined."""
    yield msgspec.UNSET


@subscription
async def fails(ctx: Context) -> AsyncIterator[int]:
    """One number and a refusal."""
    yield 1
    raise RpcError("FORBIDDEN", "stop it")


@subscription
async def crashes(ctx: Context) -> AsyncIterator[int]:
    """One number and an error that nobody expected."""
    yield 1
    raise ZeroDivisionError("the secret is 42")


@subscription
async def unwritable_items(ctx: Context) -> AsyncIterator[Any]:
    """Something JSON has no words for."""
    yield object()


@subscription(meta="packers")
async def packing(ctx: Context) -> AsyncIterator[int]:
    """For packers only."""
    yield 1


@subscription
async def endless(ctx: Context) -> AsyncIterator[int]:
    """One number, and then nothing until it is stopped."""
    try:
        SEEN.begun.set()
        yield 1
        await asyncio.Event().wait()
    finally:
        SEEN.ended.set()


@subscription
async def stubborn(ctx: Context) -> AsyncIterator[int]:
    """Takes a stop for nothing, and breaks when it is cleaned up."""
    try:
        try:
            yield 1
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield 2
    finally:
        SEEN.ended.set()
        raise ZeroDivisionError("while cleaning up")


@subscription
async def chatter(ctx: Context) -> AsyncIterator[str]:
    """Large items, as fast as they are taken."""
    try:
        for number in itertools.count():
            SEEN.made = number
            yield "x" * 65_536
    finally:
        SEEN.ended.set()


@subscription
async def watched(ctx: Context, *, last_event_id: str | None = None) -> AsyncIterator[Tracked[int] | str]:
    """Numbers with a remark on each, until the token is revoked."""
    for number in itertools.count(int(last_event_id or 0) + 1):
        if ctx.user in SEEN.revoked:
            raise RpcError("UNAUTHORIZED", "the token was revoked")
        yield Tracked(str(number), number)
        yield f"that was {number}"
        await asyncio.sleep(0.001)


@query
async def stream(ctx: Context) -> AsyncIterator[int]:
    """Numbers, for another link."""
    yield 1


@mutation
async def held(ctx: Context) -> str:
    """Returns when the test lets it."""
    SEEN.begun.set()
    await asyncio.to_thread(SEEN.let_go.wait, PATIENCE_SECONDS)
    return "let go"


@mutation
async def form(ctx: Context, *, form: Form) -> str:
    """A form, for another link."""
    return form.text("name")


@query
async def meet(ctx: Context) -> str:
    """Returns when somebody else is here as well."""
    await BOTH.wait()
    return "met"


@query
async def who(ctx: Context) -> str:
    """Who asks."""
    if ctx.user in SEEN.revoked:
        raise RpcError("UNAUTHORIZED", "the token was revoked")
    return ctx.user


router = Router(
    health=toy.health,
    echo=toy.echo,
    echo_mut=toy.echo_mut,
    ping=toy.ping,
    nothing=toy.nothing,
    undefined=toy.undefined,
    anything=toy.anything,
    huge=toy.huge,
    fail=toy.fail,
    crash=toy.crash,
    unwritable=toy.unwritable,
    meet=meet,
    wait=toy.wait,
    box=Router(pack=toy.pack),
    ticks=ticks,
    numbers=numbers,
    mixed=mixed,
    gap=gap,
    fails=fails,
    crashes=crashes,
    unwritable_items=unwritable_items,
    packing=packing,
    endless=endless,
    stubborn=stubborn,
    chatter=chatter,
    watched=watched,
    stream=stream,
    form=form,
    held=held,
    who=who,
)


async def create_context(info: RequestInfo) -> Context:
    """Who asks: by the header as for requests, else whoever the connection parameters name."""
    SEEN.contexts.append(info)
    params = info.connection_params or {}
    if params.get("user") == "expired":
        raise RpcError("UNAUTHORIZED", "the token has expired")
    return await toy.create_context(info)


def guard(ctx: Context, procedure: Procedure[..., Any]) -> None:
    """As for requests."""
    toy.guard(ctx, procedure)


def app_with(limits: SocketLimits | None = None) -> RpcApp:
    """The application over that router."""
    return RpcApp(
        router, create_context=create_context, guard=guard, allowed_origins=[ORIGIN], socket_limits=limits
    )  # fmt: skip


@dataclass
class Serving:
    """Where sockets are served, and the server's own loop."""

    port: int
    app: RpcApp
    loop: asyncio.AbstractEventLoop = field(repr=False)

    @property
    def url(self) -> str:
        """What a socket is opened at."""
        return f"ws://127.0.0.1:{self.port}/trpc"

    def leave(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Ask all clients to move, and wait until they have."""
        coroutine = self.app.sockets.leave(patience_seconds=patience_seconds)
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_SECONDS)

    @contextmanager
    def client(self, query: str = "", **options: Any) -> Iterator["Client"]:
        """A socket of a raw client."""
        with connect(self.url + query, compression=None, max_size=None, close_timeout=1, **options) as connection:
            yield Client(connection)


@dataclass
class Client:
    """A raw client: texts out, texts in."""

    connection: ClientConnection

    def say(self, message: Any) -> None:
        """Send a text or bytes as they are, everything else as JSON."""
        self.connection.send(message if isinstance(message, str | bytes) else msgspec.json.encode(message).decode())

    def hear(self) -> str:
        """The next text."""
        text = self.connection.recv(timeout=PATIENCE_SECONDS)
        assert isinstance(text, str)
        return text

    def heard(self) -> Any:
        """The next text, decoded."""
        return msgspec.json.decode(self.hear())

    def rest(self) -> list[str]:
        """What was under way when a PING is answered."""
        self.say("PING")
        return list(iter(self.hear, "PONG"))

    def closed(self) -> int | None:
        """The code that the server closes with, once it has said nothing more."""
        try:
            said = self.connection.recv(timeout=PATIENCE_SECONDS)
        except ConnectionClosed:
            return self.connection.close_code
        raise AssertionError(f"{said!r} was said before it was closed")


def call(id: Any, method: str, path: str, input: Any = msgspec.UNSET, **more: Any) -> dict[str, Any]:
    """A message that asks for a call."""
    params = {"path": path} if input is msgspec.UNSET else {"path": path, "input": input}
    return {"id": id, "method": method, "params": params | more}


def stop(id: Any) -> dict[str, Any]:
    """A message that stops a subscription."""
    return {"id": id, "method": "subscription.stop"}


@contextmanager
def serving(app: RpcApp) -> Iterator[Serving]:
    """An application behind uvicorn on a free port of this machine, set as the product's is."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        with connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/trpc"):  # it answers
            pass
        try:
            yield Serving(listener.getsockname()[1], app, loops[0])
        finally:
            server.should_exit = True
            thread.join()
