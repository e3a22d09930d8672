"""The settings of a process, all from the environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from services.errors import Invalid
from services.mcp.commands import McpCommands
from services.outbound import allowed as outbound_places
from services.principal import Scope

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
# The scopes that a value of an OIDC claim grants, such as those of a group.
Grants = dict[str, tuple[Scope, ...]]

# The names of this machine for itself, which nobody else answers to.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sets. Each field is the environment variable `ROLECALL_` and its name in capitals.

    `allowed_origins`, separated by commas, are those of the pages in other places whose scripts may read what the API
    answers, such as `https://app.example`; `*` is any, without the browser's credentials. With `require_database_roles`
    nothing starts where what agents ask could not be asked with the rights of agents. `outbound_allow` are hosts,
    networks and ports that tools may reach although they are not public; `outbound_hosts`, if any, the only names.
    `mcp_commands` are the programs that may be started as MCP servers, by the names that rows give them: a JSON object
    such as `{"weather": {"run": ["weather-mcp", "--metric"], "environment": ["WEATHER_KEY"]}}`.
    """

    database_url: str | None = None
    require_database_roles: bool = False
    data_dir: str = ".rolecall"
    host: str = "127.0.0.1"
    port: Port = 8787
    files_dir: str | None = None
    files_writable: bool = False
    lease_seconds: AtLeastOne = 15
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    executions: AtLeastOne = 200
    attempts: AtLeastOne = 100
    programs: AtLeastOne = 8
    retention_days: AtLeastOne = 30
    agent_made_expire_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    run_wait_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    allowed_origins: tuple[str, ...] = ()
    session_idle_hours: AtLeastOne = 12
    session_days: AtLeastOne = 7
    calls_per_second: AtLeastOne = 1_000
    calls_burst: AtLeastOne = 2_000
    calls_at_once: AtLeastOne = 1_000
    calls_at_once_per_principal: AtLeastOne = 500
    streams_at_once: AtLeastOne = 5_000
    streams_at_once_per_principal: AtLeastOne = 2_000
    failed_sign_ins_per_minute: AtLeastOne = 30
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_scopes_claim: str = "scope"
    oidc_grants: Grants | None = None
    audit_anchor_file: str | None = None
    audit_anchor_url: str | None = None
    audit_anchor_key_file: str | None = None
    audit_anchor_seconds: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 60
    outbound_allow: tuple[str, ...] = ()
    outbound_hosts: tuple[str, ...] = ()
    mcp_commands: McpCommands = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings that `environ` holds; what is not set has its default.

        >>> Settings.from_environment({"ROLECALL_PORT": "9000"}).port
        9000

        Raises:
            Invalid: a value is not of its type or out of its bounds; no heartbeat would come within the lease, so that
                others took every worker for dead; an origin or the OIDC issuer is none that can be trusted, or the
                issuer stands without an audience; anchors of the audit stand without a key, or the key without a place
                for them. Names the variable.
        """
        values: dict[str, object] = {}
        for field in msgspec.structs.fields(cls):
            variable = f"ROLECALL_{field.name.upper()}"
            if text := environ.get(variable):
                try:
                    values[field.name] = _read(text, field.type)
                except msgspec.DecodeError as error:
                    raise Invalid(f"{variable} is {text!r}: {error}") from None
        settings = cls(**values)  # type: ignore[arg-type]
        _check_heartbeat(settings)
        _check_origins(settings)
        _check_oidc(settings)
        _check_anchors(settings)
        outbound_places.allowed(settings.outbound_allow)
        outbound_places.patterns(settings.outbound_hosts)
        return settings

    @property
    def data_path(self) -> Path:
        """Where the embedded database and the first token are kept."""
        return Path(self.data_dir).expanduser().absolute()


def _read(text: str, type_: Any) -> Any:
    """A variable's value: a list is written with commas, a mapping as JSON, anything else as it is.

    Raises:
        msgspec.DecodeError: it is not of the type.
    """
    if type_ == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if type_ == (Grants | None):
        return msgspec.json.decode(text, type=Grants)
    if type_ == McpCommands:
        return msgspec.json.decode(text, type=McpCommands)
    return msgspec.convert(text, type_, strict=False)


def _check_heartbeat(settings: Settings) -> None:
    if not settings.heartbeat_seconds < settings.lease_seconds:
        raise Invalid(
            f"ROLECALL_HEARTBEAT_SECONDS is {settings.heartbeat_seconds:g}: it has to be less than "
            f"ROLECALL_LEASE_SECONDS, {settings.lease_seconds}"
        )


def _check_origins(settings: Settings) -> None:
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            message = (
                "an origin is a scheme, a host in lower case and maybe a port, such as https://app.example.com; or *"
            )
            raise Invalid(f"ROLECALL_ALLOWED_ORIGINS is {','.join(settings.allowed_origins)!r}: {message}")


def _check_oidc(settings: Settings) -> None:
    issuer = settings.oidc_issuer
    if issuer is None:
        return
    if not is_trustworthy(issuer):
        message = "the issuer's URL begins with https://, or with http:// on this machine, and has no query"
        raise Invalid(f"ROLECALL_OIDC_ISSUER is {issuer!r}: {message}")
    if not settings.oidc_audience:
        message = "with ROLECALL_OIDC_ISSUER it has to say what the issuer calls this server"
        raise Invalid(f"ROLECALL_OIDC_AUDIENCE is not set: {message}")


def _check_anchors(settings: Settings) -> None:
    file, url, key = settings.audit_anchor_file, settings.audit_anchor_url, settings.audit_anchor_key_file
    if key is None and (file is not None or url is not None):
        message = "anchors are signed, and this is the key's file; `rolecall audit key` makes one"
        raise Invalid(f"ROLECALL_AUDIT_ANCHOR_KEY_FILE is not set: {message}")
    if key is not None and file is None and url is None:
        message = "set it, or ROLECALL_AUDIT_ANCHOR_URL, to where the signed anchors go"
        raise Invalid(f"ROLECALL_AUDIT_ANCHOR_FILE is not set: {message}")
    if url is not None and not is_trustworthy(url.partition("?")[0]):
        message = "a webhook's URL begins with https://, or with http:// on this machine"
        raise Invalid(f"ROLECALL_AUDIT_ANCHOR_URL is {url!r}: {message}")


def is_trustworthy(url: str) -> bool:
    """Whether nobody on the way can change what is read from this URL.

    >>> [is_trustworthy(url) for url in ("https://id.example.com", "http://127.0.0.1:9", "http://id.example.com", "x")]
    [True, True, False, False]
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return is_plain and bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
