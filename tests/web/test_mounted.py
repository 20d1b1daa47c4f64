"""The server as a part of another application, below a path of its."""

import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from hubbub.web.middleware import CSP, DOCS_CSP
from tests.support.app import PASSWORD, AppClient, app_client
from tests.support.mail import code_in
from tests.support.smtp import post_office
from tests.web.asgi import ask, converse

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = ("content-type", "application/json")


def mounted(client: AppClient) -> Starlette:
    return Starlette(routes=[Mount("/sub", app=client.app)])


async def test_the_root_is_found_and_leads_to_the_page_below_it(anyone: AppClient) -> None:
    outer = mounted(anyone)
    assert (await ask(outer, "GET", "/sub/")).json["name"] == "Hubbub"
    browser = await ask(outer, "GET", "/sub/", [("accept", "text/html")])
    assert (browser.status, browser.header("location")) == (307, "/sub/static/index.html")
    page = await ask(outer, "GET", "/sub/static/index.html")
    assert (page.status, page.header("cache-control")) == (200, "no-cache")


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc"])
async def test_a_page_keeps_its_policy(anyone: AppClient, path: str) -> None:
    page = await ask(mounted(anyone), "GET", f"/sub{path}")
    assert page.status == 200
    assert page.header("content-security-policy") == DOCS_CSP[path.rstrip("/")]


async def test_paths_work_with_and_without_their_last_slash(anyone: AppClient) -> None:
    for path in ("/sub/api/rooms", "/sub/api/rooms/"):
        answer = await ask(mounted(anyone), "GET", path)
        assert (answer.status, answer.code) == (401, "token_missing")
        assert answer.header("content-security-policy") == CSP
    assert (await ask(mounted(anyone), "GET", "/sub/static/index.html/")).status == 404


async def test_cookies_go_where_the_routes_are() -> None:
    async with app_client(dev=True) as client:
        outer = mounted(client)
        form = ("content-type", "application/x-www-form-urlencoded")
        body = f"username=testuser&password={PASSWORD}".encode()
        login = await ask(outer, "POST", "/sub/api/token", [form], body)
        assert "; Path=/sub/api/v1/auth;" in (login.header("set-cookie") or "")
        token = ("authorization", f"Bearer {login.json['access_token']}")
        logout = await ask(outer, "POST", "/sub/api/v1/auth/logout", [token])
        assert "; Path=/sub/api/v1/auth;" in (logout.header("set-cookie") or "")


async def test_the_cookie_of_a_verification_goes_where_its_routes_are() -> None:
    async with (
        post_office() as office,
        app_client(smtp_server="127.0.0.1", smtp_port=office.port) as client,
    ):
        outer = mounted(client)
        given = {"email": "anna@example.org"}
        await ask(outer, "POST", "/sub/api/auth/signup", [JSON], json.dumps(given).encode())
        given["otp"] = code_in(await office.text(1))
        path = "/sub/api/auth/verify-otp"
        verified = await ask(outer, "POST", path, [JSON], json.dumps(given).encode())
        assert "; Path=/sub/api/auth;" in (verified.header("set-cookie") or "")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_sockets_are_found(alice: AppClient, slash: str) -> None:
    outer = mounted(alice)
    hello = {"type": "websocket.receive", "text": "hello"}
    sent = await converse(outer, f"/sub/ws/echo{slash}", hello)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]
    room = await alice.channel()
    token = alice.tokens["access_token"]
    [accepted, *_] = sent = await converse(outer, f"/sub/ws/room/{room}{slash}?token={token}")
    assert accepted["type"] == "websocket.accept"
    assert not [message for message in sent if message["type"] == "websocket.close"]
    [_, nowhere] = await converse(outer, f"/sub/nowhere{slash}")
    assert nowhere["code"] == 4004


async def test_an_encoded_slash_is_a_part_of_a_name() -> None:
    async with app_client(open="force") as anyone:
        outer = mounted(anyone)
        for name, codes in (("idp%2F7", []), ("idp/7", [4004])):
            sent = await converse(outer, f"/sub/ws/chat/{name}/")
            closes = [message for message in sent if message["type"] == "websocket.close"]
            assert [message["code"] for message in closes] == codes
