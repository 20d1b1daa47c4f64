"""Keys of an external issuer: each for the algorithms of its own kind, when it is meant."""

import base64
import json

import pytest
from joserfc.jwk import ECKey, OKPKey

from hubbub import keys as settings_keys
from hubbub.auth.keysets import (
    MOST_KEYS,
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    VerifyingKeys,
    read_key_set,
    shared_secret,
)
from tests.support.issuer import (
    EC,
    ED25519,
    OTHER_RSA,
    RSA,
    SECRET,
    SHARED,
    SHORT_RSA,
    key_set,
    public,
    token,
)

ALL = key_set(
    public(RSA, "rsa"), public(ED25519, "ed"), *(public(key, name) for name, key in EC.items())
)
KIDS = dict.fromkeys(PUBLIC_ALGORITHMS, "rsa") | {name: name for name in EC}
KIDS |= {"EdDSA": "ed", "Ed25519": "ed"}


def signed(algorithm: str, text: str = "x") -> tuple[bytes, bytes]:
    """What a token signs, and the signature."""
    made, _, signature = token({"x": text}, algorithm).rpartition(".")
    return made.encode(), base64.urlsafe_b64decode(signature + "==")


def good_for(keys: VerifyingKeys, kid: str | None = None) -> set[str]:
    return {name for name in (*SECRET_ALGORITHMS, *PUBLIC_ALGORITHMS) if keys.has(name, kid)}


@pytest.mark.parametrize("algorithm", PUBLIC_ALGORITHMS)
def test_every_algorithm_is_verified_with_a_real_key(algorithm: str) -> None:
    keys = read_key_set(ALL)
    content, signature = signed(algorithm)
    assert keys.verify(algorithm, KIDS[algorithm], content, signature)
    assert not keys.verify(algorithm, KIDS[algorithm], content + b"x", signature)
    assert not keys.verify(algorithm, "unknown", content, signature)


@pytest.mark.parametrize("algorithm", SECRET_ALGORITHMS)
def test_a_shared_secret_is_good_for_hmac_alone_whatever_the_key_is_called(algorithm: str) -> None:
    keys = shared_secret(SECRET)
    content, signature = signed(algorithm)
    assert keys.verify(algorithm, None, content, signature)
    assert keys.verify(algorithm, "some name", content, signature)
    assert not shared_secret(SECRET + "x").verify(algorithm, None, content, signature)
    assert good_for(keys) == set(SECRET_ALGORITHMS)


def test_a_secret_is_what_it_is_whatever_it_looks_like() -> None:
    pem = RSA.as_pem(private=False).decode()
    with pytest.raises(ValueError, match="public keys"):
        shared_secret(pem)


def test_each_kind_of_key_is_good_for_its_own_algorithms() -> None:
    rsa = {name for name in PUBLIC_ALGORITHMS if name[0] in "RP"}
    assert good_for(read_key_set(key_set(public(RSA)))) == rsa
    for name, key in EC.items():
        assert good_for(read_key_set(key_set(public(key)))) == {name}
    assert good_for(read_key_set(key_set(public(ED25519)))) == {"EdDSA", "Ed25519"}


def test_a_key_that_names_its_algorithm_is_good_for_no_other() -> None:
    assert good_for(read_key_set(key_set(public(RSA, alg="PS256")))) == {"PS256"}


def test_a_token_without_a_name_of_a_key_means_the_only_one_that_fits() -> None:
    two = read_key_set(key_set(public(RSA, "one"), public(OTHER_RSA, "two"), public(ED25519, "ed")))
    assert good_for(two) == {"EdDSA", "Ed25519"}
    assert "RS256" in good_for(two, "one")
    assert not good_for(two, "three")
    assert "RS256" in good_for(read_key_set(key_set(public(RSA))), "any name")


UNUSABLE = {
    "a secret": {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "s"},
    "a secret that says it is RSA's": {**SHARED.as_dict(private=True), "alg": "RS256"},
    "for encryption": public(RSA, "e", use="enc"),
    "not for verifying": public(RSA, "e", key_ops=["encrypt"]),
    "RSA of 1024 bits": public(SHORT_RSA, "short"),
    "an algorithm of another kind": public(RSA, "r", alg="HS256"),
    "no algorithm": public(RSA, "r", alg="none"),
    "an algorithm that is a list": public(RSA, "r", alg=["RS256"]),
    "a curve for agreeing": public(OKPKey.generate_key("X25519"), "x"),
    "a curve of another world": public(ECKey.generate_key("secp256k1"), "k"),
    "a kind unknown here": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    "no kind": {"kid": "x"},
    "half a key": {"kty": "RSA", "n": "AQAB"},
    "a point that is on no curve": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    "a name that is a number": public(RSA, "r") | {"kid": 7},
    "no object": "key",
    "null": None,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_left_out(name: str) -> None:
    document = json.dumps({"keys": [UNUSABLE[name], public(ED25519, "ed")]}).encode()
    keys = read_key_set(document)
    assert len(keys) == 1
    assert good_for(keys) == {"EdDSA", "Ed25519"}
    with pytest.raises(ValueError, match="no key for signatures"):
        read_key_set(json.dumps({"keys": [UNUSABLE[name]]}).encode())


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"null", b"{}", b'{"keys": 7}', b'{"keys": {"a": 1}}', b"\xff", b"<html>",
     b'{"keys": ' + b"[" * 5000 + b"]" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="JSON Web Key Set"):
        read_key_set(document)


def test_of_very_many_keys_the_first_are_taken() -> None:
    many = [public(ED25519, str(number)) for number in range(MOST_KEYS + 1)]
    keys = read_key_set(key_set(*many))
    assert len(keys) == MOST_KEYS
    assert keys.has("EdDSA", str(MOST_KEYS - 1))
    assert not keys.has("EdDSA", str(MOST_KEYS))


def test_the_settings_know_the_same_algorithms() -> None:
    assert settings_keys.SECRET_ALGORITHMS == SECRET_ALGORITHMS
    assert settings_keys.PUBLIC_ALGORITHMS == PUBLIC_ALGORITHMS
