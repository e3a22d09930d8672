"""The page on access says what is the case: its commands are typed, its tables compared with the code."""

import json
import re
import subprocess
from pathlib import Path

import msgspec

from api.policy import Known, Needs, Public, policy_of
from api.root import router
from db.connection import Database
from services.issuer_keys import _KINDS
from services.settings import Settings
from tests.cli.processes import ROOT, Rolecall
from tests.conftest import NewDirectory
from tests.docs import scopes
from tests.docs.markdown import DOCS, blocks, rows

PAGE = "access.md"


def test_the_commands_work(new_directory: NewDirectory, tmp_path: Path) -> None:
    commands = "\n".join(block.text for block in blocks(PAGE, "sh") if not block.word)
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"})
        with rolecall.up() as up:
            given = f"url={up.url} token={up.token_file.read_text().strip()} jar={tmp_path / 'jar'}\n"
            done = subprocess.run(["bash", "-euc", given + commands], capture_output=True, text=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.replace("}{", "}\n{").splitlines()]

    assert (done.returncode, done.stderr) == (0, "")
    made, listed, revoked, signed_in, read, written = answers
    assert made["result"]["data"]["token"].startswith("rc_")
    assert [token["name"] for token in listed["result"]["data"]] == ["admin", "nightly"]
    assert revoked["result"]["data"]["revokedAt"] is not None
    assert signed_in["principal"]["name"] == "admin"
    assert (read["result"]["data"]["items"], written["result"]["data"]["name"]) == ([], "Poet")


def test_the_table_of_scopes_is_fresh() -> None:
    page = scopes.PAGE.read_text(encoding="utf-8")

    assert page == scopes.fresh(page), "run `make generate`"
    assert scopes.table() in page
    others = {name: type(policy_of(it)) for name, it in router if not isinstance(policy_of(it), Needs)}
    assert others == {"system.health": Public, "system.whoami": Known}


def test_the_settings_are_the_ones_there_are() -> None:
    told = {row.cells["variable"]: row.cells["default"] for row in rows(PAGE, "variable", "default")}
    fields = {f"ROLECALL_{field.name.upper()}": field.default for field in msgspec.structs.fields(Settings)}
    shown = {name: "none" if default in (None, ()) else str(default) for name, default in fields.items()}

    assert told == {name: shown[name] for name in told}
    readme = (ROOT / "README.md").read_text()
    assert {name for name in fields if name not in told and f"`{name}`" not in readme} == set()


def test_the_settings_for_an_issuer_are_taken() -> None:
    (block,) = [block for block in blocks(PAGE, "sh") if block.word == "settings"]

    settings = Settings.from_environment(dict(line.split("=", 1) for line in block.text.splitlines()))

    assert (settings.oidc_audience, settings.oidc_scopes_claim) == ("rolecall", "groups")
    assert settings.oidc_grants == {
        "writers": ("roles.read", "roles.write"),
        "on-call": ("executions.read", "executions.run"),
    }
    told = re.search(r"signed with (.+) by a key", (DOCS / PAGE).read_text())
    assert told is not None
    assert set(re.findall(r"[RE]\w+\d+|EdDSA", told[1])) == {algorithm for algorithm, _ in _KINDS.values()}


async def test_the_statement_ends_the_sessions_of_a_person(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO session (hash, name, scopes, expires_at) "
        "SELECT decode(repeat(digit, 64), 'hex'), name, '{}', now() "
        "FROM (VALUES ('1', 'oidc:anna'), ('2', 'oidc:anna'), ('3', 'oidc:ben')) AS it (digit, name)"
    )
    (statement,) = [block.text for block in blocks(PAGE, "sql")]

    assert await database.pool.execute(statement) == "UPDATE 2"
