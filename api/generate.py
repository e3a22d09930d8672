"""What is generated: the OpenAPI document and the TypeScript types of the router, the JSON Schema of definitions."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from api.errors import ErrorData
from api.policy import access_of
from api.root import router
from api.rpc import About, Described, Page, openapi, reference, typescript
from services import runs
from services.bundles import BundleRole
from services.caller import Caller
from services.definitions.language import file_schema
from services.health import VERSION
from services.problem import Problem

FOLDER = Path("openapi")

_DESCRIPTION = """\
AI roles and multi-step orchestrations as rows in Postgres, run durably, called over tRPC v11.

A query is a GET with its input in the query string, a mutation a POST with it as the body; both are JSON. A query whose
input is too long for a URL may be sent as a POST as well, with the input as the body. Several calls travel together as
`/trpc/<one>,<other>?batch=1`, with their inputs by their number: `{"0": …, "1": …}`.

Every answer is an envelope, `{"result": {"data": …}}` or `{"error": {"message": …, "data": {"code": …}}}`. Fields that
nothing reads are refused, and so are keys given twice, text with the NUL character and integers beyond ±(2^53 - 1).
"""
ORIGIN = "http://127.0.0.1:8787"
ABOUT = About(
    title="Rolecall",
    version=VERSION,
    summary="AI roles and multi-step orchestrations, run durably.",
    description=_DESCRIPTION,
    license="Apache-2.0",
    servers={
        "/": "Where this document comes from.",
        ORIGIN: "`rolecall up`, unless it is told another.",
    },
    tags={
        "role": "Who the models play: a prompt, tools, and what is asked of a model.",
        "orchestration": "Workflows by name, each with its versions.",
        "execution": "Runs of orchestrations: start, watch, steer, restart.",
        "budget": "What the model calls of a day may take.",
        "metrics": "What steps and models have taken.",
        "tool": "What roles and steps can call, and how far it reaches.",
        "system": "Is it up, and who am I?",
    },
    problem=Problem,
)


def document() -> dict[str, Any]:
    """The OpenAPI document of the router."""
    return openapi(router, ABOUT, access_of=access_of)


def openapi_json() -> str:
    """The text of `openapi.json`."""
    return _formatted(document())


def reference_page() -> Page:
    """The page for people, with everything in it that it shows."""
    return reference(document(), origin=ORIGIN)


def router_ts() -> str:
    """The text of `router.ts`: the type `AppRouter`, for `createTRPCClient<AppRouter>()`."""
    return typescript(router, error_data=ErrorData)


async def served_router_ts(caller: Caller) -> str:
    """The text of `router.ts` with what this database adds: a procedure `run.*` for each active orchestration."""
    described = [_described(each) for each in await runs.runnable(caller)]
    # A thousand orchestrations take a quarter of a second, for which nobody else should wait.
    return await asyncio.to_thread(typescript, router, described, error_data=ErrorData)


def definition_schema_json() -> str:
    """The text of `definition.schema.json`, which editors check documents and bundles with."""
    return _formatted(file_schema(BundleRole))


def texts() -> dict[str, str]:
    """Every generated file by its name."""
    return {
        "openapi.json": openapi_json(),
        "router.ts": router_ts(),
        "definition.schema.json": definition_schema_json(),
    }


def write(folder: Path = FOLDER) -> list[Path]:
    """The files, written anew into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {folder / name: text for name, text in texts().items()}
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def _described(run: runs.Runnable) -> Described:
    which = f"Runs `{run.orchestration}`, version {run.version}."
    return Described(
        name=f"run.{run.procedure}",
        kind="mutation",
        description=" ".join(f"{which} {run.description}".split()),
        input_schema=run.input_schema,
        output_schema=run.output_schema,
        needs_input=run.needs_input,
    )


def _formatted(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
