"""Plugins, installed for real into a folder: what they add, and what one that is broken does not take away."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.processes import Rolecall

HERE = Path(__file__).parent
WORK = """
name: shop
steps:
  - {name: Price, kind: tool, tool: shop.price, inputMapping: {goods: green tea}}
  - {name: Words, kind: tool, tool: words.synonyms, inputMapping: {word: tea}}
  - {name: Sum, kind: code, language: python, source: add, inputMapping: {a: "<<context.Price>>", b: 5}}
  - {name: Say, kind: llm, roleName: Speaker, prompt: hello, inputMapping: {}}
output: {price: "<<context.Price>>", words: "<<context.Words>>", sum: "<<context.Sum>>", said: "<<context.Say>>"}
"""

Install = Callable[..., str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Install distributions into a folder, once each; the folder."""

    def install(*names: str) -> str:
        folder = tmp_path_factory.mktemp("plugins")
        for name in names:
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-build-isolation",
                "--no-index",
            ]
            subprocess.run([*command, "--target", str(folder), str(_copied(HERE / name, folder))], check=True)
        return str(folder)

    return install


def _copied(source: Path, folder: Path) -> Path:
    """A copy to build from, so that nothing is left beside the sources."""
    copy = folder.parent / f"{folder.name}-{source.name}"
    for file in source.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            there = copy / file.relative_to(source)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(file.read_bytes())
    return copy


def test_what_a_plugin_adds_is_there_from_the_start(rolecall: Rolecall, installed: Install, tmp_path: Path) -> None:
    given = {"PYTHONPATH": installed("shop"), "SHOP_ECHO": "yes", "ROLECALL_MODEL": "echo/loud"}
    with rolecall.up(**given) as up:
        up.mutate("role.create", name="Speaker", basePrompt="Speak.")
        made = up.mutate("orchestration.import", text=WORK)
        started = up.mutate("execution.start", orchestration="shop")
        ended = up.finished(started["id"])
        tools = {tool["name"]: tool["source"] for tool in up.query("tool.list")["items"]}
        health = up.query("system.health")

    assert made is not None
    assert (ended["status"], ended["error"]) == ("completed", None)
    assert ended["output"] == {"price": 4, "words": ["brew", "char"], "sum": 9, "said": "HELLO\n\n{}"}
    assert (tools["shop.price"], tools["words.synonyms"]) == ("plugin rolecall-shop 1.2",) * 2
    assert tools["files.read"] == "built-in"
    assert (health["status"], health["problems"]) == ("ok", [])


def test_a_broken_plugin_is_named_and_nothing_else_notices(rolecall: Rolecall, installed: Install) -> None:
    with rolecall.up(PYTHONPATH=installed("shop", "broken")) as up:
        health = up.query("system.health")
        tools = {tool["name"]: tool["source"] for tool in up.query("tool.list")["items"]}
        done = up.mutate("orchestration.validate", document={"name": "a", "steps": [{"name": "A", "kind": "stop"}]})

    said = "\n".join(health["problems"])
    assert health["status"] == "degraded"
    assert done is not None
    assert tools["files.read"] == "built-in"
    plugged = {name: source for name, source in tools.items() if source != "built-in"}
    assert plugged == {
        # By the names of their distributions the broken one comes first.
        "broken.twice": "plugin rolecall-broken 0.1",
        "shop.price": "plugin rolecall-broken 0.1",
        "words.synonyms": "plugin rolecall-shop 1.2",
    }
    for point, why in {
        "'absent' of rolecall-broken 0.1 (rolecall.tools)": "it broke down with ModuleNotFoundError",
        "'clash' of rolecall-broken 0.1 (rolecall.tools)": "another tool that is called 'files.read': built-in",
        "'exits' of rolecall-broken 0.1 (rolecall.tools)": "it broke down with SystemExit",
        "'meta' of rolecall-broken 0.1 (rolecall.tools)": "tagged meta, which is ours",
        "'nothing' of rolecall-broken 0.1 (rolecall.tools)": "7 is no Tool; `@tool` makes one",
        "'raises' of rolecall-broken 0.1 (rolecall.tools)": "it broke down with KeyError",
        "'mistaken' of rolecall-broken 0.1 (rolecall.providers)": "is no offer of the provider 'strange'",
        "'offline' of rolecall-broken 0.1 (rolecall.providers)": "another provider that is called 'offline'",
        "'raises' of rolecall-broken 0.1 (rolecall.providers)": "it broke down with KeyError",
        "'agent' of rolecall-broken 0.1 (rolecall.steps)": "left for one: approval, ",
        "'approval' of rolecall-broken 0.1 (rolecall.steps)": "a performer is an async function",
    }.items():
        assert f"The plugin {point} is left out: " in said
        assert why in said
    assert "secret" not in said
    assert "The plugin 'shop' of rolecall-shop 1.2 (rolecall.tools) is left out: there is another tool" in said


def test_a_server_without_the_plugin_says_what_a_document_lacks(rolecall: Rolecall) -> None:
    with rolecall.up() as up:
        checked = up.mutate("orchestration.validate", document={"name": "a", "steps": [
            {"name": "A", "kind": "code", "language": "python", "source": "add"}
        ]})  # fmt: skip

    assert "NO_PERFORMER" in json.dumps(checked)
