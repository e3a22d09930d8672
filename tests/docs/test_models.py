"""The page on models says what is the case: its commands are typed, its SQL runs, its tables are compared."""

import json
import subprocess
import sys
from typing import Any, get_args

import asyncpg

from db.tables import Provider
from services.failure import RETRYABLE
from services.models.catalog import Models
from services.models.presets import PRESETS
from services.models.provider import Variables
from services.models.selection import Capability
from services.outbound.allowed import allowed
from services.secrets.hosts import is_host
from tests.audit.conftest import admin
from tests.cli.processes import Rolecall
from tests.conftest import NewDirectory
from tests.docs.markdown import DOCS, anchors, blocks, links, rows
from tests.models.aimock import Aimock

__all__ = ["admin"]

PAGE = "models.md"
ROLECALL = 'rolecall() {{ {python} -m api.cli "$@"; }}\n'
NO_OLLAMA = {"OLLAMA_HOST": "127.0.0.1:1"}


def typed(rolecall: Rolecall, text: str, **given: str) -> list[str]:
    values = "".join(f"{name}={value}\n" for name, value in given.items())
    command = values + ROLECALL.format(python=sys.executable) + text
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60, **rolecall._place({}))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_commands_work(new_directory: NewDirectory, aimock: Aimock) -> None:
    aimock.teach({"content": "ready"})
    commands = "\n".join(block.text for block in blocks(PAGE, "sh") if not block.word)
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", {"ROLECALL_MODEL": "", **NO_OLLAMA})
        with rolecall.up(ROLECALL_OUTBOUND_ALLOW="127.0.0.1") as up:
            given = {"url": up.url, "token": up.token_file.read_text().strip(), "endpoint": aimock.url}
            answers = [_answered(line) for line in typed(rolecall, commands, **given)]

    made, _, limited, tested, listed, switched, mistaken, back, _, explained, checked, price = answers
    assert (made["name"], limited["maxConcurrent"]) == ("gateway", 5)
    assert tested["isAvailable"] and checked["isAvailable"], (tested, checked)
    assert [model["name"] for model in listed["items"]] == ["gateway/large", "offline/extractive"]
    assert switched["isDefault"] and back["name"] == "gateway/large"
    assert mistaken == "there is no model 'gateway/lrge'; did you mean 'gateway/large'?"
    assert explained["chosen"]["model"] == "large"
    assert (price["input"], price["cachedInput"]) == ("0.25", "0.025")
    asked = [heard.body["model"] for heard in aimock.heard()]
    assert asked == ["large", "large", "large"]


def test_secrets_are_set_and_rotated(new_directory: NewDirectory) -> None:
    set_, rotate = [block.text for block in blocks(PAGE, "sh") if block.word == "secrets"]
    with new_directory() as directory:
        rolecall = Rolecall(directory / "data", {"ROLECALL_MODEL": "offline"})
        kept, listed, rotated, again = typed(rolecall, set_ + rotate)

    assert kept == "Gateway key is kept, and may be sent to llm.example.com"
    assert listed.startswith("Gateway key  key ") and rotated.startswith("1 encrypted anew with the key ")
    assert again.split()[3] == rotated.split()[-1] != listed.split()[3]


async def test_each_statement_is_one_that_runs(admin: asyncpg.Connection) -> None:
    for block in blocks(PAGE, "sql"):
        await admin.execute(block.text)

    assert await admin.fetchval("SELECT is_active FROM provider WHERE name = 'lab'") is False
    assert await admin.fetchval("SELECT count(*) FROM model_price WHERE note = 'announced'") == 1


def test_the_variables_are_those_of_the_presets() -> None:
    told = {row.cells["preset"]: row.cells for row in rows(PAGE, "preset", "another address")}

    assert set(told) == set(PRESETS)
    for name, cells in told.items():
        variables = PRESETS[name].variables
        key = variables.key if name != "ollama" else "none"
        assert key in cells["a key, or what stands for it"]
        assert Variables(variables.key, cells["another address"], cells["the model"]) == variables


def test_what_is_set_first_in_the_table_is_the_default() -> None:
    order = [row.cells["preset"] for row in rows(PAGE, "preset", "another address")]
    environ = {variables.key: "k" for variables in (PRESETS[name].variables for name in order[:-2])}
    environ |= {f"ROLECALL_{name.upper()}_MODEL": "m" for name in order} | NO_OLLAMA
    environ["ROLECALL_COMPATIBLE_URL"] = "http://127.0.0.1:1/v1"

    offers = Models.from_environment(environ).offers

    assert [offer.provider for offer in offers if offer.provider not in ("ollama", "offline")] == order[:-1]


def test_the_environments_are_taken() -> None:
    ours, network, key = [_variables(block.text) for block in blocks(PAGE, "sh") if block.word == "environment"]

    assert Models.from_environment({**ours, **NO_OLLAMA}).default == "anthropic/claude-haiku-5-5"
    assert allowed(network["ROLECALL_OUTBOUND_ALLOW"].split(",")).names("llm.internal", 8000)
    assert all(is_host(host) for host in key["ROLECALL_KEY_GATEWAY_HOSTS"].split(","))


def test_the_tables_are_the_case() -> None:
    columns = [row.cells["column of `provider`"] for row in rows(PAGE, "column of `provider`")]
    codes = {row.cells["code"]: row.cells["tried again"] for row in rows(PAGE, "code", "tried again")}
    kept = {"id", "created_by", "created_at", "updated_at"}

    assert columns == [column._meta.name for column in Provider._meta.columns if column._meta.name not in kept]
    (capabilities,) = [row.cells["says"] for row in rows(PAGE, "says") if "what its models can do" in row.cells["says"]]
    assert all(f"`{name}`" in capabilities for name in get_args(Capability))
    assert {code for code, again in codes.items() if again == "yes"} <= RETRYABLE
    assert "NO_MODEL" in codes and "NO_MODEL" not in RETRYABLE


def test_links_lead_somewhere() -> None:
    for target, anchor in links(PAGE):
        assert (DOCS / target).is_file() if target else True, target
        assert not anchor or anchor in anchors(target or PAGE), anchor


def _answered(line: str) -> Any:
    answer = json.loads(line)
    return answer["result"]["data"] if "result" in answer else answer["error"]["message"]


def _variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())
