"""An external issuer of tokens, with real keys, and the web server that publishes them."""

import asyncio
import base64
import hmac
import json
import uuid
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000
SECRET = "the secret of somebody else's backend"

RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SecurityWarning)
    SHORT_RSA = RSAKey.generate_key(1024)
EC = {"ES256": ECKey.generate_key("P-256"), "ES384": ECKey.generate_key("P-384")} | {
    "ES512": ECKey.generate_key("P-521")
}
ED25519 = OKPKey.generate_key("Ed25519")
SHARED = OctKey.import_key(SECRET)


def signer(algorithm: str) -> Key:
    """The issuer's key for an algorithm."""
    if algorithm.startswith("HS"):
        return SHARED
    if algorithm in EC:
        return EC[algorithm]
    return ED25519 if algorithm.startswith("Ed") else RSA


def token(
    claims: object,
    algorithm: str = "HS256",
    key: Key | bytes | None = None,
    header: Mapping[str, object] | None = None,
) -> str:
    """A token with a genuine signature, whatever it says. Claims that are bytes are taken as they
    are; a key that is bytes is used for HS256, whatever it is; `header` is added to what every
    token has."""
    head = {"alg": algorithm, "typ": "JWT", **(header or {})}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{b64(json.dumps(head).encode())}.{b64(payload)}"
    if isinstance(key, bytes):
        return f"{signed}.{b64(hmac.digest(key, signed.encode(), 'sha256'))}"
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode(), key or signer(algorithm))
    return f"{signed}.{b64(signature)}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def simple_jwt(user_id: int | str, now: int = NOW, **more: object) -> dict[str, Any]:
    """The claims of Django's SimpleJWT, as its `AccessToken.for_user` makes them. Its versions from
    5.5 on write `user_id` as a string."""
    return {
        "token_type": "access",
        "exp": now + 300,
        "iat": now,
        "jti": uuid.uuid4().hex,
        "user_id": user_id,
        **more,
    }


def public(key: Key, kid: str | None = None, **more: object) -> dict[str, Any]:
    """A key as a key set publishes it."""
    jwk: dict[str, Any] = {**key.as_dict(private=False), "kid": kid, **more}
    return {name: value for name, value in jwk.items() if value is not None}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Publisher:
    """A web server on 127.0.0.1. `raw` is the whole answer, when it is not `body` with status 200;
    with `endless`, its last part is repeated as long as anybody reads. While `held`, requests
    wait."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body
        self.headers: Sequence[str] = ()
        self.raw: bytes | None = None
        self.endless = b""
        self.url = ""
        self.requests: list[str] = []
        self.asked = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def hold(self) -> None:
        self._free.clear()
        self.asked.clear()

    def release(self) -> None:
        self._free.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Publisher"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
        try:
            yield self
        finally:
            self.release()
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self.asked.set()
            await self._free.wait()
            writer.write(self._answer() if self.raw is None else self.raw)
            await writer.drain()
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
                await asyncio.sleep(0)  # draining little gives nobody else a turn
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self) -> bytes:
        length = f"Content-Length: {len(self.body)}"
        lines = ["HTTP/1.1 200 OK", "Connection: close", length, *self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body
