"""Bringing a database to the newest schema."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.connection import CannotOpen, connect
from db.migrate import migrate

ROOT = Path(__file__).parents[2]
ALL = ["2026-11-20T00:00:00:000000"]
MIGRATE = (
    "import asyncio, json, sys; from db.migrate import migrate; print(json.dumps(asyncio.run(migrate(sys.argv[1]))))"
)


async def test_each_migration_runs_once(empty_database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = await migrate(empty_database_url), await migrate(empty_database_url)

    assert (first, second) == (ALL, [])
    assert capsys.readouterr().out == ""


async def test_processes_that_migrate_at_once_share_the_work(empty_database_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, empty_database_url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    answers = [json.loads((await process.communicate())[0]) for process in processes]

    assert sorted(answers) == [[], [], ALL]


async def test_tasks_that_migrate_at_once_share_the_work(empty_database_url: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(migrate(empty_database_url)) for _ in range(2)]

    assert sorted(answer.result() for answer in answers) == [[], ALL]


async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    connection = await connect(empty_database_url)
    await connection.execute("CREATE TABLE token ()")  # the last table that the migration makes

    with pytest.raises(Exception, match="already exists"):
        await migrate(empty_database_url)

    await connection.execute("DROP TABLE token")
    assert await connection.fetchval("SELECT to_regclass('role')") is None
    await connection.close()
    assert await migrate(empty_database_url) == ALL


async def test_the_piccolo_command_finds_the_same_migrations(empty_database_url: str) -> None:
    environment = {**os.environ, "ROLECALL_DATABASE_URL": empty_database_url}
    piccolo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "piccolo.main", "migrations", "forwards", "rolecall",
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await piccolo.communicate()

    assert piccolo.returncode == 0, said.decode()
    assert await migrate(empty_database_url) == []


async def test_without_a_migration_to_run_no_formatter_is_imported(database_url: str) -> None:
    program = f"{MIGRATE}; print('black' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, database_url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )

    assert (await process.communicate())[0].decode().split() == ["[]", "False"]


async def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(CannotOpen, match=r"cannot open the database postgresql://anna:\*\*\*@127.0.0.1:1/rolecall: "):
        await migrate("postgresql://anna:secret@127.0.0.1:1/rolecall")
