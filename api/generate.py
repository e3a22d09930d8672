"""What is generated from the router: the OpenAPI document and the TypeScript types of its clients."""

from pathlib import Path

import msgspec

from api.root import router
from api.rpc import openapi, typescript
from services.health import VERSION

FOLDER = Path("openapi")


def openapi_json() -> str:
    """The text of `openapi.json`."""
    document = openapi(router, "Rolecall", VERSION)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def router_ts() -> str:
    """The text of `router.ts`: the type `AppRouter`, for `createTRPCClient<AppRouter>()`."""
    return typescript(router)


def write(folder: Path = FOLDER) -> list[Path]:
    """The files, written anew into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / "openapi.json": openapi_json(), folder / "router.ts": router_ts()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
