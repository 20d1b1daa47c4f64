"""Closed by default: the matrix knows every route, and what it closes no way of writing opens."""

from collections.abc import Iterable, Iterator

import pytest
from starlette.routing import BaseRoute, Mount, WebSocketRoute
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


def operations(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and path, known to the OpenAPI document or not."""
    for route in routes:
        if isinstance(route, Mount):
            yield "*", route.path
        elif isinstance(route, PlainRoute):
            # The application answers HEAD like GET, before it gets here.
            yield from ((method, route.path) for method in (route.methods or {"*"}) - {"HEAD"})
        elif isinstance(route, WebSocketRoute):
            yield "WEBSOCKET", route.path
        else:
            yield from operations(route.original_router.routes)  # type: ignore[attr-defined]


def hidden(open: str) -> set[tuple[str, str]]:
    """What the OpenAPI document does not have."""
    api = build_api(Settings(open=open))
    known = {
        (method.upper(), path)
        for path, methods in api.openapi()["paths"].items()
        for method in methods
    }
    return set(operations(api.routes)) - known


async def test_no_operation_hides_from_the_document_but_the_pages(anyone: AppClient) -> None:
    pages = {("GET", path) for path in PAGES} | {("*", "/static")}
    assert hidden("false") == hidden("force") == pages
    assert hidden("loopback") == pages | {("GET", "/dev/mail")}
    for path in PAGES:
        assert (await anyone.get(path.format(key="some-key"))).status_code == 200
