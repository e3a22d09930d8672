"""What is generated: the OpenAPI document and the TypeScript types of the router, the JSON Schema of definitions."""

from pathlib import Path
from typing import Any

import msgspec

from api.errors import ErrorData
from api.root import router
from api.rpc import Described, openapi, typescript
from services import runs
from services.bundles import BundleRole
from services.caller import Caller
from services.definitions.language import file_schema
from services.health import VERSION

FOLDER = Path("openapi")


def openapi_json() -> str:
    """The text of `openapi.json`."""
    document = openapi(router, "Rolecall", VERSION)
    return _formatted(document)


def router_ts() -> str:
    """The text of `router.ts`: the type `AppRouter`, for `createTRPCClient<AppRouter>()`."""
    return typescript(router, error_data=ErrorData)


async def served_router_ts(caller: Caller) -> str:
    """The text of `router.ts` with what this database adds: a procedure `run.*` for each active orchestration."""
    return typescript(router, [_described(each) for each in await runs.runnable(caller)], error_data=ErrorData)


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
