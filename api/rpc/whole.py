"""A procedure of a family, whose input is any JSON as a whole: what it may be, no type of ours says."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

import msgspec

from api.rpc.procedure import Kind, Procedure
from api.rpc.text import check_values


class Whole(msgspec.Struct, frozen=True):
    """The input; UNSET where the call has none."""

    input: Any = msgspec.UNSET


class _Decoder:
    type = Whole

    def decode(self, text: bytes) -> Whole:
        value = msgspec.json.decode(text)
        check_values(text, value)
        return Whole(value)


class WholeProcedure(Procedure[..., Any]):
    """A procedure that is called with `input`, the whole of it."""

    @cached_property
    def decoder(self) -> Any:
        return _Decoder()


def whole(
    kind: Kind, function: Callable[..., Awaitable[Any]], description: str, *, meta: object = None
) -> WholeProcedure:
    """The procedure that awaits `function(context, input=...)`."""
    return WholeProcedure(kind, function, Whole, Any, description, meta=meta)
