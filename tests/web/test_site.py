import pytest

from hubbub import __version__
from hubbub.web.api.site import prefers_html
from hubbub.web.app import build_api
from hubbub.web.middleware import CSP, DOCS_CSP
from tests.support.app import AppClient
from tests.web.asgi import ask

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML ; q=0.9, application/json;q=0.8", True),
        ("text/*", True),
        ("text/html;q=0.1", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("text/html;q=nan", False),
        (";;,,q=1", False),
    ],
)
async def test_who_prefers_html_is_told_by_accept(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


async def test_the_root_tells_programs_about_the_api(anyone: AppClient) -> None:
    answer = await anyone.get("/")
    assert answer.status_code == 200
    about = answer.json()
    assert set(about) == {"name", "version", "docs", "endpoints"}
    assert (about["name"], about["version"], about["docs"]) == ("Hubbub", __version__, "/docs")


async def test_the_root_sends_browsers_to_the_page(anyone: AppClient) -> None:
    answer = await anyone.get("/", headers={"Accept": BROWSER})
    assert answer.status_code == 307
    assert answer.headers["location"] == "/static/index.html"
    assert "Accept" in answer.headers["vary"]
    page = await anyone.get("/static/index.html")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc", "/redoc/"])
async def test_the_documentation_comes_from_here_alone(anyone: AppClient, path: str) -> None:
    answer = await anyone.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == DOCS_CSP[path.rstrip("/")]
    assert "://" not in answer.text


@pytest.mark.parametrize("key", ["550e8400-e29b-41d4-a716-446655440000", "no-such-key", "1", "%20"])
async def test_the_page_of_a_meeting_is_the_same_for_every_key(anyone: AppClient, key: str) -> None:
    for path in (f"/room/{key}", f"/room/{key}/"):
        answer = await anyone.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-security-policy"] == CSP
        assert "<title>Meeting" in answer.text


async def test_the_page_of_no_meeting_is_none(anyone: AppClient) -> None:
    for path in ("/room", "/room/", "/room/a/b"):
        answer = await ask(anyone.app, "GET", path)
        assert (answer.status, answer.code) == (404, "not_found")


async def test_the_description_of_the_api_is_open(anyone: AppClient) -> None:
    answer = await anyone.get("/openapi.json")
    assert (answer.status_code, answer.json()["info"]["title"]) == (200, "Hubbub")


@pytest.mark.parametrize("path", ["/static/chat.html", "/room/key", "/docs", "/static/js/api.js"])
@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=5-1", "bytes=999999999-", "bytes=x", "-"])
async def test_a_file_is_given_whole_whatever_part_is_asked_for(
    anyone: AppClient, path: str, wanted: str
) -> None:
    whole = await ask(anyone.app, "GET", path)
    assert (whole.status, whole.header("accept-ranges")) == (200, "none")
    part = await ask(anyone.app, "GET", path, [("range", wanted)])
    assert (part.status, part.body, part.headers) == (200, whole.body, whole.headers)


async def test_health_and_readiness_are_told_apart(anyone: AppClient) -> None:
    assert (await anyone.get("/healthz")).json() == {"status": "ok", "dev": False}
    assert (await anyone.get("/readyz/")).json() == {"status": "ok"}


async def test_a_server_that_has_not_started_is_not_ready(anyone: AppClient) -> None:
    api = build_api(anyone.app.settings)
    answer = await ask(api, "GET", "/readyz")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert answer.header("retry-after") == "1"


async def test_a_server_whose_database_fails_is_not_ready(anyone: AppClient) -> None:
    class Failing:
        async def ready(self) -> bool:
            return False

    storage = anyone.services.chat
    good, storage._storage = storage._storage, Failing()
    try:
        answer = await anyone.get("/readyz")
    finally:
        storage._storage = good
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    "path",
    [
        "/static",
        "/static/",
        "/static/js",
        "/static/js/",
        "/static/index.html/",
        "/static/nothing.html",
        "/static/../config.py",
        "/static/..%2fconfig.py",
        "/static/%2e%2e/%2e%2e/config.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/" + "a" * 5000,
        "/nothing",
        "/api/rooms//",
        "/api/v2/rooms",
    ],
)
async def test_there_is_nothing_else(anyone: AppClient, path: str) -> None:
    answer = await ask(anyone.app, "GET", path)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_wrong_method_is_told_the_right_ones(anyone: AppClient) -> None:
    answer = await ask(anyone.app, "DELETE", "/api/token")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.header("allow") == "POST"


async def test_files_are_checked_with_the_server_and_answers_are_not_kept(
    anyone: AppClient,
) -> None:
    file = await anyone.get("/static/index.html")
    assert file.headers["cache-control"] == "no-cache"
    again = {"If-None-Match": file.headers["etag"]}
    unchanged = await anyone.get("/static/index.html", headers=again)
    assert unchanged.status_code == 304
    assert unchanged.headers["content-security-policy"] == CSP
    assert (await anyone.get("/api/rooms")).headers["cache-control"] == "no-store"


async def test_even_refusals_carry_the_security_headers_and_cors(anyone: AppClient) -> None:
    for status, answer in (
        (404, await anyone.get("/nothing")),
        (401, await anyone.get("/api/rooms", headers={"Origin": "http://127.0.0.1:8000"})),
        (403, await anyone.post("/api/rooms", headers={"Origin": "https://evil.example"})),
        (413, await anyone.post("/api/rooms", headers={"Content-Length": "2000000"})),
    ):
        assert answer.status_code == status
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["vary"] == "Origin"
    own = await anyone.get("/nothing", headers={"Origin": "http://127.0.0.1:8000"})
    assert own.headers["access-control-allow-origin"] == "http://127.0.0.1:8000"


async def test_a_body_over_a_mebibyte_is_refused_however_it_comes(alice: AppClient) -> None:
    room = await alice.channel()
    token = ("authorization", f"Bearer {alice.tokens['access_token']}")
    kind = ("content-type", "application/json")
    chunks = [b'{"content": "', *[b"x" * 65_536] * 17, b'"}']
    for path in (f"/api/rooms/{room}/messages", "/api/token", "/conversations"):
        answer = await ask(alice.app, "POST", path, [token, kind], chunks)
        assert (answer.status, answer.code) == (413, "too_large")
        assert answer.header("connection") == "close"
    form = ("content-type", "multipart/form-data; boundary=x")
    answer = await ask(alice.app, "POST", "/api/token", [form], [b"x" * 65_536] * 17)
    assert (answer.status, answer.code) in {(413, "too_large"), (400, "unreadable")}


async def test_what_fails_inside_is_told_in_fixed_words(
    alice: AppClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def views(self, *_: object, **__: object) -> None:
            raise RuntimeError("SELECT secret FROM users")

    chat = alice.services.chat
    good, chat._storage = chat._storage, Broken()
    try:
        answer = await alice.get("/api/rooms")
    finally:
        chat._storage = good
    assert answer.status_code == 500
    assert answer.json() == {
        "detail": "something went wrong in the server",
        "code": "internal_error",
    }
    assert answer.headers["content-security-policy"] == CSP
    assert "SELECT secret" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/readyz/",
        "/docs",
        "/room/key",
        "/static/index.html",
        "/nothing",
        "/api/rooms",
    ],
)
async def test_head_asks_what_get_would_answer(anyone: AppClient, path: str) -> None:
    got, headed = [await ask(anyone.app, method, path) for method in ("GET", "HEAD")]
    assert (headed.status, headed.headers) == (got.status, got.headers)
    assert headed.body == b""
