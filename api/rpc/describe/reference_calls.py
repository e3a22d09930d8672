"""How a procedure is called, to be copied: with curl, and with `@trpc/client`."""

import shlex
from typing import Any

import msgspec

_LINE = 80
_VERBS = {"query": "query", "mutation": "mutate", "subscription": "subscribe"}


def shell_setup(url: str) -> str:
    """What a shell is told before the commands."""
    return f"export URL={url}\nexport TOKEN=…"


def client_setup(url: str, *, streams: bool, subscribes: bool) -> str:
    """The start of a module, up to the client: with the links that the procedures ask for."""
    batch = "httpBatchStreamLink" if streams else "httpBatchLink"
    imported = ["createTRPCClient", batch, *(["httpSubscriptionLink", "splitLink"] if subscribes else [])]
    calls = f"{batch}({{ url, headers: {{ authorization: `Bearer ${{token}}` }} }})"
    link = _SPLIT.format(calls=calls) if subscribes else calls
    return _MODULE.format(imported=", ".join(imported), url=url, link=link)


_MODULE = """\
import {{ {imported} }} from "@trpc/client";
import type {{ AppRouter }} from "./router";

const url = "{url}/trpc";
const token = "…";
const client = createTRPCClient<AppRouter>({{
  links: [{link}],
}});\
"""
_SPLIT = """
    splitLink({{
      condition: (call) => call.type === "subscription",
      true: httpSubscriptionLink({{ url, connectionParams: {{ token }} }}),
      false: {calls},
    }}),
  \
"""


def curl(path: str, kind: str, input: Any, *, needs_caller: bool, streams: bool = False) -> str:
    """A command for a shell in which URL and TOKEN are set; UNSET sends no input.

    What streams is asked for in a batch of one.

    >>> print(curl("/trpc/role.get", "query", {"role": "Critic"}, needs_caller=False))
    curl -sG "$URL/trpc/role.get" \\
      --data-urlencode 'input={"role":"Critic"}'
    """
    in_a_batch = streams and kind != "subscription"
    lines: list[str] = ['-H "authorization: Bearer $TOKEN"'] if needs_caller else []
    lines += ["-H 'trpc-accept: application/jsonl'"] if in_a_batch else []
    text = "" if input is msgspec.UNSET else msgspec.json.encode({"0": input} if in_a_batch else input).decode()
    if kind == "mutation":
        lines += ["-H 'content-type: application/json'", f"-d {shlex.quote(text)}"]
    elif text:
        lines.append(f"--data-urlencode {shlex.quote('input=' + text)}")
    flags = f"-s{'N' if streams else ''}{'' if kind == 'mutation' else 'G'}"
    return " \\\n  ".join([f'curl {flags} "$URL{path}{"?batch=1" if in_a_batch else ""}"', *lines])


def typescript_call(name: str, kind: str, input: Any, *, streams: bool = False) -> str:
    """A statement for a module that has the client.

    >>> typescript_call("role.get", "query", {"role": "Critic"})
    'await client.role.get.query({"role": "Critic"});'
    """
    text = "" if input is msgspec.UNSET else _literal(input)
    if kind == "subscription":
        return f"client.{name}.subscribe({text or 'undefined'}, {{ onData: (item) => console.log(item) }});"
    call = f"await client.{name}.{_VERBS[kind]}({text})"
    return f"for await (const item of {call}) console.log(item);" if streams else f"{call};"


def _literal(value: Any) -> str:
    text = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    return text if len(text) <= _LINE else msgspec.json.format(text.encode(), indent=2).decode()
