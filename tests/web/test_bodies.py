import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.errors import BadFrame, DomainError, Invalid
from hubbub.web.bodies import MAX_DEPTH, read_json
from tests.support.app import PASSWORD, AppClient
from tests.web.asgi import ask

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc\u00e9\U0001f600"), inner),
)


@settings(deadline=None)
@given(values)
def test_what_json_can_say_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


jsonish = st.text('[]{}",:\\u0d8-1e.', max_size=60)


@settings(deadline=None)
@given(st.binary() | (st.text() | jsonish).map(str.encode))
def test_nothing_else_makes_it_fail_in_any_other_way(data: bytes) -> None:
    with contextlib.suppress(DomainError):
        read_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\x00"}',
        b'{"a": 1} {"b": 2}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        read_json(data)
    assert caught.value.code == "unreadable"


def test_nesting_ends_at_32() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    assert read_json(nested(MAX_DEPTH)) is not None
    with pytest.raises(BadFrame) as caught:
        read_json(nested(MAX_DEPTH + 1))
    assert caught.value.code == "too_deep"
    with pytest.raises(BadFrame):
        read_json(b'{"a":' * 33 + b"1" + b"}" * 33)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert read_json(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30, "9" * 5000, "-" + "1" * 18])
def test_integers_beyond_53_bits_are_refused_wherever_they_stand(number: object) -> None:
    for text in (f"{number}", f'{{"a": [{number}]}}'):
        with pytest.raises(Invalid) as caught:
            read_json(text.encode())
        assert caught.value.code == "integer_out_of_range"


@pytest.mark.parametrize(
    "text",
    [
        r'"\u0000"',
        r'{"a": ["x\u0000y"]}',
        r'{"\u0000": 1}',
        r'"\ud800"',
        r'"\udfff\ud800"',
        r'{"a": {"\udc00": 1}}',
    ],
)
def test_characters_that_cannot_be_stored_are_refused_wherever_they_stand(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_json(text.encode())
    assert caught.value.code == "invalid_body"


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_json(rb'"\ud83d\ude00"') == "\U0001f600"


def multipart(*fields: tuple[str, str], end: str = "--x--\r\n") -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, end]).encode()


LOGIN = (("username", "alice"), ("password", PASSWORD))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", ["/api/users", "/api/token", "/api/v1/channels"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b""),
        ("text/plain", b'{"username": "a"}'),
        ("", b'{"username": "a"}'),
        ("application/xml", b"<a/>"),
    ],
)
async def test_what_is_not_called_json_is_unreadable(
    alice: AppClient, path: str, kind: str, body: bytes
) -> None:
    headers = [("authorization", f"Bearer {alice.tokens['access_token']}")]
    if kind:
        headers.append(("content-type", kind))
    answer = await ask(alice.app, "POST", path, headers, body)
    assert (answer.status, answer.code) == (400, "unreadable")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", ["/api/users", "/api/v1/channels"])
async def test_a_form_is_unreadable_where_none_is_taken(alice: AppClient, path: str) -> None:
    answer = await alice.post(path, data={"username": "a", "name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", ["/api/users", "/api/token", "/api/v1/channels"])
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"{}"])
async def test_json_of_another_shape_is_readable_and_wrong(
    alice: AppClient, path: str, body: bytes
) -> None:
    headers = [
        ("authorization", f"Bearer {alice.tokens['access_token']}"),
        ("content-type", "application/json"),
    ]
    answer = await ask(alice.app, "POST", path, headers, body)
    assert (answer.status, answer.code) == (422, "invalid")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        multipart(*LOGIN, end=""),
        multipart(*LOGIN, end="--x\r\n"),
        multipart(*LOGIN, end="--y--\r\n"),
    ],
)
async def test_a_form_that_is_cut_off_is_unreadable(anyone: AppClient, body: bytes) -> None:
    kind = ("content-type", "multipart/form-data; boundary=x")
    answer = await ask(anyone.app, "POST", "/api/token", [kind], body)
    assert (answer.status, answer.code) == (400, "unreadable")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("end", ["--x--", "--x--\r\n", "--x--\r\nthe rest is ignored"])
async def test_a_whole_form_logs_in(alice: AppClient, end: str) -> None:
    kind = ("content-type", "multipart/form-data; boundary=x")
    answer = await ask(alice.app, "POST", "/api/token", [kind], multipart(*LOGIN, end=end))
    assert answer.status == 200
