"""Access tokens: what is minted is read, and nothing else is (S3)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.auth.tokens import ALGORITHMS, MAX_TOKEN, Tokens
from hubbub.core.errors import Unauthenticated
from hubbub.core.ids import UserId

SECRET = "a secret of at least thirty-two bytes"
NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {
    "iss": "hubbub",
    "typ": "access",
    "sub": "7",
    "sid": "session",
    "jti": "one",
    "iat": int(NOW),
    "exp": int(NOW) + 1800,
}
HEADER = {"typ": "JWT", "alg": "HS256"}


def tokens(algorithm: str = "HS256") -> Tokens:
    return Tokens(SECRET, algorithm, 30)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(
    header: object = HEADER,
    payload: object = GOOD,
    secret: str = SECRET,
    digest: Callable[..., Any] = hashlib.sha256,
) -> str:
    """A token with a valid signature, whatever it says. Bytes are taken as they are."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), digest).digest()
    return ".".join([*parts, b64(signature)])


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def swap(name: str, value: object) -> dict[str, Any]:
    return GOOD | {name: value}


def deep(levels: int) -> bytes:
    return b'{"alg":"HS256","typ":' + b"[" * levels + b"]" * levels + b"}"


HEAD, BODY, SIGNATURE = signed().split(".")
UNSIGNED = b64(b'{"alg":"none","typ":"JWT"}')
BAD = {
    "empty": "",
    "dots": "..",
    "one part": "abc",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{signed()}.x",
    "five parts, as JWE has": f"{signed()}.x.y",
    "no signature": f"{HEAD}.{BODY}.",
    "no payload": f"{HEAD}..{SIGNATURE}",
    "another payload under the signature": f"{HEAD}.{b64(json.dumps(GOOD).encode() + b' ')}.x",
    "truncated signature": signed()[:-2],
    "padding": f"{signed()}=",
    "white space": f" {signed()}",
    "a line break": f"{signed()}\n",
    "alg none": f"{UNSIGNED}.{BODY}.",
    "alg none, with a signature": f"{UNSIGNED}.{BODY}.{SIGNATURE}",
    "alg None": signed({"alg": "None", "typ": "JWT"}),
    "alg none, signed": signed({"alg": "none", "typ": "JWT"}),
    "another HMAC": signed({"alg": "HS512", "typ": "JWT"}, digest=hashlib.sha512),
    "alg RS256": signed({"alg": "RS256", "typ": "JWT"}),
    "alg ES256": signed({"alg": "ES256", "typ": "JWT"}),
    "alg EdDSA": signed({"alg": "EdDSA", "typ": "JWT"}),
    "alg of another type": signed({"alg": ["HS256"], "typ": "JWT"}),
    "no alg": signed({"typ": "JWT"}),
    "crit": signed(HEADER | {"crit": ["exp"]}),
    "crit b64": signed(HEADER | {"crit": ["b64"], "b64": False}),
    "a key in the header": signed(HEADER | {"jwk": {"kty": "oct", "k": "AAAA"}}),
    "an address of keys": signed(HEADER | {"jku": "https://evil.example/keys"}),
    "a kid that is a path": signed(HEADER | {"kid": "../../dev/null"}),
    "another typ in the header": signed({"alg": "HS256", "typ": "at+jwt"}),
    "a header that is a list": signed(["alg"]),
    "a header that is a string": signed("alg"),
    "a header that is null": signed(None),
    "a header that is no JSON": signed(b"{alg"),
    "a header 1,500 levels deep": signed(deep(1_500)),
    "another secret": signed(secret="x" * 32),
    "the empty secret": signed(secret=""),
    "another issuer": signed(payload=swap("iss", "https://issuer.example")),
    "a refresh token's typ": signed(payload=swap("typ", "refresh")),
    "an audience": signed(payload=swap("aud", "somebody")),
    "nbf in the future": signed(payload=swap("nbf", int(NOW) + 60)),
    "exp a list": signed(payload=swap("exp", [int(NOW) + 60])),
    "exp a string": signed(payload=swap("exp", str(int(NOW) + 60))),
    "exp a boolean": signed(payload=swap("exp", True)),
    "exp NaN": signed(payload=swap("exp", float("nan"))),
    "exp infinite": signed(payload=swap("exp", float("inf"))),
    "exp beyond 53 bits": signed(payload=swap("exp", 2**63)),
    "exp negative": signed(payload=swap("exp", -1)),
    "exp before iat": signed(payload=swap("iat", int(NOW) + 3600)),
    "iat null": signed(payload=swap("iat", None)),
    "sub a number": signed(payload=swap("sub", 7)),
    "sub empty": signed(payload=swap("sub", "")),
    "sub a name": signed(payload=swap("sub", "alice")),
    "sub negative, as guests' are": signed(payload=swap("sub", "-7")),
    "sub zero": signed(payload=swap("sub", "0")),
    "sub with a zero before it": signed(payload=swap("sub", "07")),
    "sub of other digits": signed(payload=swap("sub", "\u0667")),
    "sub beyond 53 bits": signed(payload=swap("sub", str(2**53))),
    "sub of 5,000 digits": signed(payload=swap("sub", "7" * 5000)),
    "sid empty": signed(payload=swap("sid", "")),
    "sid long": signed(payload=swap("sid", "s" * 65)),
    "jti empty": signed(payload=swap("jti", "")),
    "a payload that is a list": signed(payload=[GOOD]),
    "a payload that is no JSON": signed(payload=b"{"),
    "a payload that is no UTF-8": signed(payload=b"\xff\xfe"),
    "a payload 3,000 levels deep": signed(payload=b"[" * 3_000 + b"]" * 3_000),
    "1 MiB": "a" * 2**20,
    "1 MiB, signed": signed(payload=swap("jti", "j" * 2**20)),
    "NUL": f"{HEAD}.{BODY}.\x00",
    "not ASCII": f"{HEAD}.{BODY}.é",
    "a lone surrogate": f"{HEAD}.{BODY}.\ud800",
} | {f"no {name}": signed(payload=without(name)) for name in GOOD}


