"""Access tokens: JSON Web Tokens (RFC 7519) that only this server makes and reads."""

import secrets
import warnings
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
            signed = jws.deserialize_compact(token, self._key, registry=self._registry)
            said = self._decoder.decode(signed.payload or b"")
        except Exception:
            # The header is parsed before the signature is checked, and what a stranger can make
            # the parsers raise (RecursionError, AttributeError, …) has no common ancestor.
            raise _invalid() from None
        ours = said.iss == ISSUER and said.typ == "access" and signed.protected == self._header
        if not ours or not 0 < len(said.sid) <= MAX_SESSION or not said.jti:
            raise _invalid()
        if not said.sub.isdigit() or said.sub[0] == "0" or len(said.sub) > 16:
            raise _invalid()
        user = int(said.sub)
        if user > MAX_INTEGER or not 0 <= said.iat < said.exp <= MAX_INTEGER:
            raise _invalid()
        return Claims(UserId(user), said.sid, said.exp, said.iat, said.jti)


def _invalid() -> Unauthenticated:
    return Unauthenticated("the token is not valid", "token_invalid")
