"""The head of the audit kept elsewhere: in a file and by a webhook, signed, once a minute at most."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from services import audit, connections, health, roles
from services.audit import anchors
from services.audit.anchoring import Anchoring
from services.audit.findings import Finding, Findings
from services.caller import OPERATOR
from services.models.catalog import Models
from services.models.offline.provider import MODEL
from services.models.selection import Offer
from tests.audit.conftest import found
from tests.audit.tampers import REWRITE, UNGUARDED
from tests.models.peer import Peer, Reply, peer_with

MODELS = Models({}, [Offer("offline", MODEL, ())])
DUE = "UPDATE audit_anchor SET taken_at = taken_at - interval '1 minute'"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a key of ours, its public half, and another one's."""
    for name in ("key", "another"):
        private, public = anchors.new_key()
        (tmp_path / name).write_bytes(private)
        (tmp_path / f"{name}.pub").write_bytes(public)
    return tmp_path


@pytest.fixture
def webhook() -> Iterator[Peer]:
    """Somebody else, who keeps what is posted."""
    with peer_with(Reply()) as peer:
        yield peer


@pytest.fixture
async def file(place: Path) -> AsyncIterator[Path]:
    """Where the anchors go."""
    yield place / "anchors.jsonl"


def to(place: Path, *, file: Path | None = None, url: str | None = None) -> Anchoring:
    return Anchoring(key=anchors.private_key(place / "key"), file=file, url=url, seconds=60)


async def read(place: Path, lines: list[bytes], key: str = "key.pub") -> tuple[list[audit.Anchored], list[Finding]]:
    findings = Findings()
    anchored = anchors.read(lines, anchors.public_key(place / key), await audit.chain(OPERATOR), findings)
    return anchored, findings.shown


def lines_in(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines() if file.exists() else []


async def change() -> None:
    await roles.create(OPERATOR, name=f"Role {len((await roles.list_(OPERATOR)).items)}", base_prompt="")


async def test_the_head_is_told_signed_to_a_file_and_a_webhook(
    admin: asyncpg.Connection, place: Path, file: Path, webhook: Peer
) -> None:
    told = await to(place, file=file, url=f"{webhook.url}/anchors?room=7").take_turn()

    head = await audit.head(OPERATOR)
    assert head is not None and told is not None
    (line,) = lines_in(file)
    assert [(it.path, msgspec.json.encode(it.body)) for it in webhook.asked] == [("/anchors?room=7", line)]
    assert msgspec.json.decode(line) == {
        "chain": await audit.chain(OPERATOR),
        "seq": head.seq,
        "hash": head.hash,
        "at": msgspec.to_builtins(told.at),
        "key": anchors.id_of(anchors.public_key(place / "key.pub")),
        "signature": told.signature,
    }
    assert await read(place, [line]) == ([audit.Anchored(seq=head.seq, hash=head.hash)], [])


async def test_a_head_is_told_when_it_has_moved_and_once_a_minute(
    admin: asyncpg.Connection, place: Path, file: Path
) -> None:
    one, other = to(place, file=file), to(place, file=file)
    first = await one.take_turn()
    await change()

    told = [await other.take_turn(), await one.take_turn()]
    await admin.execute(DUE)
    later = await other.take_turn()
    await admin.execute(DUE)
    told.append(await other.take_turn())

    assert first is not None and later is not None
    assert told == [None, None, None]
    assert [msgspec.json.decode(line)["seq"] for line in lines_in(file)] == [first.seq, later.seq]
    assert later.seq == first.seq + 2  # the role and its version


async def test_nothing_is_told_before_anything_was_changed(database: Any, place: Path, file: Path) -> None:
    connections.use(database, None)
    assert await to(place, file=file).take_turn() is None
    connections.use(None, None)

    assert lines_in(file) == []


@pytest.mark.parametrize(
    ("reply", "problem"),
    [(Reply(status=503), "the webhook answers 503"), (None, "the webhook does not answer: ConnectError")],
    ids=["it refuses", "it is away"],
)
async def test_what_nobody_takes_is_said_by_health_and_told_again(
    admin: asyncpg.Connection, place: Path, reply: Reply | None, problem: str
) -> None:
    with peer_with(*([reply] if reply else []), Reply()) as peer:
        url = peer.url if reply else "http://127.0.0.1:9"
        assert await to(place, url=url).take_turn() is None
        before = (await health.check(MODELS, None)).problems
        await admin.execute(DUE)

        assert await to(place, url=peer.url).take_turn() is not None
        after = (await health.check(MODELS, None)).problems

    assert [it for it in before if "anchored" in it and problem in it]
    assert [it for it in after if "anchored" in it] == []


async def test_a_file_that_cannot_be_written_is_said_without_its_name(admin: asyncpg.Connection, place: Path) -> None:
    assert await to(place, file=place).take_turn() is None

    (problem,) = [it for it in (await health.check(MODELS, None)).problems if "anchored" in it]
    assert "the file cannot be written: Is a directory" in problem
    assert str(place) not in problem


async def test_a_line_that_was_changed_or_made_up_is_found(admin: asyncpg.Connection, place: Path, file: Path) -> None:
    await to(place, file=file).take_turn()
    (line,) = lines_in(file)
    anchor = msgspec.json.decode(line, type=anchors.Anchor)
    forged = anchor.signed(anchors.private_key(place / "another"))
    changed = [msgspec.structs.replace(anchor, **change) for change in ({"seq": 1}, {"hash": "sha256:" + 64 * "0"})]
    renamed = msgspec.structs.replace(forged, key=anchor.key)
    elsewhere = msgspec.structs.replace(anchor, chain="sha256:" + 64 * "0").signed(anchors.private_key(place / "key"))

    lines = [forged.line(), *(it.line() for it in changed), renamed.line(), b"{", b"\xff", b"", elsewhere.line(), line]
    anchored, findings = await read(place, lines)

    assert [it.code for it in findings] == 6 * ["BAD_SIGNATURE"] + ["ANCHOR"]
    assert "line 8 is of an audit that began with another entry" in findings[-1].message
    assert anchored == [audit.Anchored(seq=anchor.seq, hash=anchor.hash)]
    assert (await read(place, [line], "another.pub"))[0] == []


@pytest.mark.parametrize(
    "tamper",
    ["DELETE FROM audit WHERE noun = 'token'", REWRITE.format(from_=3), REWRITE.format(from_=1), "TRUNCATE audit"],
    ids=["the tail is cut off", "the chain is written anew from an entry on", "all of it is", "it is truncated"],
)
async def test_an_anchor_finds_what_is_not_in_the_audit_any_more(
    admin: asyncpg.Connection, place: Path, file: Path, tamper: str
) -> None:
    await to(place, file=file).take_turn()
    await admin.execute(UNGUARDED.format(tamper))

    anchored, findings = await read(place, lines_in(file))
    findings += (await found(*anchored)).findings

    assert "ANCHOR" in [it.code for it in findings]
