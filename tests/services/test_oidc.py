"""People by OIDC: real tokens of a real issuer on this machine, and those that somebody would like to pass for such."""

import asyncio
import base64
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from services import issuer_keys
from services.errors import Unauthenticated, Unavailable
from services.issuer_keys import IssuerKeys
from services.oidc import Issuer, issuer_of
from services.principal import Principal
from services.settings import Grants, Settings
from tests.services.issuer import AUDIENCE, LittleIssuer, SigningKey, handmade, little_issuer, new_key

REFUSED = "the token is not one that the OIDC issuer made for this server; sign in there again"
EXPIRED = "the OIDC token has expired; sign in again"
NOT_YET = "the OIDC token is not valid yet; see whether the clocks agree"

RSA, EC, ED = new_key("rsa", "RS256"), new_key("ec", "ES256"), new_key("ed", "EdDSA")
STRANGER = new_key("ec", "ES256")
WEAK = new_key("weak", "RS256", bits=1024)
HEAD = {"typ": "JWT", "alg": "ES256", "kid": "ec"}


@pytest.fixture(autouse=True)
def opened() -> None:
    """No database here."""


@dataclass
class Clock:
    """Time that moves when the test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def there() -> Iterator[LittleIssuer]:
    with little_issuer(RSA, EC, ED) as issuer:
        yield issuer


def trusting(
    there: LittleIssuer, clock: Clock | None = None, *, claim: str = "scope", grants: Grants | None = None
) -> Issuer:
    keys = IssuerKeys(there.url, clock=clock or Clock())
    return Issuer(there.url, audience=AUDIENCE, scopes_claim=claim, grants=grants, keys=keys)


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=lambda key: key.algorithm)
async def test_a_token_of_the_issuer_stands_for_a_person(there: LittleIssuer, key: SigningKey) -> None:
    principal = (await trusting(there).authenticate(there.token(key))).principal

    assert principal == Principal(kind="human", name="oidc:anna", scopes=("roles.read",))


@pytest.mark.parametrize(
    ("claim", "said", "grants", "scopes"),
    [
        ("scope", {"scope": "roles.write roles.read roles.reed"}, None, ("roles.read", "roles.write")),
        ("scope", {"scope": ["roles.write", 7, None, ["roles.read"]]}, None, ("roles.write",)),
        ("scope", {"scope": None}, None, ()),
        ("scope", {"scope": {"roles.read": True}}, None, ()),
        ("scope", {"scope": 7}, None, ()),
        ("groups", {"groups": ["ops", "staff"]}, {"ops": ("executions.run",)}, ("executions.run",)),
        ("groups", {"groups": ["roles.read"]}, {"ops": ("executions.run",)}, ()),
        ("realm.roles", {"realm": {"roles": ["roles.read"]}}, None, ("roles.read",)),
        ("https://a.b/roles", {"https://a.b/roles": ["roles.read"]}, None, ("roles.read",)),
        ("realm.roles", {"realm": "roles"}, None, ()),
    ],
)
async def test_scopes_are_what_the_claim_says_and_means_here(
    there: LittleIssuer, claim: str, said: dict[str, Any], grants: Grants | None, scopes: tuple[str, ...]
) -> None:
    principal = (await trusting(there, claim=claim, grants=grants).authenticate(there.token(EC, **said))).principal

    assert principal.scopes == scopes


def tampered(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims[:-4]}{'AAAA' if claims[-4:] != 'AAAA' else 'BBBB'}.{signature}"


def embedding(there: LittleIssuer) -> str:
    """A token that brings the key to check it with."""
    return there.token(STRANGER, head={"jwk": STRANGER.jwk, "jku": "http://127.0.0.1:1/keys"})


HOSTILE: dict[str, tuple[Callable[[LittleIssuer], str], str]] = {
    "not signed": (lambda it: handmade({**HEAD, "alg": "none"}, it.claims()), REFUSED),
    "not signed, in capitals": (lambda it: handmade({**HEAD, "alg": "NONE"}, it.claims(), b"x"), REFUSED),
    "not signed, with a signature": (lambda it: handmade({**HEAD, "alg": "none"}, it.claims(), b"x"), REFUSED),
    "HMAC with the public key": (
        lambda it: handmade({"alg": "HS256", "kid": "rsa"}, it.claims(), RSA.pem),
        REFUSED,
    ),
    "HMAC with the public key as told": (
        lambda it: handmade({"alg": "HS256", "kid": "rsa"}, it.claims(), json.dumps(RSA.jwk).encode()),
        REFUSED,
    ),
    "HMAC that says ES256": (lambda it: handmade(HEAD, it.claims(), EC.pem), REFUSED),
    "another's key under our id": (lambda it: it.token(STRANGER), REFUSED),
    "a key that came with it": (embedding, REFUSED),
    "the algorithm of another key": (lambda it: it.token(EC, head={"kid": "rsa"}), REFUSED),
    "a weak key": (lambda it: signed_weakly(it), REFUSED),
    "a secret key of the issuer's": (
        lambda it: handmade({"alg": "HS256", "kid": "shared"}, it.claims(), b"s" * 32),
        REFUSED,
    ),
    "a key to encrypt with": (lambda it: it.token(ED, head={"kid": "to encrypt"}), REFUSED),
    "no algorithm": (lambda it: handmade({"kid": "ec"}, it.claims(), b"x"), REFUSED),
    "an algorithm that is a list": (lambda it: handmade({**HEAD, "alg": ["ES256"]}, it.claims(), b"x"), REFUSED),
    "no key id": (lambda it: jwt.encode(it.claims(), EC.private, algorithm="ES256"), REFUSED),
    "a key id that is a number": (lambda it: handmade({**HEAD, "kid": 7}, it.claims(), b"x"), REFUSED),
    "a key id that leads elsewhere": (lambda it: it.token(EC, head={"kid": "../../etc/passwd"}), REFUSED),
    "an unknown key id": (lambda it: it.token(new_key("new")), REFUSED),
    "a head that is critical": (lambda it: it.token(EC, head={"crit": ["exp"], "exp": 1}), REFUSED),
    "a body that is not encoded": (lambda it: it.token(EC, head={"crit": ["b64"], "b64": True}), REFUSED),
    "a head that is a list": (lambda it: handmade([HEAD], it.claims(), b"x"), REFUSED),
    "a head that is deep": (lambda it: handmade_head(b"[" * 6_000), REFUSED),
    "a head that is no JSON": (lambda it: handmade_head(b"\xff\xfe{"), REFUSED),
    "a head with a huge number": (lambda it: handmade_head(b'{"kid":' + b"9" * 8_000 + b"}"), REFUSED),
    "claims that were changed": (lambda it: tampered(it.token(EC)), REFUSED),
    "claims that are a list": (lambda it: handmade(HEAD, [1], b"x"), REFUSED),
    "a signature that was cut": (lambda it: it.token(EC)[:-3], REFUSED),
    "another audience": (lambda it: it.token(EC, aud="others"), REFUSED),
    "other audiences": (lambda it: it.token(EC, aud=["others", "rolecal"]), REFUSED),
    "no audience": (lambda it: it.token(EC, aud=None), REFUSED),
    "another issuer": (lambda it: it.token(EC, iss="https://evil.example"), REFUSED),
    "nearly the issuer": (lambda it: it.token(EC, iss=f"{it.url}/"), REFUSED),
    "no issuer": (lambda it: it.token(EC, iss=None), REFUSED),
    "no end": (lambda it: it.token(EC, exp=None), REFUSED),
    "an end that never comes": (lambda it: it.token(EC, exp=float("inf")), REFUSED),
    "an end that is a text": (lambda it: it.token(EC, exp="never"), REFUSED),
    "an end that is past": (lambda it: it.token(EC, exp=int(time.time()) - 60), EXPIRED),
    "a beginning that is to come": (lambda it: it.token(EC, nbf=int(time.time()) + 600), NOT_YET),
    "made in the future": (lambda it: it.token(EC, iat=int(time.time()) + 600), NOT_YET),
    "nobody": (lambda it: it.token(EC, sub=None), REFUSED),
    "an empty name": (lambda it: it.token(EC, sub=""), REFUSED),
    "a name that is a number": (lambda it: handsigned(it, sub=7), REFUSED),
    "a name with a line in it": (lambda it: it.token(EC, sub="anna\nadmin"), REFUSED),
    "a name with a NUL": (lambda it: it.token(EC, sub="anna\0"), REFUSED),
    "a name without an end": (lambda it: it.token(EC, sub="a" * 256), REFUSED),
    "too many characters": (
        lambda it: it.token(EC, text="x" * 20_000),
        "the OIDC token has more than 16,384 characters",
    ),
}


def handmade_head(head: bytes) -> str:
    return f"{base64.urlsafe_b64encode(head).decode().rstrip('=')}.e30.eA"


def handsigned(there: LittleIssuer, **changed: Any) -> str:
    """A token that was signed with the issuer's key, and holds what a library would refuse to sign."""
    claims = json.dumps(there.claims(**changed)).encode()
    return jwt.api_jws.encode(claims, EC.private, algorithm="ES256", headers={"kid": "ec"})


