"""The keys under which an external issuer signs: a shared secret, or a JSON Web Key Set (RFC 7517).

A key is good for the algorithms of its own kind and for no others, whatever a token says: that a
public key is taken for a secret (RFC 8725, 2.1) cannot come about.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_BY_CURVE = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA", "Ed25519"),
}
PUBLIC_ALGORITHMS = (*_RSA, *(name for names in _BY_CURVE.values() for name in names))
LEAST_RSA_BITS = 2048
MOST_KEYS = 64


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key, what its issuer calls it, and what it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key


class VerifyingKeys:
    """The keys that count at one time."""

    def __init__(self, keys: Sequence[VerifyingKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, algorithm: str, kid: str | None) -> bool:
        """Whether there is exactly one key that such a token can mean."""
        return self._pick(algorithm, kid) is not None

    def verify(self, algorithm: str, kid: str | None, signed: bytes, signature: bytes) -> bool:
        """Whether the one key that is meant has signed this. Raises whatever it likes for a
        signature that is none."""
        found = self._pick(algorithm, kid)
        return found is not None and JWSRegistry.algorithms[algorithm].verify(
            signed, signature, found.key
        )

    def _pick(self, algorithm: str, kid: str | None) -> VerifyingKey | None:
        """A key without a name is meant by every name, a token without one means any key: as long
        as there is no choice. Trying keys in turn would let strangers ask for work."""
        fitting = [
            key
            for key in self._keys
            if algorithm in key.algorithms and (kid is None or key.kid is None or key.kid == kid)
        ]
        return fitting[0] if len(fitting) == 1 else None


def shared_secret(secret: str) -> VerifyingKeys:
    """The one key of an issuer that shares its secret with us: at least 32 bytes, which the
    settings see to.

    Raises:
        ValueError: it is a public key.
    """
    key = OctKey.import_key(secret.encode())
    return VerifyingKeys([VerifyingKey(None, frozenset(SECRET_ALGORITHMS), key)])


def read_key_set(document: bytes) -> VerifyingKeys:
    """The signing keys of a JSON Web Key Set. What else it holds (keys for encryption, secrets,
    kinds unknown here, RSA under 2048 bits) is left out, as RFC 7517, 5 asks; of very many, the
    first 64 are taken.

    Raises:
        ValueError: it is no key set, or holds nothing that can be used.
    """
    try:
        keys = msgspec.json.decode(document)["keys"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            found = [key for each in keys[:MOST_KEYS] if (key := _usable(each)) is not None]
    except Exception:
        raise ValueError("this is no JSON Web Key Set") from None
    if not found:
        raise ValueError("the JSON Web Key Set holds no key for signatures")
    return VerifyingKeys(found)


def _usable(jwk: Mapping[str, Any]) -> VerifyingKey | None:
    try:
        if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
            return None
        key, algorithms = _import(dict(jwk))
    except Exception:
        return None
    kid, named = jwk.get("kid"), jwk.get("alg")
    allowed = frozenset(algorithms if named is None else {named} & set(algorithms))
    if not allowed or not (kid is None or isinstance(kid, str)):
        return None
    return VerifyingKey(kid, allowed, key)


def _import(jwk: dict[str, Any]) -> tuple[Key, Sequence[str]]:
    """The key and what its kind can verify; raises for all kinds that are not for this."""
    match jwk["kty"]:
        case "RSA":
            rsa = RSAKey.import_key(jwk)
            if rsa.public_key.key_size < LEAST_RSA_BITS:
                raise ValueError("too short")
            return rsa, _RSA
        case "EC":
            return ECKey.import_key(jwk), _BY_CURVE[jwk["crv"]]
        case "OKP":
            return OKPKey.import_key(jwk), _BY_CURVE[jwk["crv"]]
    raise ValueError("unknown kind")
