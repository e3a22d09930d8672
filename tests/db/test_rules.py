"""What the rows refuse whoever writes them: raw SQL against a populated world."""

from __future__ import annotations

import re
from dataclasses import replace

import asyncpg
import pytest

from db.refusal import Refusal, refusal_of
from tests.db.attacks import ATTACKS, PUBLISHED, rule_of

# Nothing can break it that does not break the primary key first; the key of parents needs it.
UNREACHABLE = {"orchestration_step__version_id"}

RULES = """
SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f', 'u') AND connamespace = 'public'::regnamespace
UNION SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
  WHERE indisunique AND NOT indisprimary AND NOT relispartition AND relnamespace = 'public'::regnamespace
UNION SELECT (regexp_matches(prosrc, 'CONSTRAINT = ''([^'']+)''', 'g'))[1] FROM pg_proc
  WHERE pronamespace = 'public'::regnamespace
UNION SELECT split_part(encode(tgargs, 'escape'), E'\\\\000', 1) FROM pg_trigger
  WHERE tgfoid = 'refuse'::regproc
"""


@pytest.mark.parametrize(("rule", "attack"), ATTACKS, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(ATTACKS)])
async def test_an_attack_on_a_rule_is_refused_in_its_name(world: asyncpg.Connection, rule: str, attack: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await world.execute(attack)
        await world.execute("SET CONSTRAINTS ALL IMMEDIATE")

    refused = refusal_of(refusal.value)
    assert rule_of(refusal.value) == rule
    # A trigger that refuses something says what to do instead.
    assert refused.hint or "violates" in refused.message


async def test_every_rule_in_the_schema_is_attacked(world: asyncpg.Connection) -> None:
    rules = {name for (name,) in await world.fetch(RULES)}

    assert rules - UNREACHABLE == {rule for rule, _ in ATTACKS if not rule.endswith("_pkey")}


async def test_a_refusal_names_the_thing_and_says_what_to_do_instead(world: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError) as refusal:
        await world.execute(f"DELETE FROM orchestration_step WHERE name = 'Critic' AND version_id = {PUBLISHED}")

    refused = refusal_of(refusal.value)
    assert replace(refused, message=re.sub(r"[0-9a-f-]{36}", "<id>", refused.message)) == Refusal(
        rule="orchestration_step__is_read_only",
        message='step "Critic" belongs to version 1 of orchestration <id>, which is published and never changes',
        hint="Make a new draft and edit its steps.",
    )
