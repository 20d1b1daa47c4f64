import json
from collections.abc import Iterator

import pytest

from hubbub.core import errors as core
from hubbub.web.errors import explain, internal, refusal, refuse


def tree(cls: type[core.DomainError]) -> Iterator[type[core.DomainError]]:
    for child in cls.__subclasses__():
        yield child
        yield from tree(child)


STATUSES = {
    core.Invalid: 422,
    core.BadFrame: 400,
    core.NotConnected: 422,
    core.Unauthenticated: 401,
    core.AccountGone: 401,
    core.RefreshReused: 401,
    core.Forbidden: 403,
    core.NotAMember: 403,
    core.NotFound: 404,
    core.Conflict: 409,
    core.TooMany: 429,
    core.Unavailable: 503,
}


def test_every_refusal_of_the_core_is_in_the_table() -> None:
    ours = {cls for cls in tree(core.DomainError) if cls.__module__ == core.__name__}
    assert ours == set(STATUSES)


@pytest.mark.parametrize(("cls", "status"), STATUSES.items())
def test_every_refusal_has_a_status_and_keeps_its_words(
    cls: type[core.DomainError], status: int
) -> None:
    error = cls("no such luck")
    answer = refuse(error)
    assert answer.status_code == status
    assert json.loads(bytes(answer.body)) == {"detail": error.message, "code": error.code}
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (core.TooMany("later", retry_after=30), "30"),
        (core.TooMany("later"), "1"),
        (core.TooMany("later", retry_after=0), "1"),
        (core.Unavailable("later", retry_after=2), "2"),
        (core.Unavailable("later"), None),
        (core.NotFound("never"), None),
    ],
)
def test_who_should_wait_is_told_how_long(error: core.DomainError, seconds: str | None) -> None:
    assert refuse(error).headers.get("retry-after") == seconds


def test_a_sentence_may_quote_anything() -> None:
    answer = refusal(404, "\ud800 \x00 \r\n \U0001f4a5", "not_found")
    assert json.loads(bytes(answer.body))["detail"] == "\ud800 \x00 \r\n \U0001f4a5"


def test_a_fault_of_the_server_has_fixed_words() -> None:
    assert internal().status_code == 500
    assert b"internal_error" in bytes(internal().body)


@pytest.mark.parametrize(
    ("location", "message", "sentence"),
    [
        (
            ("body", "name"),
            "Input should be a valid string",
            "name: input should be a valid string",
        ),
        (("body", "members", 3), "Value error, Not so", "members.3: not so"),
        (("query", "limit"), "Field required", "limit: field required"),
        (("username",), "Field required", "username: field required"),
    ],
)
def test_the_field_at_fault_is_named(
    location: tuple[str | int, ...], message: str, sentence: str
) -> None:
    assert explain([{"loc": location, "msg": message}]) == sentence


def test_what_may_be_one_of_several_things_is_told_all_of_them() -> None:
    errors = [
        {"loc": ("body", "user", "constrained-int"), "msg": "Input should be a valid integer"},
        {"loc": ("body", "user", "str"), "msg": "Input should be a valid string"},
        {"loc": ("body", "name"), "msg": "Field required"},
    ]
    sentence = "user: input should be a valid integer, or input should be a valid string"
    assert explain(errors) == sentence


def test_a_body_that_is_no_object_is_told_what_to_be() -> None:
    sentence = explain([{"loc": ("body",), "msg": "Input should be a valid dictionary"}])
    assert sentence == "the body must be a JSON object, sent as application/json"
