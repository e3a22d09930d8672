"""A procedure: an async function whose signature is the contract of a call."""

import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, get_args, get_origin, get_type_hints, overload

import msgspec

from api.rpc.names import wire_name
from api.rpc.tracked import Tracked

P = ParamSpec("P")
R = TypeVar("R")

Kind: TypeAlias = Literal["query", "mutation", "subscription"]

_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_POSITIONAL_OR_KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A call that works, for people to start from: what it does, what is sent, and what may come back."""

    summary: str
    input: Any = msgspec.UNSET
    output: Any = msgspec.UNSET

    @property
    def name(self) -> str:
        """The summary as a key of a document.

        >>> Example(summary="Only those with a tool.").name
        'only-those-with-a-tool'
        """
        return "-".join(re.findall(r"\w+", self.summary.lower()))


@dataclass(frozen=True, eq=False)
class Procedure(Generic[P, R]):
    """What a caller may ask for. Calling it calls the function, as if it had never been decorated.

    `input_type` is a Struct of the function's parameters, or None where there are none and the input is never
    looked at. `output_type` is what is answered: once, or again and again where the procedure `streams`; then it is the
    type of one item, without the id of one that `is_tracked`. `meta` is the application's own, never read here;
    `examples` are for documents.
    """

    kind: Kind
    function: Callable[P, R]
    input_type: type[msgspec.Struct] | None
    output_type: Any
    description: str
    streams: bool = False
    is_tracked: bool = False
    meta: Any = None
    examples: tuple[Example, ...] = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    async def call(self, context: object, input: msgspec.Struct | None) -> Any:
        """The answer to an input that was decoded as `input_type`; of a procedure that does not stream."""
        function: Any = self.function
        return await function(context, **_arguments(input))

    def stream(self, context: object, input: msgspec.Struct | None) -> AsyncIterator[Any]:
        """The items of the answer to such an input; of a procedure that streams."""
        function: Any = self.function
        return function(context, **_arguments(input))

    @cached_property
    def name(self) -> str:
        """What it is called in Python, for messages to whoever wrote it."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @cached_property
    def needs_input(self) -> bool:
        """Whether a call without an input is refused."""
        return self.input_type is not None and any(field.required for field in msgspec.structs.fields(self.input_type))

    @cached_property
    def resumes(self) -> bool:
        """Whether the input may say which item came last: it has a field `lastEventId`."""
        return self.input_type is not None and "lastEventId" in self.input_type.__struct_encode_fields__

    @cached_property
    def decoder(self) -> "msgspec.json.Decoder[msgspec.Struct] | None":
        """Reads the input from JSON; None where there is no input."""
        return None if self.input_type is None else msgspec.json.Decoder(self.input_type)


@overload
def query(function: Callable[P, R], /) -> Procedure[P, R]: ...
@overload
def query(*, meta: object = None, examples: Iterable[Example] = ()) -> Callable[[Callable[P, R]], Procedure[P, R]]: ...
def query(function: Callable[P, R] | None = None, /, *, meta: object = None, examples: Iterable[Example] = ()) -> Any:
    """Make a procedure that only reads; the client calls it with `.query(...)`.

    An async generator streams its items, which `httpBatchStreamLink` alone can read.

    Raises:
        TypeError: the function is not async, has no docstring, or a parameter is not keyword-only and typed.
    """
    return _decorated("query", function, meta, examples)


@overload
def mutation(function: Callable[P, R], /) -> Procedure[P, R]: ...
@overload
def mutation(
    *, meta: object = None, examples: Iterable[Example] = ()
) -> Callable[[Callable[P, R]], Procedure[P, R]]: ...
def mutation(
    function: Callable[P, R] | None = None, /, *, meta: object = None, examples: Iterable[Example] = ()
) -> Any:
    """Make a procedure that may change something; the client calls it with `.mutate(...)`.

    An async generator streams its items, which `httpBatchStreamLink` alone can read.

    Raises:
        TypeError: the function is not async, has no docstring, or a parameter is not keyword-only and typed.
    """
    return _decorated("mutation", function, meta, examples)


