"""People whom an OIDC issuer vouches for: its signed token, read as a principal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from services.caller import Caller, Credential
from services.errors import Unauthenticated
from services.issuer_keys import IssuerKeys
from services.principal import Principal, may_hold
from services.settings import Grants, Settings

# Clocks differ; a few seconds are no risk.
_LEEWAY_SECONDS = 30
_MAX_CHARACTERS = 16 * 1024
_MAX_VALUES = 1_000
_FORMAT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# As the standard bounds it, and without what would make a log or a page unreadable.
_SUBJECT = re.compile(r"[!-~]{1,255}")
# One sentence for every reason that a forger could learn from.
_REFUSED = "the token is not one that the OIDC issuer made for this server; sign in there again"
_EXPIRED = "the OIDC token has expired; sign in again"
_NOT_YET = "the OIDC token is not valid yet; see whether the clocks agree"


class Issuer:
    """An OIDC issuer: `audience` is what it calls this server, `scopes_claim` where it says what somebody may do.

    The values of that claim are scopes; with `grants` they are whatever the issuer has, such as groups, and grant what
    stands there. Values that mean nothing here grant nothing.
    """

    def __init__(self, url: str, *, audience: str, scopes_claim: str, grants: Grants | None, keys: IssuerKeys) -> None:
        self._url = url
        self._audience = audience
        self._scopes_claim = scopes_claim
        self._grants = grants
        self._keys = keys

    @staticmethod
    def may_have_signed(token: str) -> bool:
        """Whether the text is made like a token of an issuer: three parts, the first of which says how it is signed.

        >>> [Issuer.may_have_signed(text) for text in ("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl", "rc_abcdefgh_secret")]
        [True, False]
        """
        return _FORMAT.fullmatch(token[: _MAX_CHARACTERS + 1]) is not None

    async def authenticate(self, token: str) -> Caller:
        """The person for whom the issuer made this token, named `oidc:` and the token's subject.

        Raises:
            Unauthenticated: it is none of the issuer's for this server, or not valid now.
            Unavailable: the issuer does not tell its keys.
        """
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise Unauthenticated(_REFUSED)
        claims = self._claims(token, key)
        subject = claims["sub"]
        if not _SUBJECT.fullmatch(subject):
            raise Unauthenticated(_REFUSED)
        principal = Principal(kind="human", name=f"oidc:{subject}", scopes=may_hold("human", self._scopes(claims)))
        return Caller(principal, Credential("issued", expires_at=int(claims["exp"]) + _LEEWAY_SECONDS))

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                # The key's own and no other: a token does not choose.
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._url,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(_EXPIRED) from None
        except jwt.ImmatureSignatureError:
            raise Unauthenticated(_NOT_YET) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthenticated(_REFUSED) from None

    def _scopes(self, claims: Mapping[str, Any]) -> Sequence[str]:
        values = _values(_claim(claims, self._scopes_claim))
        if self._grants is None:
            return values
        return [scope for value in values for scope in self._grants.get(value, ())]


def issuer_of(settings: Settings) -> Issuer | None:
    """The issuer that the settings trust, if there is one."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    return Issuer(
        settings.oidc_issuer,
        audience=settings.oidc_audience,
        scopes_claim=settings.oidc_scopes_claim,
        grants=settings.oidc_grants,
        keys=IssuerKeys(settings.oidc_issuer),
    )


def _key_id(token: str) -> str:
    """The id of the key that a token says it was signed with; nothing else in its head is believed.

    Raises:
        Unauthenticated: it has none, or is no token at all.
    """
    if len(token) > _MAX_CHARACTERS:
        raise Unauthenticated(f"the OIDC token has more than {_MAX_CHARACTERS:,} characters")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise Unauthenticated(_REFUSED) from None
    # What a head calls critical has to be understood, and nothing is.
    if not isinstance(head.get("kid"), str) or "crit" in head:
        raise Unauthenticated(_REFUSED)
    return head["kid"]


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of that name, which may have dots, or may lead with them through objects."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _values(claim: Any) -> Sequence[str]:
    """What a claim holds: a list of texts, or one text with blanks between."""
    if isinstance(claim, str):
        return claim.split()[:_MAX_VALUES]
    if isinstance(claim, list):
        return [value for value in claim[:_MAX_VALUES] if isinstance(value, str)]
    return ()
