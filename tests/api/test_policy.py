"""Policies: who may call a procedure, and that none is left without."""

from dataclasses import dataclass

import pytest

from api.policy import Known, Needs, Public, checked, guard
from api.root import router
from api.rpc import Family, Router, query, whole
from services.caller import Caller
from services.errors import Forbidden, Unauthenticated
from services.principal import Principal

READER = Caller(Principal(kind="service", name="reader", scopes=("roles.read",)))


@dataclass
class Request:
    """A context of nobody, unless somebody is given."""

    found: Caller | None = None

    @property
    def caller(self) -> Caller:
        if self.found is None:
            raise Unauthenticated("no token was sent")
        return self.found


async def answer(ctx: Request) -> int:
    """Forty-two."""
    return 42


def test_an_application_whose_procedure_has_no_policy_does_not_start() -> None:
    half = Router(open=query(meta=Public())(answer), forgotten=query(answer))

    with pytest.raises(TypeError, match=r"test_policy\.answer says nobody may call it: give it meta=Needs"):
        checked(half)


def test_a_family_without_a_policy_does_not_start_either() -> None:
    with pytest.raises(TypeError, match=r"test_policy\.answer says nobody may call it"):
        checked(Router(many=Family(lambda name: whole("query", answer, name))))


def test_every_procedure_of_ours_has_a_policy() -> None:
    assert checked(router) is router


def test_a_public_procedure_asks_nobody() -> None:
    guard(Request(), query(meta=Public())(answer))


@pytest.mark.parametrize("policy", [Known(), Needs("roles.read")])
def test_any_other_needs_a_caller(policy: Known | Needs) -> None:
    with pytest.raises(Unauthenticated):
        guard(Request(), query(meta=policy)(answer))


@pytest.mark.parametrize("policy", [Known(), Needs("roles.read")])
def test_whoever_holds_what_it_needs_may_call_it(policy: Known | Needs) -> None:
    guard(Request(READER), query(meta=policy)(answer))


def test_a_scope_that_is_missing_is_refused() -> None:
    with pytest.raises(Forbidden, match=r"service 'reader' holds roles\.read; this needs roles\.write"):
        guard(Request(READER), query(meta=Needs("roles.write"))(answer))
