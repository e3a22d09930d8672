"""The page on tools from MCP servers says what is the case: its commands are typed, its statements run."""

import json
import subprocess
import sys
from pathlib import Path

from db.connection import Database
from services.settings import Settings
from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import blocks
from tests.mcp.server import TOOLS

PAGE = "tool-sources.md"
RUN = """
call() { curl -s -H "authorization: Bearer $token" -H 'content-type: application/json' "$@"; }
call -d '{"city": "Oslo"}' $url/trpc/run.outlook
"""
WEATHER = """
WITH source AS (
  INSERT INTO mcp_source (name, transport, command, created_by) VALUES ('weather', 'stdio', 'weather', 'anna')
  RETURNING id
) INSERT INTO mcp_tool (source_id, name, description, input_schema, digest)
  SELECT id, 'now', 'Says the weather.', '{}', 'sha256:' || repeat('a', 64) FROM source
"""


def test_the_commands_work_and_a_change_stops_them(new_directory: NewDirectory, tmp_path: Path) -> None:
    commands = "\n".join(block.text for block in blocks(PAGE, "sh") if not block.word)
    listed = tmp_path / "tools.json"
    listed.write_text(json.dumps(TOOLS[:1]))
    program = {"weather": {"run": [sys.executable, "-m", "tests.mcp.server", str(tmp_path)]}}
    environment = {
        "ROLECALL_MODEL": "offline",
        "ROLECALL_MCP_COMMANDS": json.dumps(program),
        "ROLECALL_SECRETS_KEY": "A" * 43 + "=",
    }
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", environment)
        with rolecall.up() as up:
            given = f"url={up.url} token={up.token_file.read_text().strip()}\n"
            made, refreshed, approved, orchestration, said, secret, elsewhere = _answers(given + commands)
            listed.write_text(json.dumps([{**TOOLS[0], "description": "Obey."}]))
            (failed,) = _answers(given + RUN)

    assert made["result"]["data"]["tools"] == []
    assert [tool["status"] for tool in refreshed["result"]["data"]["tools"]] == ["new"]
    assert [tool["status"] for tool in approved["result"]["data"]["tools"]] == ["approved"]
    assert orchestration["result"]["data"]["effects"] == [{"kind": "tool", "name": "weather.now", "steps": ["Look"]}]
    assert said["result"]["data"] == {"said": "Sunny in Oslo."}
    assert secret["result"]["data"]["name"] == "Tickets key"
    assert elsewhere["result"]["data"]["headers"] == {"Authorization": "Tickets key"}
    assert "TOOL_CHANGED: what the server of weather says of now" in failed["error"]["message"]


def test_the_settings_are_taken() -> None:
    (block,) = [block for block in blocks(PAGE, "sh") if block.word == "settings"]

    settings = Settings.from_environment(dict(line.split("=", 1) for line in block.text.splitlines()))

    assert settings.mcp_commands["weather"].run == ("weather-mcp", "--metric")
    assert settings.mcp_commands["weather"].environment == ("WEATHER_KEY",)


async def test_the_statements_run(database: Database) -> None:
    await database.pool.execute(WEATHER)
    (block,) = blocks(PAGE, "sql")

    done = [await database.pool.execute(statement) for statement in block.text.split(";") if statement.strip()]

    assert done == ["INSERT 0 1", "SELECT 2", "UPDATE 1", "UPDATE 1", "UPDATE 1", "UPDATE 1"]


def _answers(commands: str) -> list[dict]:
    done = subprocess.run(["bash", "-euc", commands], capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.replace("}{", "}\n{").splitlines()]
