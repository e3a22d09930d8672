"""docs/tools.md: each tool on the page is called as it stands there, and its tables are what the code says."""

import tomllib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest

from services import plugins
from services.caller import OPERATOR
from services.definitions.effects import ToolEffect
from services.outbound import Guard, Outbound
from services.outbound.allowed import allowed
from services.outbound.guard import by_the_system
from services.settings import Settings
from services.tools import data, http, time, web
from services.tools.tool import Tool, ToolContext, security_of
from tests.docs.markdown import DOCS, blocks, rows
from tests.outbound.site import answered, site

PAGE = "tools.md"
CALLS = [pytest.param(block.value, id=f"{PAGE}:{block.line}") for block in blocks(PAGE, "json") if block.word == "call"]
SHOP = DOCS.parent / "tests" / "plugins" / "shop"
PRICE, SOLD_OUT, ORDERED = b'{"price": 4}', b"no coffee", b'{"number": 1}'
TEAS = b'<title>Teas</title><nav>Menu</nav><main><h1>Our teas</h1><p>Green and black.</main><a href="/orders">Order</a>'


async def resolve(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"] if host == "shop.example" else await by_the_system(host, port)


class AtShop(Outbound):
    """A way out that finds the shop of the page on the port where the test has it."""

    port = 0

    async def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        there = url.replace("//shop.example/", f"//shop.example:{self.port}/")
        response = await super().request(method, there, *args, **kwargs)
        return replace(response, url=response.url.replace(f":{self.port}", ""))


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    pages = {
        "/": answered(200, TEAS, content_type="text/html"),
        "/price": answered(200, PRICE, content_type="application/json"),
        "/coffee": answered(404, SOLD_OUT, content_type="text/plain"),
        "/orders": answered(201, ORDERED, content_type="application/json"),
    }
    async with site(pages) as shop:
        made = AtShop(Guard(allowed([f"shop.example:{shop.port}"]), resolve=resolve))
        made.port = shop.port
        yield made
        await made.close()


def written() -> dict[str, Tool]:
    """The tools that the page writes."""
    found: dict[str, Tool] = {}
    for block in blocks(PAGE, "python"):
        module: dict[str, Any] = {"__name__": "page"}
        exec(compile(block.text, f"{PAGE}:{block.line}", "exec"), module)
        if "from_langchain" in module:
            module["made"] = module["tools"]()
        found |= {tool.name: tool for tool in module.values() if isinstance(tool, Tool)}
    return found


def built_in(outbound: Outbound) -> dict[str, Tool]:
    return {tool.name: tool for tool in (*http.tools(outbound), *web.tools(outbound), *data.TOOLS, *time.TOOLS)}


@pytest.mark.parametrize("call", CALLS)
async def test_each_call_comes_to_what_stands_there(call: dict[str, Any], outbound: Outbound) -> None:
    tool = {**built_in(outbound), **written()}[call["tool"]]

    result = await tool.run(ToolContext(caller=OPERATOR, role_id=None, idempotency_key="execution/A"), call["with"])

    if "error" in call:
        assert result.error is not None and call["error"] in result.error
    elif isinstance(call["value"], dict):
        assert result.error is None
        assert isinstance(result.value, dict)
        assert {name: result.value[name] for name in call["value"]} == call["value"]
    else:
        assert (result.error, result.value) == (None, call["value"])


def test_the_table_of_tools_is_what_they_say() -> None:
    told = {row.cells["tool"]: (row.cells["effect"], row.cells["security"]) for row in rows(PAGE, "tool", "security")}

    for name, tool in built_in(Outbound()).items():
        assert told[name] == (tool.effect, tool.security)


def test_the_table_of_effects_names_each() -> None:
    assert [row.cells["effect"] for row in rows(PAGE, "effect", "a call")] == list(get_args(ToolEffect))
    assert [security_of(effect) for effect in get_args(ToolEffect)] == ["low", "low", "medium", "high"]


def test_the_settings_exist() -> None:
    for row in rows(PAGE, "variable"):
        assert row.cells["variable"].removeprefix("ROLECALL_").lower() in Settings.__struct_fields__


def test_the_plugin_is_the_one_that_is_installed_in_the_tests() -> None:
    (block,) = blocks(PAGE, "toml")
    (langchain,) = (block.text for block in blocks(PAGE, "python") if "from_langchain" in block.text)
    thesaurus = (SHOP / "shop_plugin" / "thesaurus.py").read_text()

    installed = tomllib.loads((SHOP / "pyproject.toml").read_text())["project"]["entry-points"]
    assert tomllib.loads(block.text)["project"]["entry-points"] == installed
    assert thesaurus.endswith(langchain)


def test_the_groups_are_those_that_are_read() -> None:
    assert tuple(row.cells["group"] for row in rows(PAGE, "group")) == get_args(plugins.Group)