def signed_weakly(there: LittleIssuer) -> str:
    with warnings.catch_warnings(action="ignore"):
        return there.token(WEAK)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_token_is_refused_and_its_maker_learns_nothing(there: LittleIssuer, kind: str) -> None:
    make, message = HOSTILE[kind]
    shared = {"kty": "oct", "kid": "shared", "k": "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M", "alg": "HS256"}
    there.keys += [WEAK.jwk, shared, {**ED.jwk, "kid": "to encrypt", "use": "enc"}, {"kid": 7}, {}]
    there.keys += [None, "key", {"kty": "RSA", "kid": "broken", "n": 7, "e": "AQAB"}]  # type: ignore[list-item]
    issuer = trusting(there)

    with pytest.raises(Unauthenticated) as refused:
        await issuer.authenticate(make(there))

    assert str(refused.value) == message
    assert (await issuer.authenticate(there.token(EC))).name == "oidc:anna"


async def test_clocks_may_differ_by_half_a_minute(there: LittleIssuer) -> None:
    now = int(time.time())

    principal = (await trusting(there).authenticate(there.token(EC, exp=now - 20, nbf=now + 20))).principal

    assert principal.name == "oidc:anna"


async def test_keys_are_asked_for_once_an_hour(there: LittleIssuer, clock: Clock) -> None:
    issuer, token = trusting(there, clock), there.token(EC)
    fetches: list[int] = []
    for passed in (0, 1, 3_598, 1, 1):
        clock.now += passed
        await issuer.authenticate(token)
        fetches.append(there.key_fetches)

    assert fetches == [1, 1, 1, 2, 2]


