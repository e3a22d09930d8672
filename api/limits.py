"""How much one caller may ask of this process: calls a second, calls at once, and attempts at signing in."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TypeAlias

from api.rpc import Procedure
from services.errors import LimitExceeded, Unavailable
from services.principal import Principal
from services.settings import Settings

Clock: TypeAlias = Callable[[], float]

_MAX_REMEMBERED = 10_000
_RETRY_SECONDS = 1.0
_IPV6_HOST_BITS = 64


class Rate:
    """How often each key may do something: `per_second` in the long run, up to `burst` at once.

    Of each key one number is kept: when it would have used up what it may, had it gone at the rate. Only the keys seen
    last are kept, so the memory is bounded; a forgotten one begins anew.
    """

    def __init__(self, per_second: float, burst: int, *, max_keys: int = _MAX_REMEMBERED) -> None:
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._used_until: OrderedDict[Hashable, float] = OrderedDict()
        self._max_keys = max_keys

    def wait_seconds(self, key: Hashable, now: float) -> float:
        """How long until the key may go on; 0.0 when it may now.

        >>> rate = Rate(per_second=2.0, burst=1)
        >>> rate.count("anna", 10.0)
        >>> rate.wait_seconds("anna", 10.0), rate.wait_seconds("anna", 10.5), rate.wait_seconds("ben", 10.0)
        (0.5, 0.0, 0.0)
        """
        return max(self._used_until.get(key, now) - now - self._slack, 0.0)

    def count(self, key: Hashable, now: float) -> None:
        """Once more, for this key; nobody has to wait for more than one, however many were counted at once."""
        used_until = min(max(self._used_until.get(key, now), now), now + self._slack) + self._interval
        self._used_until[key] = used_until
        self._used_until.move_to_end(key)
        if len(self._used_until) > self._max_keys:
            self._used_until.popitem(last=False)


class Permits:
    """How many may be held at once: `total` by all keys together, `per_key` by each. `noun` is what they are."""

    def __init__(self, noun: str, total: int, per_key: int) -> None:
        self._noun = noun
        self._total = total
        self._per_key = per_key
        self._held: Counter[Hashable] = Counter()
        self._sum = 0

    def permit(self, key: Hashable) -> AbstractContextManager[None]:
        """A permit for this key, held inside `with`.

        Raises:
            LimitExceeded: on entering: the key holds as many as it may.
            Unavailable: on entering: all are taken.
        """
        return _Permit(self, key)

    def take(self, key: Hashable) -> None:
        if self._held[key] >= self._per_key:
            message = f"this caller has {self._per_key} {self._noun} under way in this process, which is the most; "
            raise LimitExceeded(message + "wait for one of them", retry_after_seconds=_RETRY_SECONDS)
        if self._sum >= self._total:
            message = f"this process has {self._total} {self._noun} under way, which is the most"
            raise Unavailable(f"{message}; try again, or ask another process")
        self._held[key] += 1
        self._sum += 1

    def give_back(self, key: Hashable) -> None:
        self._sum -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


class _Permit(AbstractContextManager[None]):
    """A class and not a generator, since every call makes one."""

    __slots__ = ("_key", "_permits")

    def __init__(self, permits: Permits, key: Hashable) -> None:
        self._permits = permits
        self._key = key

    def __enter__(self) -> None:
        self._permits.take(self._key)

    def __exit__(self, *_: object) -> None:
        self._permits.give_back(self._key)


class Limits:
    """The limits of one process. Those on calls are per principal, whatever tokens and sessions it has."""

    def __init__(self, settings: Settings, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._per_second = settings.calls_per_second
        self._rate = Rate(settings.calls_per_second, settings.calls_burst)
        self._calls = Permits("calls", settings.calls_at_once, settings.calls_at_once_per_principal)
        self._streams = Permits("streams", settings.streams_at_once, settings.streams_at_once_per_principal)

    def admit(self, principal: Principal, procedure: Procedure[..., object]) -> AbstractContextManager[None]:
        """What the call holds while it is under way, once it was counted; `Permits` says how entering may fail.

        Raises:
            LimitExceeded: the principal calls too fast.
        """
        key, now = (principal.kind, principal.name), self._clock()
        if wait := self._rate.wait_seconds(key, now):
            message = (
                f"{principal.kind} {principal.name!r} calls too fast; up to {self._per_second:g} a second are fine"
            )
            raise LimitExceeded(message, retry_after_seconds=wait)
        self._rate.count(key, now)
        return (self._streams if procedure.streams else self._calls).permit(key)


class Attempts:
    """Attempts at signing in: an address from which too many failed has to wait, unless what it shows is known.

    Look-ups under way are bounded as calls are, so that a flood waits neither for the database nor in memory.
    """

    def __init__(self, settings: Settings, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        per_minute = settings.failed_sign_ins_per_minute
        self._failures = Rate(per_minute / 60, per_minute)
        self._lookups = Permits("sign-ins", settings.calls_at_once, settings.calls_at_once + 1)
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def attempt(self, client: str | None, digest: bytes) -> AbstractContextManager[None]:
        """An attempt from the address `client` with what has this digest.

        Raises:
            LimitExceeded: too many from there have failed.
        """
        wait = self._failures.wait_seconds(network_of(client), self._clock())
        # Behind one address may be many: what has worked before goes on working, whatever a neighbour tries.
        if wait and digest not in self._known:
            raise LimitExceeded("too many failed sign-ins from this address; try again later", retry_after_seconds=wait)
        return self.look_up()

    def look_up(self) -> AbstractContextManager[None]:
        """One look-up; entering raises Unavailable when too many are under way."""
        return self._lookups.permit(None)

    def failed(self, client: str | None, digest: bytes) -> None:
        """An attempt from the address `client` with what has this digest has failed."""
        self._known.pop(digest, None)
        self._failures.count(network_of(client), self._clock())

    def worked(self, digest: bytes) -> None:
        """An attempt with what has this digest has worked."""
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)


@lru_cache(maxsize=4_096)
def network_of(client: str | None) -> str:
    """What one client holds of the address space: an IPv4 address, or the /64 of an IPv6 address.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2:3:4"), network_of("::ffff:192.0.2.7"), network_of(None)
    ('192.0.2.7', '2001:db8::', '192.0.2.7', '')
    """
    try:
        address = ip_address(client or "")
    except ValueError:
        return client or ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or IPv6Address(int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))
    return str(address)
