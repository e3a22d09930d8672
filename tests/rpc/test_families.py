"""Families: procedures that are found when they are called, and take their input as a whole."""

from typing import Any

import msgspec
import pytest

from api.rpc import Family, Procedure, Router, RpcError, query, read_input, whole


@query
async def listed(ctx: object) -> int:
    """One that is listed."""
    return 1


def member(name: str) -> Procedure[..., Any]:
    async def say(ctx: object, *, input: Any) -> Any:
        return name, input

    return whole("mutation", say, "Say what it is called.", meta=name)


async def called(router: Router, name: str, text: bytes | None) -> Any:
    """What the procedure of that name answers to this input."""
    procedure = router.get(name)
    assert procedure is not None
    return await procedure.call(None, read_input(procedure, text))


async def test_a_member_is_made_for_whatever_name_is_called() -> None:
    router = Router(run=Family(member), deep=Router(down=Family(member)))

    assert await called(router, "run.someThing", b"[1]") == ("someThing", [1])
    assert await called(router, "deep.down.other", b"null") == ("other", None)


@pytest.mark.parametrize("name", ["run", "run.", "run.a.b", "run.1a", "run.a-b", "run.größe", "ran.a", "down.a", ""])
def test_what_is_no_name_has_no_member(name: str) -> None:
    assert Router(run=Family(member), deep=Router(down=Family(member))).get(name) is None


def test_members_are_not_listed() -> None:
    router = Router(listed=listed, run=Family(member))

    assert dict(router) == {"listed": listed}
    assert router.families.keys() == {"run"}


def test_a_procedure_beside_a_family_comes_first() -> None:
    router = Router(run=Router(listed=listed, more=Family(member)))

    assert router.get("run.listed") is listed


def test_two_families_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="there are two families called 'run'"):
        Router(run=Family(member), run_=Family(member))


@pytest.mark.parametrize(
    ("text", "input"),
    [(None, msgspec.UNSET), (b"null", None), (b'{"lastEventId": 1}', {"lastEventId": 1}), (b'"a"', "a")],
)
async def test_the_input_is_taken_as_a_whole(text: bytes | None, input: Any) -> None:
    assert await called(Router(run=Family(member)), "run.a", text) == ("a", input)


@pytest.mark.parametrize(
    ("text", "says", "path"),
    [
        (b"{bad", "the input is not JSON", None),
        (b'{"n": [9007199254740993]}', "/n/0: integers beyond", "/n/0"),
        (b'{"a/b": "\\u0000"}', "/a~1b: text cannot hold the NUL character", "/a~1b"),
    ],
)
async def test_what_no_client_may_send_is_refused_where_it_stands(text: bytes, says: str, path: str | None) -> None:
    with pytest.raises(RpcError) as refused:
        await called(Router(run=Family(member)), "run.a", text)

    assert (refused.value.code, refused.value.message[: len(says)]) == ("BAD_REQUEST", says)
    assert [problem.path for problem in refused.value.data.get("problems", ())] == ([path] if path else [])
