"""Tokens of an external issuer: what is genuine and meant for us counts, nothing else (S3)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.auth.external import LEEWAY, External, Rules, present, prove
from hubbub.auth.keysets import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS, VerifyingKeys, read_key_set
from hubbub.auth.keysets import shared_secret as shared
from hubbub.auth.tokens import MAX_TOKEN, Tokens
from hubbub.core.errors import Unauthenticated
from hubbub.core.ids import MAX_INTEGER, UserId
from tests.support.issuer import (
    EC,
    ED25519,
    NOW,
    OTHER_RSA,
    RSA,
    SECRET,
    b64,
    key_set,
    public,
    signer,
    simple_jwt,
    token,
)

HMAC = Rules(frozenset(SECRET_ALGORITHMS))
PUBLIC = Rules(frozenset(PUBLIC_ALGORITHMS))
GOOD: dict[str, Any] = {"sub": "u-1", "exp": NOW + 300, "iat": NOW}
KEYS = shared(SECRET)
PUBLISHED = read_key_set(
    key_set(public(RSA, "rsa"), public(EC["ES256"], "ec"), public(ED25519, "ed"))
)


def read(made: str, rules: Rules = HMAC, keys: VerifyingKeys = KEYS, now: float = NOW) -> External:
    return prove(present(made, rules), keys, rules, now)


def refused(made: str, rules: Rules = HMAC, keys: VerifyingKeys = KEYS) -> str:
    with pytest.raises(Unauthenticated) as caught:
        read(made, rules, keys)
    assert type(caught.value) is Unauthenticated
    return caught.value.code


def says(rules: Rules = HMAC, **claims: object) -> External:
    return read(token({**GOOD, **claims}), rules)


def refuses(rules: Rules = HMAC, **claims: object) -> bool:
    return refused(token({**GOOD, **claims}), rules) == "token_invalid"


@pytest.mark.parametrize("user_id", [7, "7"])
def test_a_token_of_simple_jwt_is_about_its_user_id(user_id: int | str) -> None:
    rules = Rules(frozenset({"HS256"}), subject_claim="user_id")
    assert read(token(simple_jwt(user_id)), rules) == External("7", None, False, NOW + 300)


@pytest.mark.parametrize("algorithm", SECRET_ALGORITHMS)
def test_every_algorithm_of_a_secret_is_read(algorithm: str) -> None:
    assert read(token(GOOD, algorithm)).subject == "u-1"


@pytest.mark.parametrize(
    ("algorithm", "kid"),
    [("RS256", "rsa"), ("PS512", "rsa"), ("ES256", "ec"), ("EdDSA", "ed"), ("Ed25519", "ed")],
)
def test_every_kind_of_published_key_is_read(algorithm: str, kid: str) -> None:
    made = token(GOOD, algorithm, header={"kid": kid})
    assert read(made, PUBLIC, PUBLISHED).subject == "u-1"
    assert read(token(GOOD, algorithm), PUBLIC, PUBLISHED).subject == "u-1"


def test_headers_that_say_more_than_they_need_are_read() -> None:
    chain = {"x5t": "AAAA", "x5c": ["A" * 1500], "nonce": "n", "typ": "at+JWT"}
    assert read(token(GOOD, header=chain)).subject == "u-1"
    assert read(token(GOOD, header={"jku": "https://evil.example", "jwk": {"kty": "oct"}}))


def confusions() -> dict[str, str]:
    """A public key used as a secret, in every form in which it might be at hand."""
    forms = {
        "PEM": RSA.as_pem(private=False),
        "DER": RSA.as_der(private=False),
        "JWK": json.dumps(public(RSA, "rsa")).encode(),
        "modulus": str(public(RSA)["n"]).encode(),
    }
    return {form: token(GOOD, "HS256", key, {"kid": "rsa"}) for form, key in forms.items()}


CONFUSIONS = confusions()


@pytest.mark.parametrize("form", CONFUSIONS)
def test_a_public_key_is_never_a_secret(form: str) -> None:
    assert refused(CONFUSIONS[form], PUBLIC, PUBLISHED) == "token_invalid"
    both = Rules(PUBLIC.algorithms | HMAC.algorithms)
    assert refused(CONFUSIONS[form], both, PUBLISHED) == "token_invalid"


def test_a_key_of_one_kind_is_not_used_for_another() -> None:
    for algorithm, kid in (("RS256", "ec"), ("ES256", "rsa"), ("EdDSA", "rsa"), ("RS256", "ed")):
        made = token(GOOD, algorithm, header={"kid": kid})
        assert refused(made, PUBLIC, PUBLISHED) == "token_invalid"


def test_an_algorithm_has_to_be_allowed() -> None:
    rules = Rules(frozenset({"ES256"}))
    assert refused(token(GOOD, "RS256"), rules, PUBLISHED) == "token_invalid"
    assert read(token(GOOD, "ES256"), rules, PUBLISHED).subject == "u-1"


HEAD, BODY, SIGNATURE = token(GOOD).split(".")


def unsigned(algorithm: object, signature: str = "") -> str:
    return f"{b64(json.dumps({'alg': algorithm}).encode())}.{BODY}.{signature}"


BAD = {
    "empty": "",
    "dots": "..",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{token(GOOD)}.x",
    "no signature": f"{HEAD}.{BODY}.",
    "cut off": token(GOOD)[:-4],
    "another payload": f"{HEAD}.{b64(json.dumps(GOOD | {'sub': 'u-2'}).encode())}.{SIGNATURE}",
    "not ASCII": token(GOOD) + "é",
    "a lone surrogate": token(GOOD) + "\ud800",
    "too long": token(GOOD | {"x": "x" * MAX_TOKEN}),
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg NONE, with a signature": unsigned("NONE", SIGNATURE),
    "alg empty": unsigned(""),
    "alg a list": unsigned(["HS256"]),
    "alg null": unsigned(None),
    "alg in lower case": unsigned("hs256", SIGNATURE),
    "no alg": f"{b64(b'{}')}.{BODY}.{SIGNATURE}",
    "crit": token(GOOD, header={"crit": ["exp"]}),
    "crit empty": token(GOOD, header={"crit": []}),
    "b64": token(GOOD, header={"b64": False}),
    "a kid that is a number": token(GOOD, header={"kid": 7}),
    "a kid without end": token(GOOD, header={"kid": "k" * 256}),
    "a typ of another kind": token(GOOD, header={"typ": "logout+jwt"}),
    "a typ that is a number": token(GOOD, header={"typ": 7}),
    "a header that is a list": f"{b64(b'[]')}.{BODY}.{SIGNATURE}",
    "a header without end": f"{b64(b'[' * 4000)}.{BODY}.{SIGNATURE}",
    "another secret": token(GOOD, key=b"x" * 40),
    "claims that are a list": token([1]),
    "claims that are null": token(None),
    "claims that are no JSON": token(b"{"),
    "claims that are no text": token(b"\xff"),
    "claims nested without end": token(b'{"a":' * 1000),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_token_of_the_issuer_is_refused(name: str) -> None:
    assert refused(BAD[name]) == "token_invalid"


@given(st.text() | st.binary().map(lambda data: f"{b64(data)}.{BODY}.{SIGNATURE}"))
def test_nothing_a_stranger_sends_raises_anything_else(made: str) -> None:
    assert refused(made) == "token_invalid"


CLAIMS = st.sampled_from([*GOOD, "aud", "nbf", "typ", "token_type"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(CLAIMS, VALUES | st.lists(VALUES)))
def test_no_claim_raises_anything_else(claims: dict[str, Any]) -> None:
    try:
        read(token(GOOD | claims))
    except Unauthenticated:
        pass


def test_a_token_needs_an_end_and_nothing_is_forgiven_at_it() -> None:
    assert refused(token({"sub": "u-1"})) == "token_invalid"
    assert refused(token(GOOD | {"exp": NOW})) == "token_expired"
    assert refused(token(GOOD | {"exp": NOW + 0.5 - 1})) == "token_expired"
    assert says(exp=NOW + 0.5).expires_at == NOW + 0.5
    for end in (str(NOW + 9), True, None, [NOW + 9], -1, MAX_INTEGER + 1, 2**70, 1e300):
        assert refuses(exp=end), end


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_the_issuers_clock_may_be_a_little_ahead(claim: str) -> None:
    assert says(**{claim: NOW + LEEWAY})
    assert refuses(**{claim: NOW + LEEWAY + 1})
    for time in (str(NOW), None, True, [NOW], -1):
        assert refuses(**{claim: time}), time


def test_a_token_under_a_forged_signature_is_never_told_to_be_merely_old() -> None:
    forged = token(GOOD | {"exp": NOW - 9}, key=b"x" * 40)
    assert refused(forged) == "token_invalid"


def test_the_issuer_is_compared_when_the_settings_name_one() -> None:
    rules = Rules(frozenset({"HS256"}), issuer="https://issuer.example")
    assert says(rules, iss="https://issuer.example")
    for issuer in ("https://issuer.example/", "other", None, ["https://issuer.example"]):
        assert refuses(rules, iss=issuer), issuer
    assert refused(token(GOOD), rules) == "token_invalid"
    assert says(iss="anybody")


def test_nobody_else_signs_in_our_name() -> None:
    assert refuses(iss="hubbub")
    ours = Tokens(SECRET, "HS256", 30).mint(UserId(1), "session", NOW)
    assert refused(ours) == "token_invalid"


def test_an_audience_has_to_be_ours() -> None:
    rules = Rules(frozenset({"HS256"}), audience="chat")
    assert says(rules, aud="chat")
    assert says(rules, aud=["shop", "chat"])
    for audience in ("shop", ["shop"], [], None, "chat room", {"chat": 1}, 7):
        assert refuses(rules, aud=audience), audience
    assert refused(token(GOOD), rules) == "token_invalid"


def test_without_an_audience_of_ours_a_token_for_an_audience_is_for_somebody_else() -> None:
    assert refuses(aud="chat")
    assert refuses(aud=["chat"])


@pytest.mark.parametrize("claim", ["token_type", "typ"])
def test_a_token_for_something_else_than_access_opens_nothing(claim: str) -> None:
    for kind in ("refresh", "Refresh", "ID", "password_reset", "", None, 7, ["access"]):
        assert refuses(**{claim: kind}), kind
    for kind in ("access", "Bearer", "sliding"):
        assert says(**{claim: kind}), kind


def test_the_refresh_token_of_simple_jwt_opens_nothing() -> None:
    rules = Rules(frozenset({"HS256"}), subject_claim="user_id")
    assert refused(token(simple_jwt(7, token_type="refresh")), rules) == "token_invalid"


@pytest.mark.parametrize(
    ("claim", "subject"),
    [("a", "a"), (7, "7"), (0, "0"), (-5, "-5"), (2**60, str(2**60)), ("Ä b", "Ä b"),
     ("x" * 255, "x" * 255)],
)  # fmt: skip
def test_a_subject_is_text_to_the_letter_or_a_number(claim: object, subject: str) -> None:
    assert says(sub=claim).subject == subject


@pytest.mark.parametrize(
    "claim", ["", "x" * 256, "a\nb", "a\u0000", "\u200b", None, True, 7.0, 1.5, [7], {"id": 7}]
)
def test_what_is_no_subject_is_refused(claim: object) -> None:
    assert refuses(sub=claim)


def test_a_token_without_the_claim_that_names_people_is_refused() -> None:
    rules = Rules(frozenset({"HS256"}), subject_claim="user_id")
    assert refused(token(GOOD), rules) == "token_invalid"


def test_a_name_is_taken_from_the_first_claim_that_has_one() -> None:
    assert says().name is None
    assert says(name="Alice A.", nickname="al").name == "Alice A."
    assert says(preferred_username=" ", username="alice", name="Alice A.").name == "alice"
    assert says(preferred_username=7, email="alice@example.com").name is None
    rules = Rules(frozenset({"HS256"}), name_claim="login")
    assert says(rules, preferred_username="alice", login="al").name == "al"
    assert says(rules, preferred_username="alice").name is None


@pytest.mark.parametrize(
    ("role", "administers"),
    [(True, True), ("staff", True), (["user", "staff"], True), (False, False), ("admin", False),
     ("staff2", False), ([], False), (1, False), (None, False), ({"staff": True}, False),
     (["staff2", True], False)],
)  # fmt: skip
def test_a_role_makes_an_administrator_when_the_settings_say_so(
    role: object, administers: bool
) -> None:
    rules = Rules(frozenset({"HS256"}), role_claim="roles", admin_role="staff")
    assert says(rules, roles=role).admin is administers
    assert not says(roles=role).admin
    assert not says(rules, is_admin=True).admin


def test_the_key_of_somebody_else_under_the_same_name_is_refused() -> None:
    made = token(GOOD, "RS256", OTHER_RSA, {"kid": "rsa"})
    assert refused(made, PUBLIC, PUBLISHED) == "token_invalid"
    assert signer("RS256") is RSA
