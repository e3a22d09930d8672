"""`rolecall audit`: listed and verified at a terminal, with a key and the anchors that a server has written."""

import asyncio
import json
import re
from pathlib import Path

from db.connection import connect
from tests.audit.tampers import UNGUARDED
from tests.cli.processes import Rolecall, until

VARIABLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}")


def said(text: str) -> list[str]:
    """The lines of a command, without what differs from run to run."""
    return [" ".join(VARIABLE.sub("…", line).split()) for line in text.splitlines()]


def test_changes_are_listed_and_verified(rolecall: Rolecall, database_url: str) -> None:
    given = {"ROLECALL_DATABASE_URL": database_url}
    nothing = [rolecall.run("audit", command, **given) for command in ("list", "head", "verify")]
    rolecall.run("token", "create", "ci", "--scope", "roles.read", **given)
    rolecall.run("token", "revoke", "ci", **given)

    listed = rolecall.run("audit", "list", "--noun", "token", **given)
    as_json = rolecall.run("audit", "list", "--action", "update", "--json", **given)
    head = rolecall.run("audit", "head", **given)
    verified = rolecall.run("audit", "verify", **given)
    _tamper(database_url, "DELETE FROM audit WHERE seq = 1")
    found = rolecall.run("audit", "verify", **given)

    assert [(it.returncode, it.stdout) for it in nothing] == [
        (0, ""), (0, "nothing was changed yet\n"), (0, "0 entries: as they were written\n")
    ]  # fmt: skip
    assert said(listed.stdout) == ["2 … cli operator update token ci …", "1 … cli operator insert token ci …"]
    (entry,) = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert (entry["before"]["revoked_at"], entry["after"]["revoked_at"][:2]) == (None, "20")
    assert said(head.stdout) == ["2 sha256:… …"]
    assert (verified.returncode, said(verified.stdout)) == (0, ["2 entries, up to 2 sha256:…: as they were written"])
    assert (found.returncode, said(found.stdout)) == (1, ["GAP: of the entries before 2, 1 is missing"])
    assert said(found.stderr) == ["1 entries, up to 2 sha256:…: tampered with"]


def test_a_tail_that_is_cut_off_is_found_with_the_anchors_of_a_server(
    rolecall: Rolecall, database_url: str, tmp_path: Path
) -> None:
    key, file = tmp_path / "key", tmp_path / "anchors.jsonl"
    made = rolecall.run("audit", "key", str(key))
    given = {"ROLECALL_DATABASE_URL": database_url}
    anchoring = {"ROLECALL_AUDIT_ANCHOR_FILE": str(file), "ROLECALL_AUDIT_ANCHOR_KEY_FILE": str(key)}
    with rolecall.up(**given, **anchoring, ROLECALL_AUDIT_ANCHOR_SECONDS="1") as up:
        up.mutate("role.create", name="Critic", basePrompt="")
        until(lambda: file.read_bytes() if file.exists() else b"", lambda told: b'"seq":3,' in told)
    verify = ("audit", "verify", "--anchors", str(file), "--key", f"{key}.pub")

    before = rolecall.run(*verify, **given)
    _tamper(database_url, "DELETE FROM audit WHERE seq > 1; DELETE FROM role_version; DELETE FROM role")
    without = rolecall.run("audit", "verify", **given)
    after = rolecall.run(*verify, **given)

    assert (made.returncode, key.stat().st_mode & 0o777) == (0, 0o600)
    assert (before.returncode, before.stderr) == (0, "")
    assert without.returncode == 0
    assert (after.returncode, after.stdout) == (1, "ANCHOR: entry 3 was anchored, and is not there\n")


def test_what_cannot_be_used_is_said_in_one_line(rolecall: Rolecall, tmp_path: Path) -> None:
    (tmp_path / "key").touch()

    taken = rolecall.run("audit", "key", str(tmp_path / "key"))
    half = rolecall.run("audit", "verify", "--anchors", "anchors.jsonl")
    empty = rolecall.run(
        "audit", "head", ROLECALL_AUDIT_ANCHOR_FILE="x", ROLECALL_AUDIT_ANCHOR_KEY_FILE=str(tmp_path / "key")
    )

    told = [(it.returncode, it.stderr) for it in (taken, half, empty)]
    assert told == [
        (1, f"rolecall: cannot write {tmp_path / 'key'}: File exists\n"),
        (1, "rolecall: give --anchors and --key together: anchors are believed by their signature\n"),
        (1, f"rolecall: {tmp_path / 'key'} holds no private Ed25519 key as PEM; `rolecall audit key` makes one\n"),
    ]


def _tamper(url: str, statement: str) -> None:
    async def tamper() -> None:
        connection = await connect(url)
        unseen = f"SET session_replication_role = replica; {UNGUARDED.format(statement)}"
        await connection.execute(unseen)
        await connection.close()

    asyncio.run(tamper())
