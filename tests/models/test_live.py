"""`make live` itself, against the peer instead of real services; and that it says so when it has nobody to ask."""

import os
import subprocess
import sys

from tests.models.aimock import Aimock

TOOL_CALL = {"toolCalls": [{"name": "garden_water", "arguments": '{"bed": 3}'}]}
NOTHING = {"PATH": os.environ["PATH"], "OLLAMA_HOST": "127.0.0.1:1"}


def live(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.live"], env={**NOTHING, **environ}, capture_output=True, text=True, timeout=60
    )


def test_every_service_with_a_key_is_asked_in_every_way(aimock: Aimock) -> None:
    aimock.teach(TOOL_CALL, match={"userMessage": "Water bed 3"})
    aimock.teach({"content": '{"colour": "blue"}'}, match={"userMessage": "colour"})
    aimock.teach({"content": "one two three four five"}, match={"userMessage": "Count"})
    aimock.teach({"content": "ready"}, match={"userMessage": "ready"})

    done = live(
        OPENAI_API_KEY="k",
        OPENAI_BASE_URL=aimock.openai_url,
        ANTHROPIC_API_KEY="k",
        ANTHROPIC_BASE_URL=aimock.url,
    )

    told = [line.split()[:3] for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    ways = ["plain", "streamed", "tools", "structured"]
    assert told == [
        [model, way, "ok,"] for model in ("openai/gpt-6-luna", "anthropic/claude-haiku-5-5") for way in ways
    ]


def test_a_service_that_fails_is_named_and_the_others_are_asked(aimock: Aimock) -> None:
    done = live(OPENAI_API_KEY="k", OPENAI_BASE_URL=aimock.openai_url)

    assert done.returncode == 1
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["FAILED:"] * 4


def test_without_a_key_it_says_that_nobody_was_asked() -> None:
    done = live()

    assert (done.returncode, done.stdout.startswith("skipped: no key of any service")) == (0, True)
