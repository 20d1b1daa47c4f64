"""Access tokens: JSON Web Tokens (RFC 7519) that only this server makes and reads."""

import hmac
import re
import secrets
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import msgspec
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey

from hubbub.core.errors import Unauthenticated
from hubbub.core.ids import MAX_INTEGER, UserId, Who

ISSUER = "hubbub"
ALGORITHMS = ("HS256", "HS384", "HS512")
MAX_TOKEN = 8 * 1024
MAX_SESSION = 64
_SUBJECT = re.compile("[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose it is, of which login, from when until when (seconds since 1970),
    and what this one token is called."""

    user: UserId
    session: str
    expires_at: int
    issued_at: int
    jti: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who proved who they are. The proof holds before `expires_at`, in seconds since
    1970."""

    who: Who
    expires_at: float


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    iss: str
    typ: str
    sub: str
    sid: str
    jti: str
    iat: int
    exp: int


class Tokens:
    """Makes and reads access tokens, all under one key and one algorithm.

    A token that says anything we never say, an audience or a `nbf` for example, is none of ours.
    """

    def __init__(self, secret: str, algorithm: str, minutes: int) -> None:
        """`secret` is at least 32 bytes, which the settings see to; tokens live `minutes`.

        Raises:
            ValueError: for an algorithm that is not one of `ALGORITHMS`.
        """
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            self._key = OctKey.import_key(secret)
        self._header = {"typ": "JWT", "alg": algorithm}
        self._registry = jws.JWSRegistry(algorithms=[algorithm])
        self._decoder = msgspec.json.Decoder(_Payload)
        self._secret = secret.encode()
        self._digest = algorithm.replace("HS", "sha")
        # How a token of this server begins, whatever it says.
        head = jws.serialize_compact(self._header, b"", self._key, registry=self._registry)
        self._prefix = head[: head.index(".") + 1]
        self.lifetime = minutes * 60

    def mint(self, user: UserId, session: str, now: float) -> str:
        """A token for a login, good for `lifetime` seconds from `now`."""
        issued = int(now)
        payload = _Payload(
            iss=ISSUER,
            typ="access",
            sub=str(user),
            sid=session,
            jti=secrets.token_urlsafe(12),
            iat=issued,
            exp=issued + self.lifetime,
        )
        return jws.serialize_compact(
            self._header, msgspec.json.encode(payload), self._key, registry=self._registry
        )

    def read(self, token: str, now: float) -> Claims:
        """What a token of ours says, whoever sent it and whatever it is.

        Nothing is forgiven at the end of its life. When it was issued is not compared with the
        clock: a clock that is put back must not turn away what was made a moment ago.

        Raises:
            Unauthenticated: `token_expired`, or `token_invalid` for everything else.
        """
        claims = self._claims(token)
        if claims.expires_at <= now:
            raise Unauthenticated("the token has expired", "token_expired")
        return claims

    def _claims(self, token: str) -> Claims:
        if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
            raise _invalid()
        try:
            said = self._decoder.decode(self._signed(token))
        except Exception:
            # The header is parsed before the signature is checked, and what a stranger can make
            # the parsers raise (RecursionError, AttributeError, …) has no common ancestor.
            raise _invalid() from None
        ours = said.iss == ISSUER and said.typ == "access"
        named = 0 < len(said.sid) <= MAX_SESSION and said.jti and _SUBJECT.fullmatch(said.sub)
        if not ours or not named or not 0 <= said.iat < said.exp <= MAX_INTEGER:
            raise _invalid()
        user = int(said.sub)
        if user > MAX_INTEGER:
            raise _invalid()
        return Claims(UserId(user), said.sid, said.exp, said.iat, said.jti)

    def _signed(self, token: str) -> bytes:
        """The payload of a token under our key and header; raises whatever it likes for others.

        Every socket that connects comes through here. A token whose header is, to the letter, the
        one this server writes leaves nothing to negotiate: its signature is an HMAC (RFC 7515,
        A.1), computed at a twentieth of what a general reader costs.
        """
        if not token.startswith(self._prefix):
            read = jws.deserialize_compact(token, self._key, registry=self._registry)
            if read.protected != self._header:
                raise ValueError("a header of somebody else")
            return read.payload or b""
        signed, _, signature = token.encode().rpartition(b".")
        digest = hmac.digest(self._secret, signed, self._digest)
        if not hmac.compare_digest(urlsafe_b64encode(digest).rstrip(b"="), signature):
            raise ValueError("not signed with this key")
        payload = signed[len(self._prefix) :]
        return urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def _invalid() -> Unauthenticated:
    return Unauthenticated("the token is not valid", "token_invalid")
