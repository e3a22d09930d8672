"""The keys that secrets are encrypted with: from the environment, and never in the database."""

import hashlib
import os
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.errors import Invalid
from services.secrets.secret import Secret

VARIABLE = "ROLECALL_SECRETS_KEY"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 65_536
_PREFIX = "enc:v1"


class Unreadable(Exception):
    """An envelope that cannot be opened; says why, and what would do."""


class Keyring:
    """Keys by their ids. The first one encrypts; the others still decrypt what they once encrypted."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {id_of(key): key for key in keys}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Keyring":
        """The keys in ROLECALL_SECRETS_KEY, or in the file that ROLECALL_SECRETS_KEY_FILE names, separated by commas,
        blanks or lines; none when neither is set.

        Raises:
            Invalid: both are set, the file cannot be read, or something in it is no key. Says nothing of what it is.
        """
        text, file = environ.get(VARIABLE, ""), environ.get(f"{VARIABLE}_FILE", "")
        if text and file:
            raise Invalid(f"{VARIABLE} and {VARIABLE}_FILE are both set: set one of them")
        variable = f"{VARIABLE}_FILE" if file else VARIABLE
        words = (_content(file) if file else text).replace(",", " ").split()
        if file and not words:
            raise Invalid(f"{variable} is {file!r}: there is no key in it; `rolecall secrets key` makes one")
        return cls([_key(word, place, variable) for place, word in enumerate(words, 1)])

    @property
    def newest(self) -> str | None:
        """The id of the key that encrypts; None without any."""
        return next(iter(self._keys), None)

    def knows(self, key_id: str) -> bool:
        """Whether what that key has encrypted can be read."""
        return key_id in self._keys

    def seal(self, secret: Secret, bound_to: str) -> str:
        """The secret as `enc:v1:<key id>:<nonce>:<ciphertext>`, which opens only together with the text `bound_to`.

        Raises:
            Unreadable: there is no key.
        """
        # Imported where it is wanted: a process without secrets does not pay for it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self.newest is None:
            raise Unreadable(f"{VARIABLE} is not set; `rolecall secrets key` makes a key")
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._keys[self.newest]).encrypt(nonce, secret.reveal().encode(), bound_to.encode())
        return ":".join((_PREFIX, self.newest, _written(nonce), _written(sealed)))

    def open(self, envelope: str, bound_to: str) -> Secret:
        """What was sealed.

        Raises:
            Unreadable: it was sealed with a key that is not here, or for something else, or it is no envelope.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, nonce, sealed = _parts(envelope)
        key = self._keys.get(key_id)
        if key is None:
            here = ", ".join(self._keys) or "none"
            raise Unreadable(f"it is encrypted with the key {key_id}, and {VARIABLE} has {here}")
        try:
            return Secret(AESGCM(key).decrypt(nonce, sealed, bound_to.encode()).decode())
        except (InvalidTag, ValueError):
            raise Unreadable("it was changed, moved from another row, or given other hosts; set it again") from None


def new_key() -> str:
    """A new key, as ROLECALL_SECRETS_KEY takes it."""
    return b64encode(os.urandom(_KEY_BYTES)).decode()


def id_of(key: bytes) -> str:
    """What a key is called: eight characters that tell nothing of it."""
    return hashlib.sha256(b"rolecall secrets key " + key).hexdigest()[:8]


def _content(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_MAX_FILE_BYTES).decode("ascii")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise Invalid(f"{VARIABLE}_FILE is {file!r}: {reason}") from None


def _key(word: str, place: int, variable: str) -> bytes:
    try:
        key = b64decode(word, validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Invalid(f"{variable}: key {place} is not {_KEY_BYTES} bytes in base64; `rolecall secrets key` makes one")
    return key


def _parts(envelope: str) -> tuple[str, bytes, bytes]:
    parts = envelope.split(":")
    if len(parts) != 5 or envelope[: len(_PREFIX)] != _PREFIX:
        raise Unreadable(f"it is no envelope {_PREFIX}:<key id>:<nonce>:<ciphertext>")
    try:
        return parts[2], _read(parts[3]), _read(parts[4])
    except (NotBase64, ValueError):
        raise Unreadable("its envelope is damaged; set it again") from None


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
