"""The reference page: whole, on its own, and what it tells people to type works."""

import asyncio
import os
import re
import subprocess
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import generate
from api.root import router
from tests import browser
from tests.api.client import Api
from tests.api.world import world_of
from tests.node import compile_typescript

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = generate.reference_page()
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Outline(HTMLParser):
    """The elements of a page in their order; a tag that closes what is not open is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "an element is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is given twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def values(self, attribute: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


def commands(language: str) -> list[str]:
    """What the page offers to copy."""
    found = re.findall(rf'<pre data-call="{language}">(.*?)</pre>', PAGE.html, re.DOTALL)
    return [unescape(text) for text in found]


async def test_the_page_is_served_with_the_policy_that_it_needs(api: Api) -> None:
    reply = await api.read("/docs")

    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"] == PAGE.content_security_policy
    assert reply.body == PAGE.html
    assert "unsafe" not in PAGE.content_security_policy


async def test_every_procedure_and_every_type_has_its_place() -> None:
    ids = Outline(PAGE.html).values("id")

    wanted = {name for name, _ in router} | {f"type-{name}" for name in generate.document()["components"]["schemas"]}
    assert len(ids) == len(set(ids))
    assert wanted <= set(ids)


async def test_links_stay_on_the_page_and_lead_somewhere() -> None:
    outline = Outline(PAGE.html)

    links = outline.values("href")
    named = [name for names in (*outline.values("aria-labelledby"), *outline.values("for")) for name in names.split()]
    assert {link for link in links if not link.startswith("#")} == {"data:,"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(outline.values("id"))
    assert set(named) <= set(outline.values("id"))
    assert outline.values("src") == []


async def test_it_can_be_read_out() -> None:
    elements = Outline(PAGE.html).elements

    tags = [tag for tag, _ in elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert ("html", {"lang": "en"}) in elements
    assert [tags.count(landmark) for landmark in ("header", "nav", "main", "h1")] == [1, 1, 1, 1]
    assert all(after <= before + 1 for before, after in pairwise(levels))


async def test_nothing_stands_in_attributes_that_the_policy_forbids() -> None:
    names = {name for _, attributes in Outline(PAGE.html).elements for name in attributes}

    assert not {name for name in names if name.startswith("on") or name == "style"}


async def test_what_needs_an_input_has_an_example() -> None:
    without = {name for name, procedure in router if procedure.needs_input and not procedure.examples}

    assert without == set(), "give `examples=[Example(...)]`: it is what people copy"


# What is answered in lines is asked by the commands below.
IN_LINES = {name for name, procedure in router if procedure.streams and procedure.kind != "subscription"}


@pytest.mark.parametrize("name", [name for name, procedure in router if procedure.examples and name not in IN_LINES])
async def test_an_example_works_as_it_stands(api: Api, name: str) -> None:
    for example in router.procedures[name].examples:
        meant = await world_of(api, name)

        reply = await api.post(name, meant(msgspec.json.encode(example.input).decode()).encode())

        assert reply.status == 200, reply.body
        if example.output is not msgspec.UNSET:
            assert reply.data == example.output


@pytest.mark.parametrize("command", commands("curl"))
async def test_a_command_can_be_copied_into_a_shell(api: Api, command: str) -> None:
    (name,) = re.findall(r"/trpc/([\w.]+)", command)
    env = {"PATH": os.environ["PATH"], "URL": api.url.removesuffix("/trpc"), "TOKEN": api.token}

    meant = await world_of(api, name)

    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", meant(command)], env=env, capture_output=True, check=True, timeout=30
    )

    if router.procedures[name].streams:
        assert done.stdout.endswith((b"event: return\ndata: \n\n\n", b",0,[[]]]\n")), done.stdout
    else:
        assert list(msgspec.json.decode(done.stdout)) == ["result"], done.stdout


async def test_the_statements_compile_in_strict_mode(tmp_path: Path) -> None:
    (setup,) = re.findall(r'<pre id="client-setup">(.*?)</pre>', PAGE.html, re.DOTALL)
    beginning = unescape(re.sub("<[^>]*>", "", setup))
    (tmp_path / "router.ts").write_text(generate.router_ts())
    (tmp_path / "docs.ts").write_text("\n".join([beginning, *commands("typescript")]))

    assert compile_typescript(tmp_path) == []


@pytest.mark.needs_browser
@pytest.mark.skipif(
    browser.found() is None, reason="no browser on this machine: install chromium, or set ROLECALL_BROWSER"
)
async def test_a_browser_shows_it_and_asks_nobody_else(api: Api) -> None:
    def looked_at(url: str) -> tuple[browser.Page, list[Any]]:
        with browser.shown(url) as page:
            found = [page.value(expression) for expression in (SEARCH, ORIGIN, CONTRAST)]
            page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
            return page, [
                *found,
                page.value(CONTRAST),
                page.value("document.documentElement.scrollWidth <= innerWidth"),
            ]

    url = api.url.replace("/trpc", "/docs")
    page, (narrowed, origin, light, dark, fits) = await asyncio.to_thread(looked_at, url)

    assert page.complaints == []
    assert [request for request in page.requests if not request.startswith("data:")] == [url]
    assert narrowed == [name for name, _ in router if name.startswith("role.")]
    assert origin == [api.url.removesuffix("/trpc")]
    assert min(light) >= ENOUGH and min(dark) >= ENOUGH and light != dark
    assert fits


# WCAG 2.2 asks for 4.5 where text is of ordinary size.
ENOUGH = 4.5
SEARCH = """
search.value = "ROLE."; search.dispatchEvent(new Event("input"));
[...document.querySelectorAll("nav li")].filter((item) => item.checkVisibility()).map((item) => item.textContent);
"""
ORIGIN = """[...new Set([...document.querySelectorAll("[data-origin]")].map((place) => place.textContent))]"""
CONTRAST = """
[...new Set([...document.querySelectorAll("body *")].filter((element) => element.checkVisibility()).map((element) => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isClear = (colour) => /, 0\\)$/.test(colour);
  let ground = element;
  while (isClear(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
  const [low, high] = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor]
    .map(luminance).sort((a, b) => a - b);
  return Math.round((high + 0.05) / (low + 0.05) * 10) / 10;
}))]
"""
