import re

import pytest

from hubbub.auth.codes import (
    CodeLimits,
    Codes,
    address_key,
    check_address,
    new_verification,
    verification_digest,
)
from hubbub.core.errors import Invalid, TooMany
from hubbub.logs import clean

HERE = "192.0.2.1"
A = "a@example.org"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(limits: CodeLimits, address: str, asker: str) -> int:
    with pytest.raises(TooMany) as caught:
        limits.take(address, asker)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_a_code_is_six_digits_of_which_all_occur() -> None:
    codes = [Codes("secret").new() for _ in range(2000)]
    assert all(re.fullmatch("[0-9]{6}", code) for code in codes)
    for place in range(6):
        assert {code[place] for code in codes} == set("0123456789")
    assert len(set(codes)) > 1900


def test_what_is_stored_depends_on_code_address_and_secret() -> None:
    codes = Codes("secret")
    digest = codes.digest(A, "123456")
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert digest == Codes("secret").digest("A@Example.ORG", "123456")
    others = [
        codes.digest(A, "123457"),
        codes.digest("b@example.org", "123456"),
        Codes("another").digest(A, "123456"),
    ]
    assert len({digest, *others}) == 4
    assert codes.digest(A, "\ud800") != digest


def test_a_verification_is_a_secret_that_logs_do_not_show() -> None:
    token = new_verification()
    assert token != new_verification()
    assert len(token) > 40
    assert token not in clean(f"the token {token}")
    assert verification_digest(token) == verification_digest(token)
    assert verification_digest(token) != verification_digest(token + "x")
    assert verification_digest("\ud800")


@pytest.mark.parametrize(
    "address",
    [A, "A.b+c@x.example", "o'neil@x", "a@1.2", "x" * 64 + "@example.org", "a@" + "x" * 252],
)
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert check_address(f" {address} ") == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@example.org",
        "a@",
        "a@-x",
        "a@x.",
        "a@b@c",
        "a b@example.org",
        "a,b@example.org",
        "a@example.org,b@example.org",
        "a@example.org\nBcc: b@example.org",
        "<a@example.org>",
        '"a b"@example.org',
        "a@[127.0.0.1]",
        "ä@example.org",
        "a@exämple.org",
        "\u212a@example.org",
        "a\u0000@example.org",
        "x" * 65 + "@example.org",
        "a@" + "x" * 253,
    ],
)
def test_what_could_be_another_or_several_addresses_is_none(address: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_address(address)
    assert caught.value.code == "invalid_email"


def test_case_makes_no_other_address() -> None:
    assert address_key("A@Example.ORG") == address_key(A) == A


def test_an_address_is_sent_five_codes_an_hour() -> None:
    clock = Clock()
    limits = CodeLimits(clock)
    for number in range(5):
        limits.take(A, f"192.0.2.{number}")
        clock.now += 60
    assert refused(limits, "A@EXAMPLE.org", "192.0.2.9") == 3300
    limits.take("b@example.org", "192.0.2.9")
    clock.now += 3300
    limits.take(A, HERE)


def test_an_address_is_sent_ten_codes_a_day() -> None:
    clock = Clock()
    limits = CodeLimits(clock)
    for _ in range(10):
        limits.take(A, HERE)
        clock.now += 3600
    assert refused(limits, A, HERE) == 14 * 3600
    clock.now += 14 * 3600
    limits.take(A, HERE)


def test_whoever_asks_has_twenty_an_hour_sent() -> None:
    clock = Clock()
    limits = CodeLimits(clock)
    for number in range(20):
        limits.take(f"{number}@example.org", "2001:db8::1")
    assert refused(limits, A, "2001:db8::ffff") == 3600
    limits.take(A, "2001:db8:1::1")
    clock.now += 3600
    limits.take(A, "2001:db8::1")


def test_a_refusal_counts_nothing() -> None:
    clock = Clock()
    limits = CodeLimits(clock, per_network=1)
    limits.take("b@example.org", HERE)
    for _ in range(20):
        refused(limits, A, HERE)
    for number in range(5):
        limits.take(A, f"192.0.2.{10 + number}")
    refused(limits, A, "192.0.2.20")
