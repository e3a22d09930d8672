"""The keys that an OIDC issuer signs with: fetched when they are needed, kept for an hour, and longer while the issuer
does not answer.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from services.errors import Unavailable
from services.models.wire import is_loopback
from services.settings import is_trustworthy

_FRESH_SECONDS = 3_600.0
_USABLE_SECONDS = 86_400.0
# An unknown key may be a new one, or made up: it has the keys fetched again once a minute at most.
_ASK_AGAIN_SECONDS = 60.0
_ASK_AGAIN_AFTER_FAILURE_SECONDS = 10.0

_TOTAL_SECONDS = 10.0
_PHASE_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_MAX_KEYS = 100
_MIN_RSA_BITS = 2048

# By type and curve: the one algorithm that a key is used with, and the members that make it. Nothing symmetric is here,
# and no private member is read.
_KINDS: Mapping[tuple[Any, Any], tuple[str, tuple[str, ...]]] = {
    ("RSA", None): ("RS256", ("n", "e")),
    ("EC", "P-256"): ("ES256", ("crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("crv", "x")),
}

_log = logging.getLogger(__name__)


class _Unusable(Exception):
    """What the issuer answered cannot be used."""


class IssuerKeys:
    """The keys of the issuer at a URL, by their `kid`."""

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._ask_again_at = clock()
        self._asking: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of that id; None when the issuer has none.

        Raises:
            Unavailable: the issuer has not told its keys for a day.
        """
        if kid not in self._keys or self._age() >= _FRESH_SECONDS:
            await self._refreshed()
        if self._age() >= _USABLE_SECONDS:
            raise Unavailable(
                "the OIDC issuer does not tell its keys right now; nothing is known to be wrong with the token"
            )
        return self._keys.get(kid)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _refreshed(self) -> None:
        """Wait until the keys are as new as they may be now; whoever comes meanwhile waits for the same answer."""
        if self._asking is None:
            if self._clock() < self._ask_again_at:
                return
            self._asking = asyncio.create_task(self._refresh(), name="issuer keys")
        # One who waits may go away without taking the answer from the others.
        await asyncio.shield(self._asking)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                self._keys = await _fetched(self._issuer)
            self._fetched_at = self._clock()
            self._ask_again_at = self._fetched_at + _ASK_AGAIN_SECONDS
        except (_Unusable, httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            _log.warning("the OIDC issuer %s does not tell its keys: %r", self._issuer, error)
            self._ask_again_at = self._clock() + _ASK_AGAIN_AFTER_FAILURE_SECONDS
        finally:
            self._asking = None


async def _fetched(issuer: str) -> Mapping[str, jwt.PyJWK]:
    # No proxy has a say in what stays on this machine.
    uses_proxy = not is_loopback(issuer)
    headers = {"accept-encoding": "identity"}
    async with httpx2.AsyncClient(timeout=_PHASE_SECONDS, headers=headers, trust_env=uses_proxy) as client:
        configuration = await _json(client, issuer.rstrip("/") + "/.well-known/openid-configuration")
        if configuration.get("issuer") != issuer:
            raise _Unusable(f"it calls itself {configuration.get('issuer')!r}")
        where = configuration.get("jwks_uri")
        if not isinstance(where, str) or not is_trustworthy(where):
            raise _Unusable(f"its keys would be at {where!r}")
        document = await _json(client, where)
    described = document.get("keys")
    if not isinstance(described, list):
        raise _Unusable("it has no list of keys")
    keys = [key for it in described[:_MAX_KEYS] if (key := _key(it)) is not None]
    # Of two with one id the first counts.
    return dict(reversed(keys))


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """The object at `url`, which no redirect leads away from."""
    content = bytearray()
    async with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise _Unusable(f"{url} answers {response.status_code}")
        # Raw: what is compressed after all could be of any size.
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > _MAX_BYTES:
                raise _Unusable(f"{url} has more than {_MAX_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(content), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Unusable(f"{url} is no JSON object: {error}") from None


def _key(described: Any) -> tuple[str, jwt.PyJWK] | None:
    """A key with its id; None for what cannot be used: another kind of key, a weak one, one for other purposes."""
    if not isinstance(described, dict):
        return None
    kid = described.get("kid")
    curve = None if described.get("kty") == "RSA" else described.get("crv")
    try:
        algorithm, members = _KINDS[described.get("kty"), curve]
        is_meant = described.get("use", "sig") == "sig" and described.get("alg", algorithm) == algorithm
        if not isinstance(kid, str) or not is_meant or "verify" not in described.get("key_ops", ["verify"]):
            return None
        key = jwt.PyJWK({"kty": described["kty"], **{member: described[member] for member in members}}, algorithm)
    except (KeyError, TypeError, ValueError, jwt.PyJWTError):
        return None
    is_weak = isinstance(key.key, RSAPublicKey) and key.key.key_size < _MIN_RSA_BITS
    return None if is_weak else (kid, key)
