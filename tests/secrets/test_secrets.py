"""Secrets: kept encrypted, bound to their row and hosts, rotated, and never written down anywhere."""

import copy
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.connection import Database
from services import connections, secrets
from services.caller import OPERATOR, Caller
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.principal import SCOPES, Principal
from services.secrets.hosts import host_of, may_go_to
from services.secrets.keyring import Keyring, Unreadable, new_key
from services.secrets.secret import Secret

OLD, NEW = new_key(), new_key()
PLANTED = "sk-planted-7f3a"
HOSTS = ["llm.example.com"]


def ring(*keys: str) -> Keyring:
    return Keyring.from_environment({"ROLECALL_SECRETS_KEY": ",".join(keys)})


@pytest.fixture
def opened_database(database: Database) -> Iterator[Database]:
    connections.use(database, None)
    secrets.use(ring(OLD))
    yield database
    secrets.use(Keyring())
    connections.use(None, None)


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        pickle.dumps,
        copy.deepcopy,
        msgspec.to_builtins,
    ],
)
def test_a_secret_is_not_written_down(write) -> None:
    with pytest.raises(TypeError) as refused:
        write({"key": Secret(PLANTED)})

    assert PLANTED not in str(refused.value)


def test_a_secret_does_not_show_itself(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(PLANTED)

    with caplog.at_level(logging.INFO):
        logging.getLogger(__name__).info("%s %r %s", secret, secret, [secret])

    assert PLANTED not in f"{secret} {secret!r} {secret:>20} {[secret]} {vars} {caplog.text}" + str(dir(secret))
    assert (secret == Secret(PLANTED), secret == Secret("other"), secret == PLANTED) == (True, False, False)


@given(text=st.text(min_size=1, max_size=200), place=st.text(max_size=50), other=st.text(max_size=50))
def test_what_is_sealed_opens_in_its_place_and_nowhere_else(text: str, place: str, other: str) -> None:
    keys = ring(OLD)
    try:
        sealed = keys.seal(Secret(text), place)
    except UnicodeEncodeError:  # half of a pair of surrogates is no text
        return

    assert sealed.startswith(f"enc:v1:{keys.newest}:") and keys.open(sealed, place).reveal() == text
    if other != place:
        with pytest.raises(Unreadable, match="it was changed, moved from another row, or given other hosts"):
            keys.open(sealed, other)


@given(at=st.integers(0, 200), letter=st.sampled_from("ABab01:_"))
def test_an_envelope_of_which_a_letter_changed_never_opens_as_something_else(at: int, letter: str) -> None:
    sealed = ring(OLD).seal(Secret(PLANTED), "here")
    changed = sealed[: at % len(sealed)] + letter + sealed[at % len(sealed) + 1 :]

    try:
        opened = ring(OLD).open(changed, "here").reveal()
    except Unreadable as error:
        opened = PLANTED
        assert PLANTED not in str(error)

    # The last letter of base64 has bits that say nothing.
    assert opened == PLANTED


def test_the_first_key_encrypts_and_the_others_still_read() -> None:
    before, both, after = ring(OLD), ring(NEW, OLD), ring(NEW)
    sealed = before.seal(Secret(PLANTED), "here")

    assert both.open(sealed, "here").reveal() == PLANTED
    assert both.newest == after.newest != before.newest
    with pytest.raises(Unreadable, match=f"it is encrypted with the key {before.newest}, and ROLECALL_SECRETS_KEY has"):
        after.open(sealed, "here")


def test_keys_come_from_a_file_as_well(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{NEW}\n{OLD}\n")

    assert Keyring.from_environment({"ROLECALL_SECRETS_KEY_FILE": str(file)}).newest == ring(NEW).newest


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ROLECALL_SECRETS_KEY": "aGVsbG8="}, "ROLECALL_SECRETS_KEY: key 1 is not 32 bytes in base64"),
        ({"ROLECALL_SECRETS_KEY": f"{OLD},{PLANTED}"}, "ROLECALL_SECRETS_KEY: key 2 is not 32 bytes in base64"),
        ({"ROLECALL_SECRETS_KEY_FILE": "/nowhere/key"}, "ROLECALL_SECRETS_KEY_FILE is '/nowhere/key': No such file"),
        ({"ROLECALL_SECRETS_KEY_FILE": "/dev/null"}, "ROLECALL_SECRETS_KEY_FILE is '/dev/null': there is no key in it"),
        ({"ROLECALL_SECRETS_KEY": OLD, "ROLECALL_SECRETS_KEY_FILE": "/x"}, "are both set"),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_told(environ: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        Keyring.from_environment(environ)

    assert said in str(refused.value)
    assert PLANTED not in str(refused.value) and OLD not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://llm.example.com/v1", True),
        ("https://LLM.example.com:443/v1", True),
        ("https://llm.example.com:8443/v1", False),
        ("https://llm.example.com.evil.example/v1", False),
        ("https://evil.example/llm.example.com", False),
        ("https://llm.example.com@evil.example/", False),
        ("llm.example.com", False),
        ("https://[::1", False),
    ],
)
def test_a_secret_goes_to_its_hosts_and_to_no_others(url: str, may: bool) -> None:
    assert may_go_to(url, HOSTS) is may, host_of(url)


async def test_a_secret_is_kept_listed_used_and_gone(opened_database: Database) -> None:
    kept = await secrets.set_(OPERATOR, name="Key", value=Secret(PLANTED), hosts=HOSTS, description="a key")
    again = await secrets.set_(OPERATOR, name="Key", value=Secret(f"{PLANTED}-2"), hosts=HOSTS)

    (stored,) = await opened_database.pool.fetch("SELECT value FROM secret")
    audited = await opened_database.pool.fetchval("SELECT string_agg(before::text || after::text, '') FROM audit")
    assert (again.id, again.description, again.hosts) == (kept.id, "a key", ("llm.example.com",))
    assert await secrets.list_(OPERATOR) == [again]
    assert PLANTED not in f"{stored} {audited} {again}" and "enc:v1" not in str(audited)
    assert (await secrets.opened(["Key"]))["Key"].for_url("https://llm.example.com/v1").reveal() == f"{PLANTED}-2"
    assert await secrets.delete(OPERATOR, secret="Key") == again
    with pytest.raises(NotFound):
        await secrets.delete(OPERATOR, secret="Key")


@pytest.mark.parametrize("edit", ["hosts = '{evil.example}'", "id = gen_random_uuid()"])
async def test_who_moves_a_secret_in_the_database_gets_nothing_of_it(opened_database: Database, edit: str) -> None:
    await secrets.set_(OPERATOR, name="Key", value=Secret(PLANTED), hosts=HOSTS)
    await opened_database.pool.execute(f"UPDATE secret SET {edit}")

    moved = (await secrets.opened(["Key"]))["Key"]

    assert moved.value is None
    assert moved.problem == "it was changed, moved from another row, or given other hosts; set it again"


async def test_secrets_are_encrypted_anew_with_a_new_key(opened_database: Database) -> None:
    for name in ("One", "Two"):
        await secrets.set_(OPERATOR, name=name, value=Secret(PLANTED), hosts=HOSTS)
    secrets.use(ring(new_key()))
    await secrets.set_(OPERATOR, name="Lost", value=Secret(PLANTED), hosts=HOSTS)

    secrets.use(ring(NEW, OLD))
    one = await secrets.rotate(OPERATOR, secret="One")
    all_of_them = await secrets.rotate(OPERATOR)
    secrets.use(ring(NEW))

    assert (one.rotated, all_of_them.rotated) == (1, 1)
    assert [entry.name for entry in all_of_them.unreadable] == ["Lost"]
    found = await secrets.opened(["One", "Two", "Lost"])
    assert [found[name].value for name in ("One", "Two", "Lost")] == [Secret(PLANTED), Secret(PLANTED), None]


async def test_without_a_key_nothing_is_kept(opened_database: Database) -> None:
    secrets.use(Keyring())

    with pytest.raises(
        Conflict, match="cannot be encrypted, because this server has no key; this needs ROLECALL_SECRETS_KEY"
    ):
        await secrets.set_(OPERATOR, name="Key", value=Secret(PLANTED), hosts=HOSTS)
    with pytest.raises(Conflict, match="ROLECALL_SECRETS_KEY"):
        await secrets.rotate(OPERATOR)


async def test_a_host_that_is_none_is_refused_with_the_one_that_was_meant(opened_database: Database) -> None:
    with pytest.raises(Invalid) as refused:
        await secrets.set_(OPERATOR, name="Key", value=Secret(PLANTED), hosts=["https://API.openai.com/v1", "*"])

    assert [(it.path, it.suggestion) for it in refused.value.problems] == [
        ("/hosts/0", "api.openai.com"),
        ("/hosts/1", None),
    ]


async def test_agents_have_nothing_to_do_with_secrets(opened_database: Database) -> None:
    agent = Caller(Principal(kind="agent", name="scout", scopes=SCOPES))

    for asked in (secrets.list_(agent), secrets.rotate(agent), secrets.delete(agent, secret="Key")):
        with pytest.raises(Forbidden):
            await asked
