"""A procedure: an async function whose signature is the contract of a call."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, get_type_hints, overload

import msgspec

from api.rpc.names import wire_name

P = ParamSpec("P")
R = TypeVar("R")

Kind: TypeAlias = Literal["query", "mutation"]

_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_POSITIONAL_OR_KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD


@dataclass(frozen=True, eq=False)
class Procedure(Generic[P, R]):
    """What a caller may ask for. Calling it calls the function, as if it had never been decorated.

    `input_type` is a Struct of the function's parameters, or None where there are none and the input is never
    looked at; `meta` is the application's own, never read here.
    """

    kind: Kind
    function: Callable[P, Awaitable[R]]
    input_type: type[msgspec.Struct] | None
    output_type: Any
    description: str
    meta: Any = None

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.function(*args, **kwargs)

    async def call(self, context: object, input: msgspec.Struct | None) -> R:
        """The answer to an input that was decoded as `input_type`."""
        function: Callable[..., Awaitable[R]] = self.function
        arguments = {} if input is None else {name: getattr(input, name) for name in input.__struct_fields__}
        return await function(context, **arguments)

    @cached_property
    def needs_input(self) -> bool:
        """Whether a call without an input is refused."""
        return self.input_type is not None and any(field.required for field in msgspec.structs.fields(self.input_type))

    @cached_property
    def decoder(self) -> "msgspec.json.Decoder[msgspec.Struct] | None":
        """Reads the input from JSON; None where there is no input."""
        return None if self.input_type is None else msgspec.json.Decoder(self.input_type)


@overload
def query(function: Callable[P, Awaitable[R]], /) -> Procedure[P, R]: ...
@overload
def query(*, meta: object = None) -> Callable[[Callable[P, Awaitable[R]]], Procedure[P, R]]: ...
def query(function: Callable[P, Awaitable[R]] | None = None, /, *, meta: object = None) -> Any:
    """Make a procedure that only reads; the client calls it with `.query(...)`.

    Raises:
        TypeError: the function is not async, has no docstring, or a parameter is not keyword-only and typed.
    """
    return _decorated("query", function, meta)


@overload
def mutation(function: Callable[P, Awaitable[R]], /) -> Procedure[P, R]: ...
@overload
def mutation(*, meta: object = None) -> Callable[[Callable[P, Awaitable[R]]], Procedure[P, R]]: ...
def mutation(function: Callable[P, Awaitable[R]] | None = None, /, *, meta: object = None) -> Any:
    """Make a procedure that may change something; the client calls it with `.mutate(...)`.

    Raises:
        TypeError: the function is not async, has no docstring, or a parameter is not keyword-only and typed.
    """
    return _decorated("mutation", function, meta)


def _decorated(kind: Kind, function: Callable[..., Awaitable[Any]] | None, meta: object) -> Any:
    def decorate(function: Callable[..., Awaitable[Any]]) -> Procedure[..., Any]:
        return _procedure(kind, function, meta)

    return decorate if function is None else decorate(function)


def _procedure(kind: Kind, function: Callable[..., Awaitable[Any]], meta: object) -> Procedure[..., Any]:
    name = f"{function.__module__}.{function.__qualname__}"
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{name} must be an async function")
    description = _first_paragraph(function)
    if not description:
        raise TypeError(f"{name} needs a docstring: it is what clients and agents read")
    types = get_type_hints(function, include_extras=True)
    if "return" not in types:
        raise TypeError(f"{name} needs a return type, None included")
    output_type: Any = types["return"]
    _check_type(output_type, f"what {name} returns")
    return Procedure(kind, function, _input_type(function, types, name), output_type, description, meta)


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
