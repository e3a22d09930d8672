"""A little OIDC issuer on this machine: real keys, real HTTP, and as badly behaved as a test wants it."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUDIENCE = "rolecall"

_ALGORITHMS: Mapping[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id."""

    kid: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half, as an issuer tells it."""
        described = _ALGORITHMS[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return {**described, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def new_key(kid: str, algorithm: str = "ES256", *, bits: int = 2048) -> SigningKey:
    made: Mapping[str, Any] = {
        "RS256": lambda: rsa.generate_private_key(65537, bits),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    return SigningKey(kid, algorithm, made[algorithm]())


@dataclass
class LittleIssuer:
    """The issuer at `url`. What it answers at a path is `answers`' if that has one, else what an issuer would.

    `asked` are the paths that were asked for. While `may_answer` is not set, whoever asks waits.
    """

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    was_asked: threading.Event = field(default_factory=threading.Event)

    @property
    def key_fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count("/keys")

    def fails(self, status: int = 500) -> None:
        """From now on it answers with this status."""
        for path in ("/.well-known/openid-configuration", "/keys"):
            self.answers[path] = (status, b"{}", {})

    def recovers(self) -> None:
        """From now on it answers as it should."""
        self.answers.clear()

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        self.was_asked.set()
        self.may_answer.wait(30)
        if path in self.answers:
            return self.answers[path]
        known: Mapping[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": self.keys},
        }
        return (200, json.dumps(known[path]).encode(), {}) if path in known else (404, b"", {})

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What a token of this issuer says; a claim that is None is left out."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "anna", "exp": now + 600, "scope": "openid roles.read"}
        return {name: value for name, value in {**said, **changed}.items() if value is not None}

    def token(self, key: SigningKey, *, head: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """A token signed with this key."""
        return jwt.encode(
            self.claims(**changed), key.private, algorithm=key.algorithm, headers={"kid": key.kid, **(head or {})}
        )


def handmade(head: Any, claims: Any, secret: bytes | None = None) -> str:
    """A token that no library would make: whatever its head says, signed by HMAC with `secret`, or not at all."""
    signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
    return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), hashlib.sha256) if secret else b'')}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def little_issuer(*keys: SigningKey) -> Iterator[LittleIssuer]:
    """An issuer that signs with these keys, until the end."""
    issuer = LittleIssuer(keys=[key.jwk for key in keys])
    issuer.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content, headers = issuer.answer(self.path)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        issuer.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
