"""Procedures and routers: what can be declared, and what is refused while the module is imported."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from api.rpc import Router, mutation, query
from tests.rpc.toy import Context, Missing, echo, greet, health, pack, ping


async def plain(ctx: Context, *, id: int) -> int:
    """One more."""
    return id + 1


async def silent(ctx: Context) -> None:
    pass


async def untyped(ctx: Context, *, id) -> None:  # type: ignore[no-untyped-def]
    """A parameter of no type."""


async def positional(ctx: Context, id: int) -> None:
    """A parameter without a name."""


async def nothing() -> None:
    """No context."""


async def endless(ctx: Context):  # type: ignore[no-untyped-def]
    """No return type."""


async def foreign(ctx: Context, *, error: Missing) -> None:
    """A type JSON does not know."""


def waiting(ctx: Context) -> None:
    """Not async."""


def test_a_decorated_function_is_still_the_function() -> None:
    procedure = query(meta={"level": "low"})(plain)

    assert (procedure.kind, procedure.meta, procedure.description) == ("query", {"level": "low"}, "One more.")
    assert procedure.function is plain


async def test_calling_a_procedure_calls_its_function() -> None:
    procedure = mutation(plain)

    assert await procedure(Context(user="Ada"), id=3) == 4


def test_parameters_become_a_struct_in_the_spelling_of_the_wire() -> None:
    input_type = greet.input_type

    assert input_type is not None
    assert issubclass(input_type, Struct)
    assert input_type.__struct_encode_fields__ == ("name", "from", "loudVoice")
    assert input_type.__struct_config__.forbid_unknown_fields
    assert not greet.needs_input


def test_no_parameters_are_no_input() -> None:
    assert health.input_type is None


def test_the_first_paragraph_is_the_description() -> None:
    assert pack.description == "A box, packed."


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (silent, "silent needs a docstring"),
        (untyped, "parameter 'id' of .*untyped needs a type"),
        (positional, "parameter 'id' of .*positional must be keyword-only"),
        (nothing, "nothing must take the context first"),
        (endless, "endless needs a return type"),
        (foreign, "the input of .*foreign has a type that JSON cannot carry"),
        (waiting, "waiting must be an async function"),
    ],
)
def test_a_function_that_is_no_contract_is_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        query(function)


def test_routers_are_a_flat_dictionary_of_dotted_names() -> None:
    router = Router(health=health, list_=greet, deep=Router(er=Router(echo_twice=echo), ping=ping))

    assert dict(router) == {"health": health, "list": greet, "deep.er.echoTwice": echo, "deep.ping": ping}
    assert len(router) == 4
    assert router.get("deep") is None


@pytest.mark.parametrize(
    "name", ["then", "call", "apply", "_def", "createCaller", "create_caller", "a.b", "1a", "é", ""]
)
def test_a_name_the_client_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a procedure"):
        Router(**{name: health})


def test_two_procedures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two procedures called 'list'"):
        Router(list=health, list_=greet)


def test_the_nearest_name_is_suggested_whatever_its_case() -> None:
    router = Router(role=Router(create=ping, list=health))

    assert [router.nearest(name) for name in ("Role.Create", "role.lst", "weather")] == [
        "role.create",
        "role.list",
        None,
    ]
