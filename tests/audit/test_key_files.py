"""Keys that anchors are signed with: what is none is refused by name."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import anchors
from services.errors import Invalid

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()
OTHERS = {
    "empty": b"",
    "no key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "public": anchors.new_key()[1],
    "elliptic": generate_private_key(SECP256R1()).private_bytes(PEM, PKCS8, OPEN),
    "closed": Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"x")),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_a_file_that_holds_no_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(Invalid, match="holds no private Ed25519 key as PEM; `rolecall audit key` makes one"):
        anchors.private_key(tmp_path / "key")


def test_a_private_half_is_no_public_one(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(anchors.new_key()[0])

    with pytest.raises(Invalid, match="holds no public Ed25519 key"):
        anchors.public_key(tmp_path / "key")


@pytest.mark.parametrize("reads", [anchors.private_key, anchors.public_key])
def test_a_key_that_is_not_there_is_said(tmp_path: Path, reads: object) -> None:
    with pytest.raises(Invalid, match="cannot be read: No such file or directory"):
        reads(tmp_path / "key")  # type: ignore[operator]
