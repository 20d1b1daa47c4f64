"""Nothing a client sends gives a 5xx, and every refusal has the one shape."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.app import AppClient
from tests.web.asgi import Answer, Pairs, ask
from tests.web.routes import Route, routes

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.system]

ROUTES = routes()
JSON = ("content-type", "application/json")

VALID: dict[str, Any] = {
    "username": "nemo",
    "password": "not the password",
    "name": "x",
    "title": "x",
    "kind": "room",
    "content": "x",
    "refresh_token": "hbr_x",
    "current_password": "not the password",
    "new_password": "12345678",
    "disabled": False,
    "role": "member",
    "email": "nemo@example.org",
    "otp": "123456",
    "verification_token": "hbv_x",
}
"""A value for each field that has to be there: hostile ones take turns among them."""

VALUES = [
    "null", "true", "0", "-1", "1.5", "1e999", str(2**53), str(-(2**63)), "9" * 4400, "NaN",
    '""', '"x"', r'"\u0000"', r'"\ud800"', r'"\udc00\ud800"', '"\u202e\u2028\U0001f4a5"', '"\x00"',
    '"' + "x" * 5000 + '"', "[]", "[[]]", "[null]", '["nobody"]', "[1, true, {}]", "{}",
    '{"$ne": null}', "[" * 40 + "]" * 40, '{"a":' * 33 + "1" + "}" * 33,
    '"\'; DROP TABLE users; --"', '"%s%n{0}${x}"', '"../../etc/passwd"', '"\\r\\nX: y"',
]  # fmt: skip

SEGMENTS = [
    "0", "-1", "1", "00000000000000000000001", str(2**53), str(2**63), "9" * 5000, "1.5", "1e9",
    "%D9%A1", "%C2%B2", "null", "%00", "a%00b", "%ff%fe", "%ed%a0%80", "%0d%0aSet-Cookie:x=y",
    "..%2f..%2fetc", "%2e%2e", "%25", "%", "%zz", " ", "%F0%9F%92%A5", "x" * 8000, "auth", "v1",
    "'%20OR%201=1--", "{channel}", "[1]", "~._-",
]  # fmt: skip

QUERY_VALUES = ["", "0", "-1", "x", "1e3", "1.0", "1_0", "9" * 5000, "%00", "%ff", "%ed%a0%80",
                "true", "null", "[]", "50&{}=x", "%D9%A1"]  # fmt: skip

BODIES: list[tuple[str, bytes]] = [
    ("application/json", b""),
    ("application/json", b"{"),
    ("application/json", b"null"),
    ("application/json", b"[]"),
    ("application/json", b'"x"'),
    ("application/json", b"1"),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", b"\xef\xbb\xbf{}"),
    ("application/json", b"[" * 200_000),
    ("application/json", b'{"a":' * 50_000),
    ("application/json", b'{"content": "x", "content": 1, "name": "x", "name": {}}'),
    ("application/json; charset=utf-16", '{"content": "x"}'.encode("utf-16")),
    ("application/json; charset=nonsense", b"{}"),
    ("application/vnd.api+json", b"{"),
    ("application/problem+json", rb'{"\ud800": "\u0000"}'),
    ("", b"{}"),
    ("text/plain", b"{}"),
    ("text/html; charset=\xff", b"<x>"),
    (";;;=,", b"{}"),
    ("application/xml", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///'>]>"),
    ("application/x-www-form-urlencoded", b"%"),
    ("application/x-www-form-urlencoded", b"username=%zz&password=%ff%fe&=&&&"),
    ("application/x-www-form-urlencoded", b"username=alice&username=%00&password="),
    ("application/x-www-form-urlencoded", b"\x00\xff\xfe"),
    ("application/x-www-form-urlencoded", b"a=b&" * 5000),
    ("application/x-www-form-urlencoded", b"a" * 100_000),
    ("multipart/form-data", b"--x"),
    ("multipart/form-data; boundary=", b"--"),
    ("multipart/form-data; boundary=\xff", b"--\xff\r\n"),
    ("multipart/form-data; boundary=" + "x" * 5000, b"--" + b"x" * 5000),
    ("multipart/form-data; boundary=x", b""),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--"),
    ("multipart/form-data; boundary=x", b"--x\r\n\xff: \x00\r\n\r\nv"),
    ("multipart/form-data; boundary=x; charset=nonsense",
     b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n\xff\r\n--x--'),
    ("multipart/form-data; boundary=x",
     b'--x\r\nContent-Disposition: form-data; name="username"; filename="../x"\r\n\r\nv\r\n--x--'),
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: " + b"b" * 100_000),
]  # fmt: skip

HEADERS: list[list[tuple[str, str]]] = [
    [("authorization", "")],
    [("authorization", "Bearer \xff\xfe")],
    [("authorization", "Bearer " + "x" * 100_000)],
    [("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")],
    [("authorization", "Basic \x00"), ("authorization", "Bearer x")],
    [("cookie", "hubbub_refresh=\xff; =; ;;; hubbub_refresh")],
    [("cookie", 'hubbub_refresh="\\777\\xff"; ' + "a=b; " * 1000)],
    [("cookie", "hubbub_verification=\xff; hubbub_verification=\x00")],
    [("content-length", "x")],
    [("content-length", "-1")],
    [("content-length", "9" * 5000)],
    [("origin", "\xff")],
    [("origin", "null"), ("origin", "http://127.0.0.1:8000")],
    [("origin", "http://127.0.0.1:8000"), ("access-control-request-method", "\xff")],
    [("host", "\xff")],
    [("host", "a"), ("host", "b")],
    [("host", "[::1"), ("origin", "http://[::1")],
    [("accept", "text/html;q=" + "9" * 5000 + ",;;q=,*/\xff")],
    [("x-forwarded-for", "\xff"), ("forwarded", 'for="_x')],
    [("if-none-match", "\xff"), ("range", "bytes=0-,-1,x-"), ("expect", "\xff")],
]


def check(answer: Answer) -> None:
    assert answer.status < 500, (answer.status, answer.body)
    if answer.status >= 400:
        assert answer.code
        assert "Traceback" not in str(answer.json)
    if answer.status == 401:
        assert answer.header("www-authenticate")


def field_bodies(route: Route) -> Iterator[bytes]:
    """A valid body with each field in turn replaced by each hostile value."""
    valid = {name: json.dumps(VALID[name]) for name in route.fields if name in VALID}
    for field in route.fields:
        for value in VALUES:
            members = ", ".join(f'"{k}": {v}' for k, v in (valid | {field: value}).items())
            yield f"{{{members}}}".encode()


@pytest.mark.parametrize("who", ["nobody", "somebody"])
@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_hostile_requests_are_refused_in_words(
    anyone: AppClient, root: AppClient, route: Route, who: str
) -> None:
    login: Pairs = []
    named: dict[str, object] = {}
    if who == "somebody":
        # Somebody new: what succeeds by chance harms none of the others.
        victim = await anyone.register(f"victim-{ROUTES.index(route)}")
        caller = root if "/admin/" in route.path else victim
        login = [("authorization", f"Bearer {caller.tokens['access_token']}")]
        channel = await victim.channel()
        named = {"channel": channel, "room_id": channel, "conversation_id": channel}
        named |= {"username": victim.name, "user_id": victim.id, "session": "x"}

    async def send(target: str, headers: Pairs = (), body: bytes = b"") -> None:
        check(await ask(anyone.app, route.method, target, [*login, *headers], body))

    valid = json.dumps({name: VALID[name] for name in route.fields if name in VALID}).encode()
    good = route.at("x", **named)
    for segment in SEGMENTS:
        await send(route.at(segment), [JSON], valid)
        await send(f"{good}/{segment}")
    for query in route.queries:
        for value in QUERY_VALUES:
            await send(f"{good}?{query}={value}", [JSON], valid)
    for headers in HEADERS:
        await send(good, [JSON, *headers], valid)
    for kind, body in BODIES:
        await send(good, [("content-type", kind)], body)
    # Behind a missing token no field is looked at.
    if login or "security" not in route.operation:
        for body in field_bodies(route):
            await send(good, [JSON], body)


@pytest.mark.parametrize("method", ["BREW", "TRACE", "CONNECT", "OPTIONS", "get", "", "\u00e9"])
async def test_strange_methods_are_refused_in_words(anyone: AppClient, method: str) -> None:
    for route in ROUTES:
        check(await ask(anyone.app, method, route.at(1)))
    for path in ("/docs", "/openapi.json", "/static/index.html", "/nothing"):
        check(await ask(anyone.app, method, path))


@pytest.mark.parametrize("path", ["/static/{}", "/docs/{}", "/{}", "/api/{}", "/static/js/{}"])
async def test_strange_paths_are_refused_in_words(anyone: AppClient, path: str) -> None:
    for segment in SEGMENTS:
        for method in ("GET", "POST"):
            check(await ask(anyone.app, method, path.format(segment)))
