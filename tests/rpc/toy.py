"""A small router with one of everything, and the application that serves it in these tests."""

import asyncio
import enum
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.rpc import Procedure, RequestInfo, Router, RpcApp, RpcError, mutation, query

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Circle(Struct, frozen=True, tag_field="kind", tag="circle", rename="camel", forbid_unknown_fields=True):
    """All points near enough to one."""

    radius: Annotated[float, Meta(ge=0)]


class Polygon(Struct, frozen=True, tag_field="kind", tag="polygon", rename="camel", forbid_unknown_fields=True):
    corner_count: int
    corners: list[tuple[float, float]] = []


class Box(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Something with things in it."""

    name: str
    colour: Colour = Colour.RED
    holds: "list[Circle | Polygon | None]" = []
    inside: "Box | None" = None
    labels: dict[str, int] = {}


class Receipt(Struct, frozen=True, kw_only=True, rename="camel"):
    id: UUID
    made_at: datetime
    price: Decimal
    box: Box
    size: Literal["s", "m", "l"]
    remark: str | UnsetType = UNSET


class Page(Struct, Generic[T], frozen=True):
    items: list[T]


class Point(Struct, frozen=True, array_like=True):
    x: float
    y: float


class Context(Struct):
    user: str


class Missing(Exception):
    """What the application raises and translates itself."""


class Rendezvous:
    """Where threads of a test and procedures of the server meet."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()
        self.both = asyncio.Barrier(2)


RENDEZVOUS = Rendezvous()


@query
async def health(ctx: Context) -> dict[str, bool]:
    """Whether we are there."""
    return {"ok": True}


@query
async def echo(ctx: Context, *, text: str) -> dict[str, str]:
    """The text again."""
    return {"text": text}


@mutation
async def echo_mut(ctx: Context, *, text: str) -> dict[str, str]:
    """The text again, changed by nothing."""
    return {"text": text}


@mutation
async def ping(ctx: Context) -> str:
    """Pong."""
    return "pong"


@query
async def greet(ctx: Context, *, name: str | None = None, from_: str = "us", loud_voice: bool = False) -> str:
    """A greeting, to the caller unless it names somebody."""
    greeting = f"hello {ctx.user if name is None else name} from {from_}"
    return greeting.upper() if loud_voice else greeting


@mutation(meta="packers")
async def pack(ctx: Context, *, box: Box, size: Literal["s", "m", "l"] = "m", copies: int = 1) -> Receipt:
    """A box, packed.

    This paragraph is for readers of the source.
    """
    return Receipt(
        id=UUID(int=7),
        made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        price=Decimal("1.50"),
        box=box,
        size=size,
    )


@query
async def page(ctx: Context) -> Page[Receipt]:
    """No receipts at all."""
    return Page(items=[])


@query
async def points(ctx: Context, *, scale: float) -> list[Point | None]:
    """Two points and a gap."""
    return [Point(0.0, scale), None, Point(scale, 0.5)]


@query
async def anything(ctx: Context, *, value: Any) -> Any:
    """The value again."""
    return value


@query
async def huge(ctx: Context) -> dict[str, Any]:
    """Numbers JavaScript has trouble with."""
    return {"large": 2**60, "small": 1, "not": float("nan"), "text": f"[{2**60}]"}


@query
async def nothing(ctx: Context) -> None:
    """None."""


@query
async def undefined(ctx: Context) -> UnsetType:
    """Not even None."""
    return UNSET


@query
async def fail(ctx: Context) -> str:
    """A refusal."""
    raise RpcError("FORBIDDEN", "nope")


@query
async def limited(ctx: Context) -> str:
    """A refusal that says when to come back."""
    raise RpcError("TOO_MANY_REQUESTS", "slow down", data={"limit": 10}, headers={"retry-after": "3"})


@query
async def lost(ctx: Context) -> str:
    """An error that the application translates."""
    raise Missing("the book")


@query
async def crash(ctx: Context) -> str:
    """An error that nobody expected."""
    raise ZeroDivisionError("the secret is 42")


@query
async def stray(ctx: Context) -> str:
    """Waits for something that somebody else gives up."""
    other = asyncio.ensure_future(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(other.cancel)
    await other
    return "never"


@query
async def unwritable(ctx: Context) -> Any:
    """Something JSON has no words for."""
    return object()


@query
async def meet(ctx: Context) -> str:
    """Returns when somebody else is here as well."""
    await RENDEZVOUS.both.wait()
    return "met"


@query
async def wait(ctx: Context) -> str:
    """Never returns."""
    RENDEZVOUS.started.set()
    try:
        await asyncio.Event().wait()
    finally:
        RENDEZVOUS.cancelled.set()
    return "never"


router = Router(
    health=health,
    echo=echo,
    echo_mut=echo_mut,
    ping=ping,
    greet=greet,
    box=Router(pack=pack, page=page),
    points=points,
    anything=anything,
    huge=huge,
    nothing=nothing,
    undefined=undefined,
    fail=fail,
    limited=limited,
    lost=lost,
    crash=crash,
    stray=stray,
    unwritable=unwritable,
    meet=meet,
    wait=wait,
)


async def create_context(info: RequestInfo) -> Context:
    """Who asks: the bearer of a token that is a name, or whoever the connection parameters name."""
    if info.headers.get("authorization") == "Bearer expired":
        raise RpcError("UNAUTHORIZED", "the token has expired")
    if info.headers.get("authorization") == "Bearer broken":
        raise LookupError("the token store is gone")
    user = info.headers.get("authorization", "Bearer nobody").removeprefix("Bearer ")
    return Context(user=(info.connection_params or {}).get("user", user))


def guard(ctx: Context, procedure: Procedure[..., Any]) -> None:
    """Only packers may do what is for packers."""
    if procedure.meta == "packers" and ctx.user == "guest":
        raise RpcError("FORBIDDEN", "guests do not pack")


def on_error(error: Exception) -> RpcError | None:
    """`Missing` is something the client may know about."""
    return RpcError("NOT_FOUND", f"there is no {error}") if isinstance(error, Missing) else None


app = RpcApp(
    router,
    create_context=create_context,
    guard=guard,
    on_error=on_error,
    allowed_origins=["https://app.example"],
)


def decoded(text: bytes | str) -> Any:
    """A JSON text as plain values."""
    return msgspec.json.decode(text)
