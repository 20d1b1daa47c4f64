"""Closed by default: the matrix knows every route, and what it closes no way of writing opens."""

import pytest
from starlette.routing import Mount
from starlette.routing import Route as PlainRoute

from hubbub.config import Settings
from hubbub.web.app import build_api
from tests.support.app import AppClient
from tests.web.asgi import ask
from tests.web.matrix import ROUTES, Actor
from tests.web.routes import Route, routes

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN = {name for name, row in ROUTES.items() if Actor.NOBODY in row.may}
CLOSED = [route for route in routes() if str(route) not in OPEN]
PAGES = {"/docs", "/redoc", "/openapi.json", "/asyncapi.json", "/room/{key}"}


@pytest.mark.parametrize("route", CLOSED, ids=str)
async def test_no_name_and_no_slash_opens_what_needs_a_token(
    anyone: AppClient, route: Route
) -> None:
    for path in (route.at("some-key"), route.at("1") + "/"):
        answer = await ask(anyone.app, route.method, path)
        assert (answer.status, answer.code) == (401, "token_missing"), path
        assert answer.header("www-authenticate") == "Bearer"


def hidden(open: str) -> set[str]:
    """The paths that the OpenAPI document does not have."""
    api = build_api(Settings(open=open))
    known: set[str] = set(api.openapi()["paths"])
    outside = {r.path for r in api.routes if isinstance(r, PlainRoute | Mount)}
    included = {
        route.path
        for router in api.routes
        if not isinstance(router, PlainRoute | Mount)
        for route in router.original_router.routes
    }
    return (outside | included) - known


async def test_no_route_hides_from_the_document_but_the_pages(anyone: AppClient) -> None:
    assert hidden("false") == hidden("force") == PAGES | {"/static"}
    assert hidden("loopback") == hidden("false") | {"/dev/mail"}
    for path in PAGES:
        assert (await anyone.get(path.format(key="some-key"))).status_code == 200