async def test_whoever_comes_at_once_waits_for_the_same_answer(there: LittleIssuer) -> None:
    issuer, token = trusting(there), there.token(EC)
    there.may_answer.clear()
    asking = [asyncio.create_task(issuer.authenticate(token)) for _ in range(50)]
    await asyncio.to_thread(there.was_asked.wait)

    asking[0].cancel()  # the client that came first has gone
    there.may_answer.set()
    found = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(found[0], asyncio.CancelledError)
    assert {principal.name for principal in found[1:]} == {"oidc:anna"}  # type: ignore[union-attr]
    assert there.key_fetches == 1


async def test_a_new_key_is_found_and_made_up_ones_ask_once_a_minute(there: LittleIssuer, clock: Clock) -> None:
    issuer, new = trusting(there, clock), new_key("new")
    await issuer.authenticate(there.token(EC))
    there.keys = [new.jwk]

    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await issuer.authenticate(there.token(new_key("made up")))
    asked_within_the_minute = there.key_fetches
    clock.now += 60
    principal = (await issuer.authenticate(there.token(new))).principal
    with pytest.raises(Unauthenticated):
        await issuer.authenticate(there.token(EC))  # rotated out

    assert (asked_within_the_minute, there.key_fetches, principal.name) == (1, 2, "oidc:anna")


