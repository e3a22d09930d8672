"""Every procedure, asked by every kind of principal, in every form that a call can have: no hole, and no trace of what
was refused. All of it is made from the registry, so a new procedure is in it.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import pytest
import pytest_asyncio

from api.policy import Known, Needs, Public, policy_of
from api.root import router
from api.rpc import Procedure
from db.tables import TABLES
from db.tables import Session as SessionRow
from db.tables import Token as TokenRow
from db.tables import Worker as WorkerRow
from services import sessions, tokens
from services.caller import OPERATOR, Caller
from services.principal import NOT_FOR_AGENTS, SCOPES, Kind, Scope
from services.settings import Settings
from tests.api.client import Api
from tests.api.conftest import serving
from tests.api.inputs import smallest_input
from tests.conftest import CopyOf
from tests.services.issuer import AUDIENCE, LittleIssuer, SigningKey, little_issuer, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
KINDS: tuple[Kind, ...] = ("human", "agent", "service")
KEY, STRANGER = new_key("key"), new_key("key")

Headers: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Who:
    """A kind of principal: what it sends and holds; None when nobody is to be known by it. `comes_from` is what a
    request with a cookie says of the page that has sent it.
    """

    name: str
    headers: Headers
    holds: frozenset[Scope] | None
    comes_from: str | None = None


@dataclass(frozen=True)
class Form:
    """A form that a call can have."""

    name: str
    method: str
    headers: Headers = field(default_factory=lambda: JSON)
    is_batch: bool = False
    is_broken: bool = False

    @property
    def takes_lines(self) -> bool:
        """Whether the answer may come in lines, as one that streams has to."""
        return "trpc-accept" in self.headers

    def ask(self, connection: HTTPConnection, path: str, input: bytes | None, headers: Headers) -> set[int]:
        """The statuses of the answers to its calls; a refusal holds nothing but its reason."""
        target = f"/trpc/{path},{path}?batch=1" if self.is_batch else f"/trpc/{path}?"
        if self.is_batch and input is not None:
            input = b'{"0":%s,"1":%s}' % (input, input)
        body = None
        if self.method == "GET":
            target += f"&input={quote(input)}" if input is not None else ""
        else:
            body = b"{broken" if self.is_broken else input or b""
        connection.request(self.method, target, body, {**self.headers, **headers})
        response = connection.getresponse()
        text = response.read()
        if response.headers["content-type"].startswith("text/event-stream"):
            return statuses(errors_in_events(text))
        if self.takes_lines and response.status == 200:
            return statuses(errors_in_lines(text))
        body = msgspec.json.decode(text)
        found = statuses([it.get("error") for it in (body if isinstance(body, list) else [body])])
        assert response.status in (*found, 207)
        return found


FORMS = (
    Form("GET", "GET"),
    Form("POST", "POST"),  # of a query: the override that clients may ask for
    Form("GET that says POST", "GET", {**JSON, "x-http-method-override": "POST"}),
    Form("batch by GET", "GET", is_batch=True),
    Form("batch by POST", "POST", is_batch=True),
    Form("batch by POST, in lines", "POST", {**JSON, "trpc-accept": "application/jsonl"}, is_batch=True),
    Form("POST of what is no JSON", "POST", is_broken=True),  # whoever is refused is so before it is read
    Form("POST of text", "POST", {"content-type": "text/plain"}),
    Form("POST of nothing said", "POST", {}),
    Form("PUT", "PUT"),
)


def errors_in_events(text: bytes) -> list[Any]:
    """The error that ends an event stream, or None."""
    *_, last = [event for event in text.decode().split("\n\n") if event.strip()]
    kind, data = (line.partition(": ")[2] for line in last.strip().splitlines()[:2])
    assert kind in ("return", "serialized-error")
    return [msgspec.json.decode(data) if kind == "serialized-error" else None]


def errors_in_lines(text: bytes) -> list[Any]:
    """The error of each call that is answered in lines, or None: refused at once, or while its items came."""
    _, *chunks = [msgspec.json.decode(line) for line in text.splitlines()]
    errors = []
    for _, state, told in chunks:
        if state == 2:
            errors.append(told)
        elif state == 0:
            errors.append(told[0][0].get("error") if told[0] and isinstance(told[0][0], dict) else None)
    return errors


def streams_lines(procedure: Procedure[..., Any]) -> bool:
    """Whether the procedure can be called only by who takes lines."""
    return procedure.streams and procedure.kind != "subscription"


def statuses(errors: list[Any]) -> set[int]:
    """The statuses that stand for these errors; 200 where there is none."""
    return {error["data"]["httpStatus"] if error else 200 for error in errors}


def refused_form(form: Form, procedure: Procedure[..., Any]) -> int | None:
    """The status with which this form of a call is refused, whoever asks."""
    if form.method != "GET" and form.headers.get("content-type") != JSON["content-type"]:
        return 415
    if procedure.kind == "subscription" and form.is_batch:
        return 400
    if form.method == "PUT" or (form.method == "GET" and procedure.kind == "mutation"):
        return 405
    return None


def refused_who(who: Who, form: Form, procedure: Procedure[..., Any]) -> int | None:
    """The status with which a well-formed call is refused to this principal."""
    policy = policy_of(procedure)
    if isinstance(policy, Public):
        return None
    if who.holds is None:
        return 401
    only_reads = form.method == "GET" and procedure.kind == "query"
    if who.comes_from == "foreign" or (who.comes_from == "unsaid" and not only_reads):
        return 403
    return 403 if not known_to(policy) <= who.holds else None


def known_to(policy: Any) -> frozenset[Scope]:
    return frozenset(policy.scopes) if isinstance(policy, Needs) else frozenset()


@dataclass
class Cast:
    """Every kind of principal, made once."""

    api: Api
    issuer: LittleIssuer
    made: dict[tuple[Kind, frozenset[Scope]], str] = field(default_factory=dict)
    ended: list[Who] = field(default_factory=list)
    cookies: dict[frozenset[Scope], str] = field(default_factory=dict)

    async def all(self, exactly: frozenset[Scope]) -> list[Who]:
        """Those who ask for what needs these scopes."""
        every = frozenset(SCOPES)
        others = every - set(sorted(exactly)[:1]) if exactly else exactly
        found = [Who("nobody", {}, None), *malformed(), *self.ended]
        for kind in KINDS:
            for what, scopes in (("none", frozenset[Scope]()), ("others", others), ("exactly", exactly)):
                found.append(await self._holder(kind, what, scopes))
        own, foreign = {"origin": f"http://127.0.0.1:{self.api.port}"}, {"origin": "https://evil.example"}
        for what, scopes in (("others", others), ("exactly", exactly)):
            cookie = await self._cookie(scopes)
            found += [
                Who(f"session: {what}, own page", {**cookie, **own}, scopes, "own"),
                Who(f"session: {what}, marked own", {**cookie, "sec-fetch-site": "same-origin"}, scopes, "own"),
                Who(f"session: {what}, another's page", {**cookie, **foreign}, scopes, "foreign"),
                Who(f"session: {what}, a sibling's page", {**cookie, "sec-fetch-site": "same-site"}, scopes, "foreign"),
                Who(f"session: {what}, nothing said", cookie, scopes, "unsaid"),
                Who(f"OIDC: {what}", self._signed(KEY, scope=" ".join(scopes)), scopes),
            ]
        everything = " ".join(SCOPES)
        return [
            *found,
            Who("OIDC: expired", self._signed(KEY, scope=everything, exp=int(time.time()) - 99), None),
            Who("OIDC: for another", self._signed(KEY, scope=everything, aud="others"), None),
            Who("OIDC: forged", self._signed(STRANGER, scope=everything), None),
            # The header wins, also when it is of no use.
            Who("cookie and no one's token", {**await self._cookie(every), **own, **bearer("rc_none")}, None),
        ]

    async def end(self) -> None:
        """Make those who were known once."""
        pool = self.api.runtime.database.pool
        for name, ending in (("expired", "expires_at"), ("revoked", "revoked_at")):
            token = await tokens.create(OPERATOR, name=name, scopes=SCOPES, kind="human")
            await pool.execute(f"UPDATE token SET {ending} = now() WHERE name = $1", name)
            self.ended.append(Who(name, bearer(token.token), None))
        own = {"origin": f"http://127.0.0.1:{self.api.port}"}
        somebody = Caller((await tokens.authenticate(self.api.token)).principal)
        for ending in ("revoked_at = now()", "expires_at = now()", "last_used_at = now() - interval '13 hours'"):
            begun = await sessions.begin(somebody, days=1)
            hashed = hashlib.sha256(begun.secret.encode()).digest()
            await pool.execute(f"UPDATE session SET {ending} WHERE hash = $1", hashed)
            self.ended.append(Who(f"session: {ending}", {"cookie": f"rolecall={begun.secret}", **own}, None))

    async def _holder(self, kind: Kind, what: str, scopes: frozenset[Scope]) -> Who:
        if kind == "agent":
            scopes -= NOT_FOR_AGENTS
        if (kind, scopes) not in self.made:
            name = f"{kind} {len(self.made)}"
            token = await tokens.create(OPERATOR, name=name, scopes=tuple(scopes), kind=kind)
            self.made[kind, scopes] = token.token
        return Who(f"{kind}: {what}", bearer(self.made[kind, scopes]), scopes)

    async def _cookie(self, scopes: frozenset[Scope]) -> Headers:
        if scopes not in self.cookies:
            token = await tokens.create(OPERATOR, name=f"page {len(self.cookies)}", scopes=tuple(scopes), kind="human")
            begun = await sessions.begin(await tokens.authenticate(token.token), days=1)
            self.cookies[scopes] = f"rolecall={begun.secret}"
        return {"cookie": self.cookies[scopes]}

    def _signed(self, key: SigningKey, **claims: Any) -> Headers:
        return bearer(self.issuer.token(key, **claims))


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def malformed() -> list[Who]:
    texts = {"another scheme": "Basic YTpi", "no token": "Bearer", "two": "Bearer a b", "no text": ""}
    tokens_ = ("rc_", "rc_abcdefgh_short", f"rc_abcdefgh_{'a' * 43}", "a.b.c", "null")
    found = [Who(f"malformed: {why}", {"authorization": text}, None) for why, text in texts.items()]
    return found + [Who(f"malformed: {text[:9]}", bearer(text), None) for text in tokens_]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cast(copy_of: CopyOf, template: str) -> AsyncIterator[Cast]:
    """One server for all, which limits nothing."""
    with ExitStack() as stack:
        issuer = stack.enter_context(little_issuer(KEY))
        settings = Settings(
            oidc_issuer=issuer.url,
            oidc_audience=AUDIENCE,
            calls_per_second=1_000_000,
            calls_burst=1_000_000,
            failed_sign_ins_per_minute=1_000_000,
        )
        async with copy_of(template) as url, serving(url, with_worker=False, settings=settings) as api:
            cast = Cast(api, issuer)
            await cast.end()
            yield cast


async def contents(api: Api) -> Mapping[str, str]:
    """What each table holds; of tokens and sessions, whose use is noted, how many there are."""
    counted = (TokenRow, SessionRow)
    parts = [
        f"SELECT '{name}', {'count(*)::text' if table in counted else whole} FROM \"{name}\" AS it"
        for table in TABLES
        if table is not WorkerRow
        for name, whole in [(table._meta.tablename, "md5(coalesce(string_agg(it::text, '|' ORDER BY it::text), ''))")]
    ]
    return dict(await api.runtime.database.pool.fetch(" UNION ALL ".join(parts)))


def asked(
    port: int, name: str, who: list[Who], is_meant: Callable[[Who, Form], bool]
) -> dict[tuple[str, str], set[int]]:
    """The statuses of the answers to each principal and form that is meant, over one connection."""
    input = (
        msgspec.json.encode(given) if (given := smallest_input(router.procedures[name])) is not msgspec.UNSET else None
    )
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        return {
            (it.name, form.name): form.ask(connection, name, input, it.headers)
            for it in who
            for form in FORMS
            if is_meant(it, form)
        }
    finally:
        connection.close()


@pytest.mark.parametrize("name", [name for name, _ in router])
async def test_no_hole_and_no_trace(cast: Cast, name: str) -> None:
    procedure = router.procedures[name]
    who = await cast.all(known_to(policy_of(procedure)))
    expected = {
        (it.name, form.name): refused_form(form, procedure) or refused_who(it, form, procedure)
        for it in who
        for form in FORMS
    }
    before = await contents(cast.api)

    def is_refused(it: Who, form: Form) -> bool:
        return expected[it.name, form.name] is not None

    refused = await asyncio.to_thread(asked, cast.api.port, name, who, is_refused)
    after = await contents(cast.api)
    let_in = await asyncio.to_thread(asked, cast.api.port, name, who, lambda it, form: not is_refused(it, form))

    assert refused == {case: {status} for case, status in expected.items() if status is not None}
    assert after == before
    # What they are told then depends on what there is.
    whole = (
        {form.name for form in FORMS if not form.takes_lines and not form.is_broken}
        if streams_lines(procedure)
        else set()
    )
    assert {
        case: told for case, told in let_in.items() if told & {401, 403, 405} or (415 in told) != (case[1] in whole)
    } == {}
    assert refused.keys() | let_in.keys() == expected.keys()
    assert refused or isinstance(policy_of(procedure), Public | Known)
    assert let_in


@pytest.mark.parametrize("name", [name for name, _ in router])
async def test_a_procedure_says_which_scope_it_needs(name: str) -> None:
    procedure = router.procedures[name]
    policy = policy_of(procedure)

    said = re.search(r"Needs ((?:\w+\.\w+| and )+)", procedure.description)

    assert said is None if not isinstance(policy, Needs) else said and said[1] == " and ".join(policy.scopes)


async def test_the_matrix_has_every_scope_and_every_way_in(cast: Cast) -> None:
    needed = {scope for _, it in router for scope in known_to(policy_of(it))}
    names = {it.name.partition(":")[0] for it in await cast.all(frozenset({"roles.read"}))}

    assert needed == set(SCOPES) - {"admin"}, "that one opens pages, which tests/api/test_admin.py goes through"
    assert names >= {"nobody", *KINDS, "expired", "revoked", "malformed", "session", "OIDC"}
