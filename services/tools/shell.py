"""`shell.run`: a command in the sandbox, where nothing of the machine can be reached or changed."""

from pathlib import Path
from typing import Annotated

import msgspec

from services.sandbox import Sandbox, TooLong
from services.tools.tool import Tool, ToolContext, ToolError, tool

MAX_OUTPUT_BYTES = 64 * 1024
FOLDER = "/folder"

Command = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000, description="As for `sh -c`.")]
Given = Annotated[
    str, msgspec.Meta(max_length=256 * 1024, description="What the command reads from its standard input.")
]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=60)]


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """What a command has said. After an output that `isCut` it was ended; `exitCode` is negative after a signal."""

    exit_code: int
    output: str
    errors: str
    is_cut: bool


def tools(sandbox: Sandbox, folder: str | None) -> tuple[Tool, ...]:
    """`shell.run` in `sandbox`, with `folder` to read in."""
    readable = {} if folder is None else {FOLDER: Path(folder).absolute()}

    @tool("shell.run", effect="read", security="high")
    async def run(_context: ToolContext, *, command: Command, given: Given = "", seconds: Seconds = 30) -> Result:
        """Run a shell command in a sandbox without network: the opened folder is /folder, read only; what is written
        below /tmp, up to 64 MiB, is gone afterwards. Output is cut at 64 KiB.
        """
        if "\0" in command:
            raise ToolError("a command has no NUL in it", is_final=True)
        try:
            outcome = await sandbox.run(
                ("/bin/sh", "-c", command),
                seconds=seconds,
                max_output_bytes=MAX_OUTPUT_BYTES,
                given=given.encode(errors="replace"),
                readable=readable,
                directory=FOLDER if readable else "/tmp",  # noqa: S108 of the sandbox
            )
        except TooLong as error:
            raise ToolError(f"the command was ended: {error}", is_final=True) from None
        except OSError as error:
            raise ToolError(f"the sandbox cannot be started: {error.strerror}") from None
        return Result(
            outcome.exit_code,
            outcome.output.decode(errors="replace"),
            outcome.errors.decode(errors="replace"),
            outcome.is_cut,
        )

    return (run,)
