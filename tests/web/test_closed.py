"""Closed by default: what can be had without a token is on a list, and nothing else."""

import pytest
from starlette.routing import Mount
from starlette.routing import Route as PlainRoute

from hubbub.web.app import build_api
from tests.support.app import AppClient, app_client
from tests.web.asgi import ask
from tests.web.routes import Route, routes

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN = {
    "GET /",
    "GET /healthz",
    "GET /readyz",
    "POST /api/token",
    "POST /auth/token",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/users",
}
OPEN_PAGES = {"/openapi.json", "/docs", "/redoc", "/static"}

ROUTES = routes()


async def test_the_list_names_routes_that_exist() -> None:
    assert {str(route) for route in ROUTES} >= OPEN


@pytest.mark.parametrize("route", [r for r in ROUTES if str(r) not in OPEN], ids=str)
async def test_everything_else_needs_a_token(anyone: AppClient, route: Route) -> None:
    for path in (route.at(1), route.at("some-key"), route.at("1") + "/"):
        answer = await ask(anyone.app, route.method, path)
        assert (answer.status, answer.code) == (401, "token_missing"), path
        assert answer.header("www-authenticate") == "Bearer"
    assert route.operation["security"] == [{"OAuth2PasswordBearer": []}]


@pytest.mark.parametrize("route", [r for r in ROUTES if str(r) in OPEN], ids=str)
async def test_what_is_open_says_so(route: Route) -> None:
    assert "security" not in route.operation


async def test_no_route_hides_from_the_document(anyone: AppClient) -> None:
    api = build_api(anyone.app.settings)
    plain = {r.path for r in api.routes if isinstance(r, PlainRoute | Mount)}
    assert plain == {"/openapi.json", "/static"}
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await anyone.get(path)).status_code == 200


async def test_open_modes_open_no_rest() -> None:
    async with app_client(open="force") as anyone:
        for route in ROUTES:
            if str(route) not in OPEN:
                answer = await ask(anyone.app, route.method, route.at(1))
                assert answer.code == "token_missing"
