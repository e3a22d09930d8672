"""What a server takes that nobody has asked for a model: no SDK, and little memory."""

import subprocess
import sys

PROGRAM = """
import asyncio, os, sys
import meta_tools
from api.app import create_app
from services.models.catalog import Models
from services.runtime import opened
from services.secrets.keyring import new_key
from services.settings import Settings

async def main():
    environ = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OLLAMA_HOST": "127.0.0.1:1"}
    environ["ROLECALL_SECRETS_KEY"] = new_key()
    meta_tools.install()
    async with opened(Settings(), sys.argv[1], Models.from_environment(environ), environ) as runtime:
        create_app(runtime, worker=runtime.worker())
        status = open("/proc/self/status").read()
    resident_kb = int(status.partition("VmRSS:")[2].split()[0])
    heavy = {"openai", "anthropic", "cryptography", "mcp", "langchain_core", "pydantic_monty"} & set(sys.modules)
    print(resident_kb // 1024, sorted(heavy))

asyncio.run(main())
"""
MOST_MB = 120


def test_a_server_without_a_call_of_a_model_has_no_sdk_and_stays_small(database_url: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, database_url], capture_output=True, text=True, timeout=60)

    megabytes, heavy = done.stdout.split(" ", 1)
    assert (done.returncode, heavy.strip()) == (0, "[]"), done.stderr
    assert int(megabytes) <= MOST_MB
