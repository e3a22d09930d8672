"""No tampering goes unnoticed, and nothing that is allowed is taken for it."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from db.acting import act_as
from db.connection import Database, connect
from services import audit, connections, roles
from services.audit import Anchored
from services.caller import OPERATOR, Caller
from services.errors import Forbidden
from services.principal import Principal
from services.roles import RoleChanges
from tests.audit.conftest import anchor, found
from tests.audit.tampers import TAMPERS, UNGUARDED, Tamper

NEW = "INSERT INTO role (name, base_prompt, created_by) VALUES ('R {0} {1}', '', 'eve')"
EDIT = "UPDATE role SET description = 'at {1}', tools = ARRAY['files.read'] WHERE name = 'R {0} {2}'"
DROP = "DELETE FROM role WHERE name = 'R {0} {2}'"
MANY = "BEGIN; UPDATE role SET description = description || '.' WHERE name LIKE 'R {0} %'; " + NEW + "; COMMIT"
UNDONE = "BEGIN; " + NEW + "; ROLLBACK"
SPELT = "SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; SET bytea_output = 'escape'"


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda it: it.what)
async def test_tampering_is_found(admin: asyncpg.Connection, tamper: Tamper) -> None:
    kept = await anchor()
    assert (await found(kept)).findings == ()
    async with admin.transaction():
        await admin.execute(tamper.sql)

    without = await found()
    with_anchor = await found(kept)

    codes = [list(dict.fromkeys(it.code for it in verification.findings)) for verification in (without, with_anchor)]
    assert codes == [list(tamper.found), [*tamper.anchored, *tamper.found]]
    assert without.is_clean == (not tamper.found)


async def test_a_finding_says_where(admin: asyncpg.Connection) -> None:
    await admin.execute(UNGUARDED.format("DELETE FROM audit WHERE seq = 5; UPDATE audit SET actor = 'x' WHERE seq = 3"))

    findings = (await found()).findings

    (critic,) = await admin.fetch("SELECT id FROM role WHERE name = 'Critic'")
    assert [(it.code, it.seq, it.noun, it.subject, it.message) for it in findings[:1]] == [
        ("CHANGED", 3, "role", critic["id"], "entry 3, or the one before it, is not what was written")
    ]
    assert [(it.code, it.seq, it.message) for it in findings[1:2]] == [
        ("GAP", 6, "of the entries before 6, 5 is missing")
    ]


async def test_two_hundred_legal_edits_by_several_at_once_are_no_tampering(
    admin: asyncpg.Connection, database_url: str
) -> None:
    async def edit(number: int) -> None:
        dice = random.Random(number)
        connection = await connect(database_url)
        try:
            await connection.execute(SPELT if number % 2 else "SELECT")
            for step in range(50):
                statement = dice.choice((NEW, NEW, EDIT, EDIT, DROP, MANY, UNDONE))
                await connection.execute(statement.format(number, step, dice.randrange(step + 1)))
        finally:
            await connection.close()

    verifications = []

    async def look_on() -> None:
        while True:
            verifications.append(await found())

    watching = asyncio.create_task(look_on())
    await asyncio.gather(*map(edit, range(4)))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    verifications.append(await found(await anchor()))

    assert len(verifications) > 1
    assert [it.findings for it in verifications] == [()] * len(verifications)
    assert verifications[-1].entries == await admin.fetchval("SELECT count(*) FROM audit") > 150


async def test_a_long_chain_is_verified_piece_by_piece(admin: asyncpg.Connection) -> None:
    count = await admin.fetchval("SELECT count(*) FROM audit")
    pieces, after = [], 0
    while after is not None:
        piece = await audit.verify(OPERATOR, after=after, entries=3)
        pieces.append(piece)
        after = piece.next_after

    assert sum(piece.entries for piece in pieces) == count
    assert [piece.findings for piece in pieces] == [()] * len(pieces)
    last = [piece.last for piece in pieces if piece.last is not None][-1]
    assert last == await audit.head(OPERATOR)


async def test_a_piece_that_begins_after_nothing_says_so(admin: asyncpg.Connection) -> None:
    piece = await audit.verify(OPERATOR, after=1_000)

    assert [(it.code, it.message) for it in piece.findings] == [("GAP", "entry 1000 is missing")]


async def test_a_hundred_findings_are_shown(admin: asyncpg.Connection) -> None:
    await admin.execute(
        "SET session_replication_role = replica; INSERT INTO role (name, base_prompt, created_by) "
        "SELECT 'Unseen ' || n, '', 'eve' FROM generate_series(1, 150) AS n; RESET session_replication_role"
    )

    verification = await found()

    assert (len(verification.findings), verification.has_more_findings) == (100, True)


async def test_nobody_waits_for_a_verification(admin: asyncpg.Connection, database: Database) -> None:
    async with admin.transaction():
        await admin.execute("UPDATE role SET description = 'held' WHERE name = 'Spare'; SET CONSTRAINTS ALL IMMEDIATE")

        assert (await found()).is_clean


async def test_a_database_in_which_nothing_was_changed_is_as_it_should_be(database: Database) -> None:
    connections.use(database, None)
    verification = await found()
    connections.use(None, None)

    assert (verification.entries, verification.last, verification.findings) == (0, None, ())


async def test_an_anchor_of_what_is_not_there_is_found(admin: asyncpg.Connection) -> None:
    verification = await found(Anchored(seq=99, hash="sha256:" + 64 * "0"))

    assert [(it.code, it.message) for it in verification.findings] == [
        ("ANCHOR", "entry 99 was anchored, and is not there")
    ]


async def test_entries_are_listed_newest_first_by_what_they_are_about(admin: asyncpg.Connection) -> None:
    with act_as("ben", "cli"):
        changed = await roles.update(OPERATOR, role="Spare", changes=RoleChanges(description="Rests."))

    (newest,) = (await audit.list_(OPERATOR, noun="role", subject=changed.id, action="update")).items
    assert (newest.actor, newest.channel, newest.noun, newest.subject) == ("ben", "cli", "role", changed.id)
    assert [(entry or {}).get("description") for entry in (newest.before, newest.after)] == ["", "Rests."]
    last = (await audit.list_(OPERATOR, limit=1)).items[0]  # its new version
    assert (await audit.list_(OPERATOR, actor="ben")).items == [last, newest]
    assert (await audit.list_(OPERATOR, channel="cli")).items == [last, newest]
    assert (await audit.list_(OPERATOR, since=newest.at)).items == [last, newest]
    assert newest not in (await audit.list_(OPERATOR, until=newest.at)).items
    pages, cursor = [], None
    while True:
        page = await audit.list_(OPERATOR, cursor=cursor, limit=2)
        pages += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert [entry.seq for entry in pages] == list(range(last.seq, 0, -1))


@pytest.mark.parametrize("kind", ["agent", "service"])
async def test_who_may_not_look_is_refused(kind: str) -> None:
    scopes = ("audit.read",) if kind == "agent" else ("roles.read",)
    stranger = Caller(Principal(kind=kind, name="eve", scopes=scopes))  # type: ignore[arg-type]

    for asked in (audit.list_, audit.head, audit.verify):
        with pytest.raises(Forbidden, match=r"audit\.read"):
            await asked(stranger)
