import logging
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hubbub.web.middleware import (
    CSP,
    DOCS_CSP,
    BodyLimit,
    Failsafe,
    HeadAsGet,
    LoopbackGuard,
    OriginGuard,
    Origins,
    PathNormaliser,
    SecurityHeaders,
    from_loopback,
    normalise,
)
from tests.web.asgi import ask, http_scope

OWN = [("host", "chat.example.com")]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path and the length of the body it read."""
    body = await Request(scope, receive).body()
    await Response(f"{scope['path']} {len(body)}")(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the password is TopSecret")


def origin_scope(origin: str, host: str = "chat.example.com", scheme: str = "https") -> Scope:
    return http_scope("POST", "/", [("host", host), ("origin", origin)], scheme=scheme)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/api/rooms", "/api/rooms"),
        ("/api/rooms/", "/api/rooms"),
        ("/api/rooms//", "/api/rooms/"),
        ("/ws/room/1/", "/ws/room/1"),
        ("/static/chat.html/", "/static/chat.html/"),
        ("/static/js/", "/static/js/"),
        ("/docs/", "/docs"),
        ("", ""),
    ],
)
def test_a_path_loses_one_last_slash_unless_it_is_the_root_or_a_file(
    path: str, expected: str
) -> None:
    assert normalise(path) == expected


async def test_a_route_sees_its_path_without_the_slash() -> None:
    assert (await ask(PathNormaliser(echo), "GET", "/api/rooms/")).body == b"/api/rooms 0"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"],
)
def test_this_machine_is_let_in(peer: str, host: str) -> None:
    assert from_loopback(http_scope("GET", "/", [("host", host)], client=(peer, 1)))


@pytest.mark.parametrize("peer", ["192.168.1.7", "10.0.0.1", "::2", "8.8.8.8", "testclient", ""])
def test_another_machine_is_not(peer: str) -> None:
    assert not from_loopback(http_scope("GET", "/", [("host", "localhost")], client=(peer, 1)))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8000",
        "localhost:8000:9000",
        "localhost:port",
        "evil.example@localhost",
        "0.0.0.0:8000",
        "192.168.1.7",
        "[::1",
        "",
        "127.0.0.1, evil.example",
    ],
)
def test_a_name_that_leads_here_from_elsewhere_is_not(host: str) -> None:
    assert not from_loopback(http_scope("GET", "/", [("host", host)]))


def test_no_host_two_hosts_or_no_peer_is_not() -> None:
    local = ("host", "localhost")
    assert not from_loopback(http_scope("GET", "/", []))
    assert not from_loopback(http_scope("GET", "/", [local, local]))
    assert not from_loopback(http_scope("GET", "/", [local], client=None))


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"]
)
async def test_what_a_proxy_forwarded_is_refused_in_loopback_mode(header: str) -> None:
    answer = await ask(LoopbackGuard(echo), "GET", "/x", [(header, "127.0.0.1")])
    assert (answer.status, answer.code) == (403, "loopback_only")
    assert (await ask(LoopbackGuard(echo), "GET", "/x")).status == 200


def test_handshakes_are_judged_like_requests() -> None:
    scope = {**http_scope("GET", "/ws", [("host", "localhost")]), "type": "websocket"}
    assert from_loopback(scope)
    assert not from_loopback({**scope, "client": ("192.168.1.7", 1)})


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("https", "chat.example.com", "https://chat.example.com"),
        ("https", "chat.example.com", "https://chat.example.com:443"),
        ("https", "Chat.Example.com:443", "HTTPS://CHAT.example.COM"),
        ("wss", "chat.example.com", "https://chat.example.com"),
        ("http", "chat.example.com:8000", "http://chat.example.com:8000"),
        ("ws", "chat.example.com", "http://chat.example.com"),
        ("http", "[2001:db8::1]:80", "http://[2001:db8::1]"),
    ],
)
def test_the_servers_own_pages_are_allowed(scheme: str, host: str, origin: str) -> None:
    assert Origins([], loopback=False).allow(origin_scope(origin, host, scheme))


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "NULL",
        "",
        "*",
        "https://evil.example",
        "https://chat.example.com.evil.example",
        "https://evilchat.example.com",
        "https://chat.example.com:8443",
        "http://chat.example.com",
        "https://chat.example.com/",
        "https://chat.example.com/path",
        "https://chat.example.com?",
        "https://user@chat.example.com",
        "https://chat.example.com@evil.example",
        "https://chat.example.com evil.example",
        "https://chat.example.com, https://evil.example",
        "https://chat.example.com:443:443",
        "https://chat.example.com:",
        "https://chat.example.com.",
        "https:chat.example.com",
        "//chat.example.com",
        "chat.example.com",
        "file://",
        "https://chät.example.com",
        "https://[::1",
        "https://localhost",
        "http://localhost:3000",
        "http://127.0.0.1",
        "\tnull",
    ],
)
def test_other_pages_are_not(origin: str) -> None:
    assert not Origins(["https://app.example.com"], loopback=False).allow(origin_scope(origin))


def test_listed_pages_are_allowed_however_they_are_spelled() -> None:
    origins = Origins(["https://App.example.com:443", "capacitor://localhost"], loopback=False)
    assert origins.allow(origin_scope("https://app.example.com"))
    assert origins.allow(origin_scope("capacitor://localhost"))
    assert not origins.allow(origin_scope("https://app.example.com:444"))


def test_an_unreadable_list_entry_allows_nobody() -> None:
    assert not Origins(["null", "", "*"], loopback=False).allow(origin_scope("null"))


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:8080"],
)
def test_pages_of_this_machine_are_allowed_in_loopback_mode_alone(origin: str) -> None:
    scope = origin_scope(origin)
    assert Origins([], loopback=True).allow(scope)
    assert not Origins([], loopback=False).allow(scope)


@pytest.mark.parametrize(
    "origin",
    ["null", "http://localhost.evil.example", "http://127.0.0.1.nip.io", "ftp://localhost"],
)
def test_loopback_mode_is_no_open_door(origin: str) -> None:
    assert not Origins([], loopback=True).allow(origin_scope(origin))


def test_two_origins_are_none() -> None:
    origin = ("origin", "https://chat.example.com")
    scope = http_scope("POST", "/", [*OWN, origin, origin], scheme="https")
    assert not Origins([], loopback=True).allow(scope)


def guarded(*allowed: str) -> OriginGuard:
    return OriginGuard(echo, Origins(allowed, loopback=False))


async def test_an_allowed_page_may_read_with_credentials() -> None:
    answer = await ask(
        guarded("https://app.example.com"),
        "GET",
        "/x",
        [*OWN, ("origin", "https://app.example.com")],
    )
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") == "https://app.example.com"
    assert answer.header("access-control-allow-credentials") == "true"
    assert answer.header("vary") == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_foreign_page_may_read_nothing(origin: str) -> None:
    answer = await ask(guarded(), "GET", "/x", [*OWN, ("origin", origin)])
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]
    assert answer.header("vary") == "Origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_foreign_page_may_change_nothing(method: str, origin: str) -> None:
    answer = await ask(guarded(), method, "/x", [*OWN, ("origin", origin)])
    assert (answer.status, answer.code) == (403, "foreign_origin")
    assert not answer.all("access-control-allow-origin")


async def test_a_client_that_is_no_page_may_do_both() -> None:
    answer = await ask(guarded(), "POST", "/x", OWN)
    assert answer.status == 200
    assert answer.header("vary") == "Origin"


async def test_a_preflight_is_answered_without_asking_the_route() -> None:
    asks = [("access-control-request-method", "PUT"), ("origin", "https://app.example.com")]
    answer = await ask(guarded("https://app.example.com"), "OPTIONS", "/x", [*OWN, *asks])
    assert (answer.status, answer.body) == (204, b"")
    assert "PUT" in str(answer.header("access-control-allow-methods"))
    assert answer.header("access-control-allow-headers") == "Authorization, Content-Type"
    assert answer.header("access-control-allow-origin") == "https://app.example.com"


async def test_a_foreign_preflight_is_refused() -> None:
    asks = [("access-control-request-method", "PUT"), ("origin", "https://evil.example")]
    answer = await ask(guarded(), "OPTIONS", "/x", [*OWN, *asks])
    assert (answer.status, answer.code) == (403, "foreign_origin")


async def test_options_without_an_origin_is_an_ordinary_request() -> None:
    answer = await ask(guarded(), "OPTIONS", "/x", [("access-control-request-method", "PUT")])
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "csp", "cache"),
    [
        ("/api/rooms", CSP, "no-store"),
        ("/", CSP, "no-store"),
        ("/static/chat.html", CSP, "no-cache"),
        ("/docs", DOCS_CSP["/docs"], "no-cache"),
        ("/docs/", DOCS_CSP["/docs"], "no-cache"),
        ("/redoc", DOCS_CSP["/redoc"], "no-cache"),
        ("/docs/more", CSP, "no-store"),
    ],
)
async def test_browsers_are_told_what_they_may_do(path: str, csp: str, cache: str) -> None:
    answer = await ask(SecurityHeaders(echo), "GET", path)
    assert answer.header("content-security-policy") == csp
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cache-control") == cache


def test_the_policy_forbids_inline_script_everywhere() -> None:
    for policy in (CSP, *DOCS_CSP.values()):
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in CSP


async def test_head_is_answered_like_get_without_the_content() -> None:
    got, headed = [await ask(HeadAsGet(echo), method, "/x") for method in ("GET", "HEAD")]
    assert (headed.status, headed.headers, headed.body) == (got.status, got.headers, b"")
    assert got.body == b"/x 0"


async def test_a_body_of_the_largest_size_is_read() -> None:
    assert (await ask(BodyLimit(echo, 8), "POST", "/x", body=b"12345678")).body == b"/x 8"


@pytest.mark.parametrize("declared", ["9", "1048577", "9" * 5000])
async def test_a_body_declared_too_large_is_refused_unread(declared: str) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("the application was asked")

    answer = await ask(BodyLimit(never, 8), "POST", "/x", [("content-length", declared)])
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.header("connection") == "close"


async def test_reading_stops_at_the_chunk_that_is_too_much() -> None:
    read: list[bytes] = []

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            read.append((await receive())["body"])

    with pytest.raises(Exception, match="413"):
        await ask(BodyLimit(reading, 8), "POST", "/x", body=[b"1234"] * 1000)
    assert read == [b"1234"] * 2


@pytest.mark.parametrize("length", ["-1", "x", "", "1e3", "²"])
async def test_an_unreadable_length_is_not_believed(length: str) -> None:
    answer = await ask(BodyLimit(echo, 8), "POST", "/x", [("content-length", length)], b"1234")
    assert answer.body == b"/x 4"


async def test_what_nobody_foresaw_is_a_500_in_fixed_words_and_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await ask(Failsafe(broken), "GET", "/x%0ay?token=TopSecret2")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"TopSecret" not in answer.body
    assert "TopSecret2" not in caplog.text
    [record] = caplog.records
    assert record.getMessage() == r"! GET '/x\ny' failed"


async def test_an_answer_that_fails_half_way_is_not_ended_as_if_whole() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="half way"):
        await Failsafe(half)(http_scope("GET", "/", []), None, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize(
    "guard",
    [
        SecurityHeaders(echo),
        OriginGuard(echo, Origins([], loopback=False)),
        PathNormaliser(echo),
        HeadAsGet(echo),
        BodyLimit(echo),
    ],
)
async def test_guards_leave_other_scopes_alone(guard: Any) -> None:
    passed: list[Scope] = []

    async def app(scope: Scope, *_: Any) -> None:
        passed.append(scope)

    guard.app = app
    scope = {"type": "lifespan"}
    await guard(scope, None, None)
    assert passed == [scope]
