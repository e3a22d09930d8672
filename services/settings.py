"""The settings of a process, all from the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from services.errors import Invalid

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Origin = Annotated[str, msgspec.Meta(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[^/\sA-Z]+)$")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sets. Each field is the environment variable `ROLECALL_` and its name in capitals.

    `allowed_origins`, separated by commas, are those of the pages in other places whose scripts may read what the API
    answers, such as `https://app.example`; `*` is any, without the browser's credentials.
    """

    database_url: str | None = None
    data_dir: str = ".rolecall"
    host: str = "127.0.0.1"
    port: Port = 8787
    files_dir: str | None = None
    lease_seconds: AtLeastOne = 15
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    executions: AtLeastOne = 200
    attempts: AtLeastOne = 100
    retention_days: AtLeastOne = 30
    allowed_origins: tuple[Origin, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings that `environ` holds; what is not set has its default.

        >>> Settings.from_environment({"ROLECALL_PORT": "9000"}).port
        9000

        Raises:
            Invalid: a value is not of its type or out of its bounds, or no heartbeat would come within the lease, so
                that others took every worker for dead; names the variable.
        """
        values: dict[str, object] = {}
        for field in msgspec.structs.fields(cls):
            variable = f"ROLECALL_{field.name.upper()}"
            if text := environ.get(variable):
                value = [part.strip() for part in text.split(",")] if field.name == "allowed_origins" else text
                try:
                    values[field.name] = msgspec.convert(value, field.type, strict=False)
                except msgspec.ValidationError as error:
                    raise Invalid(f"{variable} is {text!r}: {error}") from None
        settings = cls(**values)  # type: ignore[arg-type]
        if not settings.heartbeat_seconds < settings.lease_seconds:
            raise Invalid(
                f"ROLECALL_HEARTBEAT_SECONDS is {settings.heartbeat_seconds:g}: it has to be less than "
                f"ROLECALL_LEASE_SECONDS, {settings.lease_seconds}"
            )
        return settings

    @property
    def data_path(self) -> Path:
        """Where the embedded database and the first token are kept."""
        return Path(self.data_dir).expanduser().absolute()
