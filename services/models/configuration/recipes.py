"""What a provider is made of, found out of its row: address, key and capabilities; or why it cannot be made."""

from collections.abc import Mapping

import msgspec

from services.definitions.nearby import nearest_of
from services.models.configuration.rows import ProviderRow
from services.models.presets import PRESETS, Api, Preset
from services.models.selection import Capability
from services.outbound import Guard, Refused
from services.outbound.addresses import not_public, unwrapped
from services.outbound.urls import target_of
from services.secrets import Opened
from services.secrets.hosts import may_go_to
from services.secrets.keyring import Unreadable
from services.secrets.secret import Secret

NO_KEY = Secret("")


class Unusable(Exception):
    """Nothing can be made of a row: why, what would do, and what may have been meant."""

    def __init__(self, code: str, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.suggestion = suggestion


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that a provider is made of: of equal ones, one provider is enough."""

    name: str
    preset: str
    base_url: str
    is_own_address: bool
    """Whether the address is the row's and not the preset's, so that it may lead anywhere."""
    api: Api | None
    key: Secret
    key_name: str
    capabilities: tuple[Capability, ...] | None


def recipe_of(row: ProviderRow, opened: Mapping[str, Opened], environ: Mapping[str, str], guard: Guard) -> Recipe:
    """What the provider of `row` is made of.

    Raises:
        Unusable: there is no such preset, it has no address or one that is not asked, or its key is missing or may not
            be sent there.
    """
    preset = PRESETS.get(row.preset)
    if preset is None:
        near = nearest_of(row.preset, PRESETS)
        raise Unusable("UNKNOWN_PRESET", f"there is no preset {row.preset!r}; there are {', '.join(PRESETS)}", near)
    base_url = row.base_url or preset.base_url
    if not base_url:
        raise Unusable("NO_ADDRESS", f"a provider of the preset {row.preset!r} needs a baseUrl")
    is_own_address = row.base_url is not None and row.base_url != preset.base_url
    if is_own_address:
        _check_address(base_url, guard)
    key, key_name = _key(row, preset, base_url, opened, environ)
    return Recipe(
        name=row.name,
        preset=row.preset,
        base_url=base_url,
        is_own_address=is_own_address,
        api=row.api,
        key=key,
        key_name=key_name,
        capabilities=row.capabilities,
    )


def _check_address(url: str, guard: Guard) -> None:
    """Nothing, when the address may be asked as far as it tells; where a name leads is seen with each connection."""
    try:
        target = target_of(url)
        guard.check_host(target.host, target.port)
    except Refused as error:
        raise _not_asked(str(error)) from None
    if target.address is None or guard.allowed.names(target.host, target.port):
        return
    what = not_public(target.address)
    if what is not None and not guard.allowed.holds(unwrapped(target.address)):
        raise _not_asked(f"{target.host} leads to {what} and not to the public internet")


def _not_asked(why: str) -> Unusable:
    message = f"the baseUrl is not asked: {why}; ROLECALL_OUTBOUND_ALLOW of the servers names what may be"
    return Unusable("REFUSED_ADDRESS", message)


def _key(
    row: ProviderRow, preset: Preset, url: str, opened: Mapping[str, Opened], environ: Mapping[str, str]
) -> tuple[Secret, str]:
    if row.secret is not None:
        return _of_secret(row.secret, url, opened), f"the secret {row.secret!r}"
    if row.key_variable is not None:
        return _of_variable(row.key_variable, url, environ), row.key_variable
    # The key of the environment goes where the preset is, and nowhere else.
    variable = preset.variables.key
    if preset.needs_key and row.base_url in (None, preset.base_url) and environ.get(variable):
        return Secret(environ[variable]), variable
    if preset.needs_key:
        at_its_own = f", or {variable} in the servers' environment" if row.base_url is None else ""
        raise Unusable("NO_KEY", f"it has no key: set its secret or keyVariable{at_its_own}")
    return NO_KEY, "its secret or keyVariable"


def _of_secret(name: str, url: str, opened: Mapping[str, Opened]) -> Secret:
    if name not in opened:
        near = nearest_of(name, opened)
        raise Unusable("UNKNOWN_SECRET", f"there is no secret {name!r}; `secret.set` makes one", near)
    try:
        return opened[name].for_url(url)
    except Unreadable as error:
        raise Unusable("NO_KEY", f"the secret {name!r} cannot be its key: {error}") from None


def _of_variable(variable: str, url: str, environ: Mapping[str, str]) -> Secret:
    if not environ.get(variable):
        raise Unusable("NO_KEY", f"{variable} is not set in the environment of this server")
    hosts = [host.strip() for host in environ.get(f"{variable}_HOSTS", "").split(",") if host.strip()]
    if not may_go_to(url, hosts):
        allowed = ", ".join(hosts) or "no host"
        message = f"{variable} may be sent to {allowed}, and not to {url}; {variable}_HOSTS says where it may"
        raise Unusable("NO_KEY", message)
    return Secret(environ[variable])