@overload
def subscription(function: Callable[P, AsyncIterator[R]], /) -> Procedure[P, AsyncIterator[R]]: ...
@overload
def subscription(
    *, meta: object = None, examples: Iterable[Example] = ()
) -> Callable[[Callable[P, AsyncIterator[R]]], Procedure[P, AsyncIterator[R]]]: ...
def subscription(
    function: Callable[P, AsyncIterator[R]] | None = None, /, *, meta: object = None, examples: Iterable[Example] = ()
) -> Any:
    """Make a procedure whose items come as they happen; the client calls it with `.subscribe(...)`.

    It is an async generator. Where it yields `Tracked` items and takes a `last_event_id`, a client whose connection
    broke goes on behind the last one that it has.

    Raises:
        TypeError: the function is no async generator, has no docstring, or a parameter is not keyword-only and typed.
    """
    return _decorated("subscription", function, meta, examples)


def _decorated(kind: Kind, function: Callable[..., Any] | None, meta: object, examples: Iterable[Example]) -> Any:
    def decorate(function: Callable[..., Any]) -> Procedure[..., Any]:
        return replace(_procedure(kind, function, meta), examples=tuple(examples))

    return decorate if function is None else decorate(function)


def _procedure(kind: Kind, function: Callable[..., Any], meta: object) -> Procedure[..., Any]:
    name = f"{function.__module__}.{function.__qualname__}"
    streams = inspect.isasyncgenfunction(function)
    if kind == "subscription" and not streams:
        raise TypeError(f"{name} must be an async generator")
    if not streams and not inspect.iscoroutinefunction(function):
        raise TypeError(f"{name} must be an async function")
    description = _first_paragraph(function)
    if not description:
        raise TypeError(f"{name} needs a docstring: it is what clients and agents read")
    types = get_type_hints(function, include_extras=True)
    if "return" not in types:
        raise TypeError(f"{name} needs a return type, None included")
    output_type, is_tracked = _item(types["return"], name) if streams else (types["return"], False)
    _check_type(output_type, f"what {name} {'yields' if streams else 'returns'}")
    return Procedure(
        kind, function, _input_type(function, types, name), output_type, description, streams, is_tracked, meta
    )


def _item(returned: Any, name: str) -> tuple[Any, bool]:
    """The type of what a generator yields, and whether it is tracked."""
    if not get_args(returned):
        raise TypeError(f"{name} must say what it yields: AsyncIterator[...]")
    item = get_args(returned)[0]
    return (get_args(item)[0], True) if get_origin(item) is Tracked else (item, False)


def _arguments(input: msgspec.Struct | None) -> dict[str, Any]:
    return {} if input is None else {name: getattr(input, name) for name in input.__struct_fields__}


def _first_paragraph(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


def _input_type(function: Callable[..., Any], types: dict[str, Any], name: str) -> type[msgspec.Struct] | None:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (_POSITIONAL_ONLY, _POSITIONAL_OR_KEYWORD):
        raise TypeError(f"{name} must take the context first")
    if len(parameters) == 1:
        return None
    fields = [_field(parameter, types, name) for parameter in parameters[1:]]
    input_type = msgspec.defstruct(
        f"{function.__name__}_input",
        fields,
        module=function.__module__,
        namespace={"__qualname__": f"{function.__qualname__}.Input"},
        rename=wire_name,
        forbid_unknown_fields=True,
        kw_only=True,
        frozen=True,
    )
    _check_type(input_type, f"the input of {name}")
    return input_type


def _field(parameter: inspect.Parameter, types: dict[str, Any], name: str) -> tuple[str, Any, Any]:
    if parameter.kind is not parameter.KEYWORD_ONLY:
        raise TypeError(f"parameter {parameter.name!r} of {name} must be keyword-only: write it behind a *")
    if parameter.name not in types:
        raise TypeError(f"parameter {parameter.name!r} of {name} needs a type")
    default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
    return parameter.name, types[parameter.name], default


def _check_type(type_: Any, noun: str) -> None:
    # Found out when the module is imported, not when the first call comes in.
    try:
        msgspec.json.Decoder(type_)
        if type_ is not msgspec.UnsetType:
            msgspec.json.schema(type_)
    except (TypeError, RecursionError) as error:
        raise TypeError(f"{noun} has a type that JSON cannot carry: {error}") from error
