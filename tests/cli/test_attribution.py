"""What is changed at a terminal stands in the audit in the operator's name, by `cli`; also the first token."""

import asyncio

import pytest

from db.connection import connect
from tests.cli.processes import Rolecall

COMMANDS = (
    ("token", "create", "ci", "--scope", "roles.read"),
    ("token", "revoke", "ci"),
    ("run", "examples/research-brief.yaml", "--input", "@examples/research-brief.input.json"),
)


@pytest.mark.parametrize("is_first", [True, False], ids=["the first token", "commands"])
def test_what_a_command_changes_is_put_down_to_the_operator(
    rolecall: Rolecall, database_url: str, is_first: bool
) -> None:
    if is_first:
        with rolecall.up(ROLECALL_DATABASE_URL=database_url):
            pass
    else:
        for command in COMMANDS:
            done = rolecall.run(*command, ROLECALL_DATABASE_URL=database_url)
            assert done.returncode == 0, done.stderr

    assert asyncio.run(_entries(database_url)) == {
        (noun, "operator", "cli")
        for noun in (
            ["token"] if is_first else ["token", "role", "orchestration", "orchestration_version", "orchestration_step"]
        )
    }


async def _entries(url: str) -> set[tuple[str, str, str]]:
    connection = await connect(url)
    rows = await connection.fetch("SELECT DISTINCT noun, actor, channel FROM audit")
    await connection.close()
    return {tuple(row) for row in rows}
