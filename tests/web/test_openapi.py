import re

import pytest

from tests.web.routes import Route, document, routes

ROUTES = routes()
ABOUT_THE_SERVER = {"/": {"403"}, "/healthz": {"403"}, "/readyz": {"403", "503"}}


def test_operation_ids_are_unique_names_without_numbers_of_documents() -> None:
    ids = [route.operation["operationId"] for route in ROUTES]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each) for each in ids)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_operation_is_described_tagged_and_typed(route: Route) -> None:
    operation = route.operation
    assert operation["description"]
    assert operation["tags"]
    assert not route.path.endswith("/") or route.path == "/"
    for status, answer in operation["responses"].items():
        html = route.path == "/peerjs/peerjs/id" and status == "200"
        media = "text/html" if html else "application/json"
        schema = answer.get("content", {}).get(media, {}).get("schema")
        if status == "204":
            assert schema is None
        elif status >= "400":
            assert schema == {"$ref": "#/components/schemas/Problem"}
        else:
            assert schema


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_operation_names_its_refusals(route: Route) -> None:
    every = {"400", "401", "403", "404", "409", "413", "422", "429", "503"}
    refusals = {status for status in route.operation["responses"] if status >= "400"}
    assert refusals >= ABOUT_THE_SERVER.get(route.path, every)


def test_the_authorize_button_of_the_documentation_works() -> None:
    [scheme] = document()["components"]["securitySchemes"].values()
    assert scheme["type"] == "oauth2"
    assert scheme["flows"]["password"]["tokenUrl"] == "/api/token"
    [login] = [route for route in ROUTES if route.path == "/api/token"]
    content = login.operation["requestBody"]["content"]
    assert set(content) == {"application/x-www-form-urlencoded", "application/json"}
    assert set(login.fields) == {"username", "password"}


def test_the_frameworks_own_error_shape_is_nowhere() -> None:
    assert "HTTPValidationError" not in document()["components"]["schemas"]
