"""Anchors: the head of the audit as a signed line, to be kept where whoever owns the database cannot reach it.

Each is a line of JSON, signed with Ed25519. The public half of the key tells later that nobody has made up the line,
and the line that nobody has made up the audit.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.entries import Head
from services.audit.findings import Findings
from services.audit.verifying import Anchored
from services.errors import Invalid

# So that no signature of this key for another purpose can be taken for one of these.
_PURPOSE = b"rolecall audit anchor\n"
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class Anchor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A signed line. `chain` is the hash of the first entry, which tells one database's audit from another's; `at` is
    when the line was made, and `key` which key has signed all of it.
    """

    chain: str
    seq: int
    hash: str
    at: datetime
    key: str
    signature: str = ""

    def line(self) -> bytes:
        """The anchor as it is written, without a line's end."""
        return msgspec.json.encode(self)

    def signed(self, key: Ed25519PrivateKey) -> "Anchor":
        """The anchor with the key's signature."""
        named = msgspec.structs.replace(self, key=id_of(key.public_key()))
        signature = base64.b64encode(key.sign(named._signed_bytes())).decode()
        return msgspec.structs.replace(named, signature=signature)

    def is_signed_with(self, key: Ed25519PublicKey) -> bool:
        """Whether whoever holds the other half of the key has made it, and nobody has changed it since."""
        try:
            key.verify(base64.b64decode(self.signature, validate=True), self._signed_bytes())
        except (InvalidSignature, binascii.Error):
            return False
        return self.key == id_of(key)

    def _signed_bytes(self) -> bytes:
        return _PURPOSE + msgspec.json.encode(msgspec.structs.replace(self, signature=""))


def anchor_of(head: Head, *, chain: str, at: datetime, key: Ed25519PrivateKey) -> Anchor:
    """The head of the audit that begins with the entry of the hash `chain`, signed."""
    return Anchor(chain=chain, seq=head.seq, hash=head.hash, at=at, key="").signed(key)


def read(lines: Iterable[bytes], key: Ed25519PublicKey, chain: str | None, findings: Findings) -> list[Anchored]:
    """What the lines say is in the audit that begins with `chain`; of a line that cannot be believed, a finding."""
    anchored: list[Anchored] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            anchor = msgspec.json.decode(line, type=Anchor)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            findings.add("BAD_SIGNATURE", f"line {number} is no anchor")
            continue
        if not anchor.is_signed_with(key):
            findings.add("BAD_SIGNATURE", f"line {number} was not signed with the key {id_of(key)}", seq=anchor.seq)
        elif anchor.chain != chain:
            findings.add("ANCHOR", f"line {number} is of an audit that began with another entry", seq=anchor.seq)
        else:
            anchored.append(Anchored(seq=anchor.seq, hash=anchor.hash))
    return anchored


def new_key() -> tuple[bytes, bytes]:
    """A key, private and public half, as PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def private_key(file: Path) -> Ed25519PrivateKey:
    """The key that a file holds.

    Raises:
        Invalid: it cannot be read, or holds no Ed25519 key without a password.
    """
    try:
        key = serialization.load_pem_private_key(_content(file), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(file, "private")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """The public half of a key that a file holds.

    Raises:
        Invalid: it cannot be read, or holds no such key.
    """
    try:
        key = serialization.load_pem_public_key(_content(file))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(file, "public")
    return key


def id_of(key: Ed25519PublicKey) -> str:
    """A short name of the key, by which whoever has several finds the right one."""
    return hashlib.sha256(key.public_bytes(*_RAW)).hexdigest()[:16]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Invalid(f"the key {file} cannot be read: {error.strerror}") from None


def _unusable(file: Path, half: str) -> Invalid:
    return Invalid(f"{file} holds no {half} Ed25519 key as PEM; `rolecall audit key` makes one")
