"""The tools that work on the folder that the operator has opened to roles, as far as this machine can."""

import logging

from services.sandbox import NoSandbox, Sandbox
from services.tools import files, git, shell
from services.tools.tool import Tool

_log = logging.getLogger(__name__)


async def tools(folder: str | None, *, writable: bool) -> tuple[Tool, ...]:
    """`files.*` and `git.*`; and `shell.run` where a sandbox works, in which git runs as well."""
    sandbox = await _sandbox()
    in_sandbox = () if sandbox is None else shell.tools(sandbox, folder)
    return (*files.tools(folder, writable=writable), *git.tools(folder, sandbox), *in_sandbox)


async def _sandbox() -> Sandbox | None:
    try:
        return await Sandbox.probed()
    except NoSandbox as missing:
        _log.info("shell.run is not offered, and git runs without a sandbox: %s", missing)
        return None
