"""A procedure: an async function whose signature is the contract of a call."""

import inspect
import re
import types
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import (
    Any,
    Generic,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

import msgspec

from api.rpc.names import wire_name
from api.rpc.tracked import Tracked
from api.rpc.uploads import JSON, Form, Octets

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
    looked at. Where the only parameter is a `Form` or `Octets`, it is an `upload` instead, and the input is no JSON.
    `output_type` is what is answered: once, or again and again where the procedure `streams`; then it is the type of
    one item, without the id of one that `is_tracked`. Where only some are tracked, `untracked_type` is that of the
    others. `meta` is the application's own, never read here; `examples` are for documents.
    """

    kind: Kind
    function: Callable[P, R]
    input_type: type[msgspec.Struct] | None
    output_type: Any
    description: str
    streams: bool = False
    is_tracked: bool = False
    meta: Any = None
    untracked_type: Any = None
    upload: "Upload | None" = None
    examples: tuple[Example, ...] = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    async def call(self, context: object, input: "Input") -> Any:
        """The answer to an input that was decoded as `input_type` or is the upload; of a procedure that does not
        stream.
        """
        function: Any = self.function
        return await function(context, **self._arguments(input))

    def stream(self, context: object, input: "Input") -> AsyncIterator[Any]:
        """The items of the answer to such an input; of a procedure that streams."""
        function: Any = self.function
        return function(context, **self._arguments(input))

    @cached_property
    def name(self) -> str:
        """What it is called in Python, for messages to whoever wrote it."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @cached_property
    def takes_input(self) -> bool:
        """Whether the input is looked at."""
        return self.input_type is not None or self.upload is not None

    @cached_property
    def media_type(self) -> str:
        """What the input has to be sent as."""
        return JSON if self.upload is None else self.upload.type.media_type

    @cached_property
    def needs_input(self) -> bool:
        """Whether a call without an input is refused."""
        return self.input_type is not None and any(field.required for field in msgspec.structs.fields(self.input_type))

    @cached_property
    def resumes(self) -> bool:
        """Whether the input may say which item came last: it has a field `lastEventId`."""
        return self.input_type is not None and "lastEventId" in self.input_type.__struct_encode_fields__

    @cached_property
    def item_type(self) -> Any:
        """The type of what is answered, tracked or not, without ids."""
        return self.output_type if self.untracked_type is None else self.output_type | self.untracked_type

    @cached_property
    def decoder(self) -> "msgspec.json.Decoder[msgspec.Struct] | None":
        """Reads the input from JSON; None where there is no input."""
        return None if self.input_type is None else msgspec.json.Decoder(self.input_type)

    def _arguments(self, input: "Input") -> dict[str, Any]:
        if input is None:
            return {}
        if isinstance(input, msgspec.Struct):
            return {name: getattr(input, name) for name in input.__struct_fields__}
        assert self.upload is not None, "nothing else takes an upload"
        return {self.upload.parameter: input}


class Upload(NamedTuple):
    """A parameter whose value is no JSON, and its type."""

    parameter: str
    type: type[Form] | type[Octets]


Input: TypeAlias = msgspec.Struct | Form | Octets | None


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
    hints = get_type_hints(function, include_extras=True)
    if "return" not in hints:
        raise TypeError(f"{name} needs a return type, None included")
    answered = _item(hints["return"], name) if streams else _Item(hints["return"])
    for type_ in (answered.type, answered.untracked_type):
        _check_type(type_, f"what {name} {'yields' if streams else 'returns'}")
    upload = _upload(function, hints, name)
    return Procedure(
        kind=kind,
        function=function,
        input_type=None if upload else _input_type(function, hints, name),
        output_type=answered.type,
        description=description,
        streams=streams,
        is_tracked=answered.is_tracked,
        meta=meta,
        untracked_type=answered.untracked_type,
        upload=upload,
    )


class _Item(NamedTuple):
    """The type of what is answered, whether it is tracked, and that of the others where only some are."""

    type: Any
    is_tracked: bool = False
    untracked_type: Any = None


def _item(returned: Any, name: str) -> _Item:
    if not get_args(returned):
        raise TypeError(f"{name} must say what it yields: AsyncIterator[...]")
    item = get_args(returned)[0]
    arms = get_args(item) if get_origin(item) in (Union, types.UnionType) else (item,)
    tracked = [get_args(arm)[0] for arm in arms if get_origin(arm) is Tracked]
    if not tracked:
        return _Item(item)
    others = [arm for arm in arms if get_origin(arm) is not Tracked]
    return _Item(Union[*tracked], True, Union[*others] if others else None)


def _upload(function: Callable[..., Any], hints: dict[str, Any], name: str) -> Upload | None:
    found = [parameter for parameter, hint in hints.items() if hint in (Form, Octets)]
    if not found:
        return None
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2 or parameters[1].kind is not inspect.Parameter.KEYWORD_ONLY:
        raise TypeError(f"{name} takes a form or octets, and so nothing else but the context: `ctx, *, {found[0]}`")
    return Upload(found[0], hints[found[0]])


def _first_paragraph(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


def _input_type(function: Callable[..., Any], hints: dict[str, Any], name: str) -> type[msgspec.Struct] | None:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (_POSITIONAL_ONLY, _POSITIONAL_OR_KEYWORD):
        raise TypeError(f"{name} must take the context first")
    if len(parameters) == 1:
        return None
    fields = [_field(parameter, hints, name) for parameter in parameters[1:]]
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


def _field(parameter: inspect.Parameter, hints: dict[str, Any], name: str) -> tuple[str, Any, Any]:
    if parameter.kind is not parameter.KEYWORD_ONLY:
        raise TypeError(f"parameter {parameter.name!r} of {name} must be keyword-only: write it behind a *")
    if parameter.name not in hints:
        raise TypeError(f"parameter {parameter.name!r} of {name} needs a type")
    default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
    return parameter.name, hints[parameter.name], default


def _check_type(type_: Any, noun: str) -> None:
    # Found out when the module is imported, not when the first call comes in.
    try:
        msgspec.json.Decoder(type_)
        if type_ is not msgspec.UnsetType:
            msgspec.json.schema(type_)
    except (TypeError, RecursionError) as error:
        raise TypeError(f"{noun} has a type that JSON cannot carry: {error}") from error
