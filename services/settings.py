"""The settings of a process, all from the environment."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from services.errors import Invalid


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sets. Each field is the environment variable `ROLECALL_` and its name in capitals."""

    database_url: str | None = None
    data_dir: str = ".rolecall"
    host: str = "127.0.0.1"
    port: int = msgspec.field(default=8787)
    files_dir: str | None = None
    lease_seconds: int = 15
    heartbeat_seconds: float = 5.0
    executions: int = 200
    attempts: int = 100

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings that `environ` holds; what is not set has its default.

        >>> Settings.from_environment({"ROLECALL_PORT": "9000"}).port
        9000

        Raises:
            Invalid: a value is not of its type; names the variable.
        """
        values: dict[str, object] = {}
        for field in msgspec.structs.fields(cls):
            variable = f"ROLECALL_{field.name.upper()}"
            if text := environ.get(variable):
                try:
                    values[field.name] = msgspec.convert(text, field.type, strict=False)
                except msgspec.ValidationError as error:
                    raise Invalid(f"{variable} is {text!r}: {error}") from None
        return cls(**values)  # type: ignore[arg-type]

    @property
    def data_path(self) -> Path:
        """Where the embedded database and the first token are kept."""
        return Path(self.data_dir).expanduser().absolute()
