"""Tokens of an external issuer: JSON Web Tokens that the user's own backend makes and we read."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub.auth.keysets import VerifyingKeys
from hubbub.auth.tokens import ISSUER, MAX_TOKEN
from hubbub.core.errors import Unauthenticated
from hubbub.core.ids import MAX_INTEGER

LEEWAY = 30
"""Seconds by which the issuer's clock may be ahead of ours."""
MAX_SUBJECT = 255
MAX_KID = 255
NAME_CLAIMS = ("preferred_username", "username", "name", "nickname")
"""Where a name is looked for, in this order. Never in an e-mail address: names are public."""

_HEADER_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_TOKEN_TYPES = frozenset({"access", "sliding", "bearer"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token of the external issuer has to say, and where it says what we want to know.

    With `issuer` the token's `iss` has to equal it. With `audience` the token's `aud` has to hold
    it; without, a token that is meant for an audience is not meant for us (RFC 7519, 4.1.3).
    Administrators are those whose `role_claim` is true, is `admin_role` or holds it; None: nobody.
    """

    algorithms: frozenset[str]
    issuer: str | None = None
    audience: str | None = None
    subject_claim: str = "sub"
    name_claim: str | None = None
    role_claim: str | None = None
    admin_role: str = "admin"


@dataclass(frozen=True, slots=True)
class External:
    """Whom a token is about: `name` is what they would like to be called, if anything. It holds
    before `expires_at`, in seconds since 1970."""

    subject: str
    name: str | None
    admin: bool
    expires_at: float


@dataclass(frozen=True, slots=True)
class Unproven:
    """A token as it presents itself. Only which key it means may be believed before `prove`."""

    algorithm: str
    kid: str | None
    signed: bytes
    signature: bytes
    payload: bytes


def present(token: str, rules: Rules) -> Unproven:
    """Takes a token apart, and refuses what could be none of the issuer's whatever the signature:
    algorithms that are not allowed, critical extensions (`crit`), what is no token at all.

    Raises:
        Unauthenticated: `token_invalid`.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
        raise _invalid()
    try:
        head, payload, signature = token.encode().split(b".")
        header = msgspec.json.decode(_decoded(head), type=dict[str, Any])
        algorithm, kid = header["alg"], header.get("kid")
        named = kid is None or (isinstance(kid, str) and len(kid) <= MAX_KID)
        plain = "crit" not in header and "b64" not in header
        kind = header.get("typ", "JWT").lower() in _HEADER_TYPES
        if algorithm not in rules.algorithms or not (named and plain and kind):
            raise _invalid()
        return Unproven(
            algorithm, kid, head + b"." + payload, _decoded(signature), _decoded(payload)
        )
    except Unauthenticated:
        raise
    except Exception:
        # What a stranger can make parsers raise has no common ancestor.
        raise _invalid() from None


def prove(unproven: Unproven, keys: VerifyingKeys, rules: Rules, now: float) -> External:
    """Whom the token is about, if one of the issuer's `keys` has signed it and it is meant for us.

    `exp` is needed and nothing is forgiven at the end of it; `nbf` and `iat`, when they are there,
    may be up to 30 s ahead. Tokens that call themselves something else than access tokens, those
    for refreshing above all, are refused.

    Raises:
        Unauthenticated: `token_expired`, or `token_invalid` for everything else.
    """
    try:
        genuine = keys.verify(unproven.algorithm, unproven.kid, unproven.signed, unproven.signature)
        claims = msgspec.json.decode(unproven.payload, type=dict[str, Any]) if genuine else None
    except Exception:
        claims = None
    if claims is None or not _meant_for_us(claims, rules) or not _begun(claims, now):
        raise _invalid()
    subject = _subject(claims.get(rules.subject_claim))
    expires = _time(claims.get("exp"))
    if subject is None or expires is None:
        raise _invalid()
    if expires <= now:
        raise Unauthenticated("the token has expired", "token_expired")
    return External(subject, _name(claims, rules), _administers(claims, rules), expires)


def _meant_for_us(claims: Mapping[str, Any], rules: Rules) -> bool:
    issuer, audience = claims.get("iss"), claims.get("aud")
    if issuer == ISSUER or (rules.issuer is not None and issuer != rules.issuer):
        return False
    if rules.audience is None:
        if audience is not None:
            return False
    elif rules.audience not in (audience if isinstance(audience, list) else [audience]):
        return False
    kinds = [claims[name] for name in ("token_type", "typ") if name in claims]
    return all(isinstance(kind, str) and kind.lower() in _TOKEN_TYPES for kind in kinds)


def _begun(claims: Mapping[str, Any], now: float) -> bool:
    times = [_time(claims[name]) for name in ("nbf", "iat") if name in claims]
    return all(time is not None and time <= now + LEEWAY for time in times)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= MAX_INTEGER else None


def _subject(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT and value.isprintable():
        return value
    return None


def _name(claims: Mapping[str, Any], rules: Rules) -> str | None:
    for claim in NAME_CLAIMS if rules.name_claim is None else (rules.name_claim,):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _administers(claims: Mapping[str, Any], rules: Rules) -> bool:
    if rules.role_claim is None:
        return False
    role = claims.get(rules.role_claim)
    return role is True or rules.admin_role in (role if isinstance(role, list) else [role])


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _invalid() -> Unauthenticated:
    return Unauthenticated("the token is not valid", "token_invalid")