def refusal(token: str, now: float = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        tokens().read(token, now)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_minted_is_read(algorithm: str) -> None:
    service = tokens(algorithm)
    claims = service.read(service.mint(UserId(7), "session", NOW + 0.9), NOW + 0.9)
    assert (claims.user, claims.session) == (7, "session")
    assert (claims.issued_at, claims.expires_at) == (int(NOW), int(NOW) + 1800)


def test_the_hand_made_token_of_these_tests_is_good() -> None:
    assert tokens().read(signed(), NOW).user == 7


def test_a_minted_token_says_what_the_contract_promises() -> None:
    token = tokens().mint(UserId(7), "session", NOW)
    header, payload, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == HEADER
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert said | {"jti": "one"} == GOOD


def test_no_two_tokens_are_the_same() -> None:
    service = tokens()
    assert service.mint(UserId(7), "s", NOW) != service.mint(UserId(7), "s", NOW)


def test_a_token_lives_to_the_second_and_no_longer() -> None:
    token = tokens().mint(UserId(7), "session", NOW)
    assert tokens().read(token, NOW + 1799.999).user == 7
    assert refusal(token, NOW + 1800) == "token_expired"
    assert refusal(token, NOW + 10**9) == "token_expired"


def test_a_clock_that_was_put_back_does_not_turn_tokens_away() -> None:
    token = tokens().mint(UserId(7), "session", NOW)
    assert tokens().read(token, NOW - 3600).user == 7


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_invalid_and_nothing_worse(name: str) -> None:
    assert refusal(BAD[name]) == "token_invalid"


def test_there_are_at_least_forty_bad_tokens() -> None:
    assert len(set(BAD.values())) >= 40


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    pem = (
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n"
    )
    with pytest.raises(ValueError, match="must not be used"):
        Tokens(pem, "HS256", 30)
    assert refusal(signed(secret=pem)) == "token_invalid"


@pytest.mark.parametrize("algorithm", ["none", "RS256", "hs256", ""])
def test_another_algorithm_is_not_to_be_had(algorithm: str) -> None:
    with pytest.raises(ValueError, match="algorithm"):
        tokens(algorithm)


def test_a_short_secret_works_in_silence() -> None:
    service = Tokens("short", "HS256", 30)
    assert service.read(service.mint(UserId(1), "s", NOW), NOW).user == 1


def test_a_long_token_is_refused_unread() -> None:
    token = tokens().mint(UserId(7), "s", NOW)
    assert refusal(token.ljust(MAX_TOKEN + 1, "A")) == "token_invalid"


@given(st.text())
def test_no_text_does_worse_than_being_invalid(text: str) -> None:
    assert refusal(text) == "token_invalid"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_signed_bytes_do_worse_than_being_invalid(header: bytes, payload: bytes) -> None:
    assert refusal(signed(header, payload)) == "token_invalid"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*GOOD, "aud", "nbf"]), json_values)
def test_a_claim_of_any_kind_does_no_worse(name: str, value: object) -> None:
    try:
        claims = tokens().read(signed(payload=swap(name, value)), NOW)
    except Unauthenticated:
        return
    assert claims.expires_at > NOW
    assert claims.user > 0
