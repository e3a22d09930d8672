"""A small router of what comes bit by bit or is no JSON, served at several paces."""

import asyncio
import concurrent.futures
import hashlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from api.rpc import (
    Form,
    Limits,
    Octets,
    Pace,
    Procedure,
    Router,
    RpcApp,
    RpcError,
    Tracked,
    mutation,
    query,
    subscription,
)
from tests.rpc.toy import Context, create_context, echo, fail, health, on_error, ping

# A name of each `waiting` and `flood`, by which a test meets its own.
Name = Annotated[str, Meta(min_length=1)]


class Tick(Struct, frozen=True):
    tick: int


class Watched:
    """Where a test meets a procedure that is under way in the server's thread."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.closed = threading.Event()
        self.yielded = 0
        self._gate: concurrent.futures.Future[None] = concurrent.futures.Future()

    def open(self) -> None:
        """Let the procedure go on."""
        self._gate.set_result(None)

    async def opened(self) -> None:
        """Wait for the test to open the gate."""
        self.started.set()
        try:
            await asyncio.shield(asyncio.wrap_future(self._gate))
        finally:
            self.closed.set()


WATCHED: dict[str, Watched] = {}


def watch(name: str) -> Watched:
    """What is seen of the procedure that is called with this name."""
    return WATCHED.setdefault(name, Watched())


@subscription
async def ticks(ctx: Context, *, count: int = 3, last_event_id: str | None = None) -> AsyncIterator[Tracked[Tick]]:
    """Numbers, from the one behind the last on."""
    for number in range(int(last_event_id or "0") + 1, count + 1):
        yield Tracked(str(number), Tick(number))


@subscription
async def plain(ctx: Context) -> AsyncIterator[Any]:
    """Items without an id, one of them undefined."""
    for item in ("one", None, UNSET, {"text": "two\nlines"}):
        yield item


@subscription
async def mixed(ctx: Context, *, last_event_id: str | None = None) -> AsyncIterator[Tracked[str] | str]:
    """Items with and without an id."""
    yield "before" if last_event_id is None else f"behind {last_event_id}"
    yield Tracked("é1", "one")
    yield "between"
    yield Tracked("é2", "two")
    yield "after"


@subscription
async def whom(ctx: Context) -> AsyncIterator[str]:
    """Who asks."""
    yield ctx.user


@subscription
async def refused(ctx: Context, *, items: int = 0) -> AsyncIterator[int]:
    """Some items, and then a refusal."""
    for number in range(items):
        yield number
    raise RpcError("FORBIDDEN", "stop it", data={"after": items})


@subscription
async def crashed(ctx: Context) -> AsyncIterator[int]:
    """An item, and then an error that nobody expected."""
    yield 1
    raise ZeroDivisionError("the secret is 42")


@subscription
async def ticking(ctx: Context, *, count: int, last_event_id: str | None = None) -> AsyncIterator[Tracked[Tick]]:
    """Numbers, from the one behind the last on, a hundred of them in a second."""
    async for tick in ticks(ctx, count=count, last_event_id=last_event_id):
        await asyncio.sleep(0.01)
        yield tick


@subscription
async def crashed_once(ctx: Context, *, name: Name) -> AsyncIterator[str]:
    """Fails the first time that it is called with a name."""
    if name not in WATCHED:
        watch(name)
        raise ZeroDivisionError("the secret is 42")
    yield "again"


@subscription
async def slowly(ctx: Context, *, ms: int) -> AsyncIterator[str]:
    """Two items with a pause between them."""
    yield "first"
    await asyncio.sleep(ms / 1000)
    yield "second"


@subscription
async def unwritable(ctx: Context) -> AsyncIterator[Any]:
    """Something JSON has no words for."""
    yield object()


@subscription
async def waiting(ctx: Context, *, name: Name) -> AsyncIterator[str]:
    """An item, and no other ever."""
    watched = watch(name)
    try:
        watched.started.set()
        yield "first"
        await asyncio.Event().wait()
    finally:
        watched.closed.set()


@subscription
async def flood(ctx: Context, *, name: Name) -> AsyncIterator[str]:
    """More than anybody reads."""
    watched = watch(name)
    try:
        while True:
            watched.yielded += 1
            yield "x" * 10_000
    finally:
        watched.closed.set()


@query
async def floods(ctx: Context, *, name: Name) -> AsyncIterator[str]:
    """More than anybody reads."""
    async for item in flood(ctx, name=name):
        yield item


@query
async def counted(ctx: Context, *, to: int) -> AsyncIterator[int]:
    """The numbers up to one."""
    for number in range(1, to + 1):
        yield number


@mutation
async def counting(ctx: Context, *, to: int, fails: bool = False) -> AsyncIterator[Any]:
    """The numbers up to one, an undefined and, perhaps, a refusal."""
    for number in range(1, to + 1):
        yield number
    yield UNSET
    if fails:
        raise RpcError("CONFLICT", "enough")


@query
async def endless(ctx: Context, *, name: Name) -> AsyncIterator[str]:
    """An item, and no other ever."""
    async for item in waiting(ctx, name=name):
        yield item


@query
async def gated(ctx: Context, *, name: Name) -> str:
    """The name, once the test opens the gate."""
    await watch(name).opened()
    return name


@mutation
async def form(ctx: Context, *, form: Form) -> dict[str, Any]:
    """What is in a form."""
    files = {
        name: [
            [file.filename, file.content_type, len(file.content), hashlib.md5(file.content).hexdigest()] for file in of
        ]
        for name, of in form.files.items()
    }
    return {"texts": form.texts, "files": files}


@mutation
async def picky(ctx: Context, *, form: Form) -> str:
    """The text `title` of a form that has a file `photo`."""
    form.file("photo")
    return form.text("title")


@mutation
async def octets(ctx: Context, *, body: Octets) -> dict[str, Any]:
    """How many bytes there were, and which."""
    found = hashlib.md5()
    size = 0
    async for chunk in body:
        found.update(chunk)
        size += len(chunk)
    return {"size": size, "md5": found.hexdigest()}


@mutation
async def sipped(ctx: Context, *, body: Octets) -> int:
    """How many bytes there were, the rest of them read when the test opens the gate `sipped`."""
    size = 0
    async for chunk in body:
        if not size:
            await watch("sipped").opened()
        size += len(chunk)
    return size


@mutation
async def waited(ctx: Context, *, body: Octets) -> int:
    """How many bytes there were; whoever watches sees when it is over."""
    try:
        async for _ in body:
            watch("waited").started.set()
    finally:
        watch("waited").closed.set()
    return 0


@mutation
async def kept(ctx: Context, *, body: Octets) -> int:
    """All the bytes at once."""
    return len(await body.read())


router = Router(
    health=health,
    echo=echo,
    ping=ping,
    fail=fail,
    ticks=ticks,
    plain=plain,
    mixed=mixed,
    whom=whom,
    refused=refused,
    crashed=crashed,
    crashed_once=crashed_once,
    ticking=ticking,
    slowly=slowly,
    unwritable=unwritable,
    waiting=waiting,
    flood=flood,
    counted=counted,
    counting=counting,
    endless=endless,
    gated=gated,
    form=form,
    picky=picky,
    octets=octets,
    sipped=sipped,
    kept=kept,
    waited=waited,
    floods=floods,
)


def guard(ctx: Context, procedure: Procedure[..., Any]) -> None:
    """Guests send nothing."""
    if procedure.upload is not None and ctx.user == "guest":
        raise RpcError("FORBIDDEN", "guests send nothing")


def app(prefix: str, pace: Pace, *, allow_method_override: bool = True, limits: Limits | None = None) -> RpcApp:
    """The router at one pace."""
    return RpcApp(
        router,
        create_context=create_context,
        guard=guard,
        on_error=on_error,
        limits=limits or Limits(max_upload_bytes=MAX_UPLOAD_BYTES, max_form_parts=MAX_FORM_PARTS),
        pace=pace,
        allow_method_override=allow_method_override,
        prefix=prefix,
        allowed_origins=["https://app.example"],
    )


MAX_UPLOAD_BYTES = 4 * 1024 * 1024
MAX_FORM_PARTS = 5

# Each is below a prefix of its own.
APPS = {
    "/trpc": app("/trpc", Pace(ping_seconds=60, reconnect_after_seconds=None, retry_seconds=None)),
    "/quick": app("/quick", Pace(ping_seconds=0.02, reconnect_after_seconds=0.25)),
    "/brief": app("/brief", Pace(ping_seconds=60, reconnect_after_seconds=None, max_seconds=0.05, retry_seconds=0.02)),
    "/strict": app("/strict", Pace(), allow_method_override=False),
    "/ending": app("/ending", Pace()),
    "/small": app("/small", Pace(), limits=Limits(max_batch=2, max_body_bytes=100, max_depth=3, max_url_bytes=200)),
}


async def apps(scope: Any, receive: Any, send: Any) -> None:
    """All of them as one application, beside it what clients ask to meet a procedure that is under way."""
    first, _, rest = scope["path"][1:].partition("/")
    if f"/{first}" in APPS:
        await APPS[f"/{first}"](scope, receive, send)
        return
    watched = watch(rest)
    match first:
        case "open":
            watched.open()
        case "end":
            APPS["/ending"].streams.end()
        case "started" | "closed":
            event: threading.Event = getattr(watched, first)
            await asyncio.to_thread(event.wait, 10)
    body = b"yes" if watched.started.is_set() else b"no"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
