"""The programs that may be started as MCP servers: the operator names them, with all their arguments."""

import os

import msgspec


class McpCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `run` starts, without a shell. It sees PATH, HOME, LANG and the variables that `environment` names."""

    run: tuple[str, ...]
    environment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.run or not all(self.run) or any("\0" in word for word in self.run):
            raise ValueError("`run` is a list of a program and its arguments, none of them empty")

    def variables(self) -> dict[str, str]:
        """What the program sees of this process's environment."""
        names = ("PATH", "HOME", "LANG", *self.environment)
        return {name: os.environ[name] for name in names if name in os.environ}


McpCommands = dict[str, McpCommand]