async def test_known_keys_hold_for_a_day_while_the_issuer_is_away(there: LittleIssuer, clock: Clock) -> None:
    issuer, token = trusting(there, clock), there.token(EC)
    await issuer.authenticate(token)
    there.fails()

    clock.now += 86_000
    kept = await issuer.authenticate(token)
    clock.now += 400
    with pytest.raises(Unavailable, match="the OIDC issuer does not tell its keys right now"):
        await issuer.authenticate(token)
    there.recovers()
    clock.now += 10
    again = await issuer.authenticate(token)

    assert (kept.name, again.name) == ("oidc:anna", "oidc:anna")


async def test_an_issuer_that_is_away_is_asked_every_ten_seconds(there: LittleIssuer, clock: Clock) -> None:
    issuer, token = trusting(there, clock), there.token(EC)
    there.fails()
    asked: list[int] = []
    for passed in (0, 1, 8, 1, 1):
        clock.now += passed
        with pytest.raises(Unavailable):
            await issuer.authenticate(token)
        asked.append(len(there.asked))

    assert asked == [1, 1, 1, 2, 2]


BAD_ANSWERS: dict[str, Callable[[LittleIssuer], tuple[str, tuple[int, bytes, dict[str, str]]]]] = {
    "another issuer": lambda it: ("configuration", (200, b'{"issuer": "https://evil.example", "jwks_uri": "x"}', {})),
    "a redirect": lambda it: ("keys", (302, b"", {"location": f"{it.url}/elsewhere"})),
    "no JSON": lambda it: ("keys", (200, b"<html>", {})),
    "too deep": lambda it: ("keys", (200, b"[" * 200_000, {})),
    "a list": lambda it: ("keys", (200, b"[]", {})),
    "no keys": lambda it: ("keys", (200, b'{"keys": {}}', {})),
    "too much": lambda it: ("keys", (200, b" " * 300_000, {})),
    "a packed answer": lambda it: ("keys", (200, b"\x1f\x8b" + b"\0" * 100, {"content-encoding": "gzip"})),
    "keys in the clear": lambda it: (
        "configuration",
        (200, json.dumps({"issuer": it.url, "jwks_uri": "http://keys.example/"}).encode(), {}),
    ),
    "keys in a file": lambda it: (
        "configuration",
        (200, json.dumps({"issuer": it.url, "jwks_uri": "file:///etc/passwd"}).encode(), {}),
    ),
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
async def test_an_issuer_that_answers_wrongly_is_as_one_that_is_away(there: LittleIssuer, kind: str) -> None:
    what, answer = BAD_ANSWERS[kind](there)
    there.answers["/keys" if what == "keys" else "/.well-known/openid-configuration"] = answer

    with pytest.raises(Unavailable):
        await trusting(there).authenticate(there.token(EC))

    assert "/elsewhere" not in there.asked


async def test_an_issuer_that_hangs_is_not_waited_for(there: LittleIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "_TOTAL_SECONDS", 0.05)
    there.may_answer.clear()

    with pytest.raises(Unavailable):
        await trusting(there).authenticate(there.token(EC))


async def test_nobody_at_the_address_is_as_one_that_is_away() -> None:
    with little_issuer(EC) as gone:
        token = gone.token(EC)

    with pytest.raises(Unavailable):
        await trusting(gone).authenticate(token)


def test_without_an_issuer_in_the_settings_nobody_is_trusted() -> None:
    assert issuer_of(Settings()) is None
