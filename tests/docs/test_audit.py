"""The page on the audit says what is the case: its commands are typed, its SQL runs, its tables are compared."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import asyncpg
import msgspec

from db.tables import Audit
from services.audit.anchors import Anchor
from services.audit.findings import Code
from services.settings import Settings
from tests.audit.conftest import admin
from tests.audit.tampers import TAMPERS
from tests.cli.processes import ROOT, Rolecall, until
from tests.conftest import NewDirectory
from tests.docs.markdown import blocks, rows

__all__ = ["admin"]

PAGE = "audit.md"
SETUP = """
rolecall() {{ {python} -m api.cli "$@"; }}
call() {{ curl -s -H "authorization: Bearer $token" -H 'content-type: application/json' "$@"; echo; }}
"""


def test_the_commands_work(new_directory: NewDirectory, tmp_path: Path) -> None:
    def typed(text: str, **given: str) -> list[str]:
        values = "".join(f"{name}={value}\n" for name, value in {"place": str(tmp_path), **given}.items())
        command = values + SETUP.format(python=sys.executable) + text
        environment = rolecall._place({})
        done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    listing, verifying, key = [block.text for block in blocks(PAGE, "sh") if not block.word]
    (anchored,) = [block.text for block in blocks(PAGE, "sh") if block.word == "anchored"]
    (settings,) = [block.text for block in blocks(PAGE, "sh") if block.word == "settings"]
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"})
        typed(key)
        given = {**_settings(settings, tmp_path), "ROLECALL_AUDIT_ANCHOR_URL": "", "ROLECALL_AUDIT_ANCHOR_SECONDS": "1"}
        with rolecall.up(**given) as up:
            access = {"url": up.url, "token": up.token_file.read_text().strip()}
            made, listed, entry, answer = typed(listing, **access)
            head, verified, verification = typed(verifying, **access)
            file = tmp_path / "anchors.jsonl"
            until(lambda: file.read_text() if file.exists() else "", lambda told: '"seq":3,' in told)
            (held,) = typed(anchored)

    assert json.loads(made)["result"]["data"]["name"] == "Poet"
    assert listed.split()[4:8] == ["rpc", "admin", "insert", "role"]
    (told,) = json.loads(answer)["result"]["data"]["items"]
    assert told == json.loads(entry)
    assert verified == held == "{0} entries, up to {0} {1}: as they were written".format(*head.split()[:2])
    assert json.loads(verification)["result"]["data"]["findings"] == []


async def test_each_statement_is_one_that_runs(admin: asyncpg.Connection) -> None:
    reading, acting = [block.text for block in blocks(PAGE, "sql")]
    await admin.execute("UPDATE role SET name = 'Poet' WHERE name = 'Coder'")

    async with admin.transaction():
        await admin.execute(acting)

    newest, *_ = await admin.fetch(reading)
    assert (newest["actor"], newest["channel"], newest["is_now"]) == ("anna", "admin", "You are the Coder.")


def test_the_tables_are_the_case() -> None:
    columns = [row.cells["column"] for row in rows(PAGE, "column", "meaning")]
    findings = [row.cells["finding"] for row in rows(PAGE, "finding", "meaning")]
    tried = [tuple(row.cells.values()) for row in rows(PAGE, "found")]

    assert columns == [column._meta.name for column in Audit._meta.columns]
    assert findings == list(get_args(Code))
    assert [(what, _codes(found), _codes(anchored)) for what, found, anchored in tried] == [
        (it.what, it.found, it.anchored) for it in TAMPERS
    ]


def test_the_settings_are_taken_and_an_anchor_has_these_members() -> None:
    (block,) = [block.text for block in blocks(PAGE, "sh") if block.word == "settings"]
    (anchor,) = [block.value for block in blocks(PAGE, "json")]

    settings = Settings.from_environment(_settings(block, ROOT))

    assert (settings.audit_anchor_seconds, settings.audit_anchor_url) == (60, "https://log.example.com/rolecall")
    assert isinstance(anchor, dict)
    assert list(anchor) == [field.encode_name for field in msgspec.structs.fields(Anchor)]


def _settings(block: str, place: Path) -> dict[str, str]:
    return dict(line.replace("$place", str(place)).split("=", 1) for line in block.splitlines())


def _codes(cell: str) -> tuple[str, ...]:
    return tuple(code.strip("`") for code in cell.split(", ") if code != "–")
