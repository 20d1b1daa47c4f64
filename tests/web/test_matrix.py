"""Every row of the matrix, asked by everybody, of the whole application."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.app import AppClient
from tests.web.house import WITNESS, House, Place, houses
from tests.web.matrix import REFUSED, ROUTES, Actor
from tests.web.routes import routes

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTED = {str(route): route for route in routes()}
OF_CHANNELS = [name for name in ROUTES if "{channel}" in name or "_id}" in name]
OF_CHANNELS.remove("PATCH /api/v1/admin/users/{user_id}")
CHANGING = {name for name in OF_CHANNELS if not name.startswith("GET")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[list[House]]:
    async with houses() as made:
        yield made


def documented(name: str) -> str:
    """The route a row is about."""
    return " ".join(name.split()[:2])


async def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {documented(name) for name in ROUTES} == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_what_asks_for_a_token_says_so(name: str) -> None:
    needs = Actor.NOBODY not in ROUTES[name].may
    told = DOCUMENTED[name].operation.get("security")
    assert told == ([{"OAuth2PasswordBearer": []}] if needs else None)


@pytest.mark.parametrize("name", ROUTES)
async def test_everybody_gets_what_is_theirs_and_nothing_else(
    servers: list[House], name: str
) -> None:
    row = ROUTES[name]
    for house in servers:
        for actor, client in house.actors.items():
            place = await house.place(private=actor is not Actor.PASSER)
            if actor in row.may:
                await succeed(house, client, name, place, actor)
                if name in CHANGING:
                    house.spoil(place)
                continue
            before = await house.contents(place) if name in CHANGING else None
            expected = {**REFUSED, **row.refused}[actor]
            assert await ask(house, client, name, place) == expected, actor
            if name in CHANGING:
                assert await house.contents(place) == before, actor


async def succeed(house: House, client: AppClient, name: str, place: Place, actor: Actor) -> None:
    if name == "POST /api/v1/auth/logout" and client.name:
        client = await client.log_in(client.name)
    status, _ = await ask(house, client, name, place)
    assert status == ROUTES[name].status, actor


async def ask(house: House, client: AppClient, name: str, place: Place) -> tuple[int, str]:
    """The status, and the slug of a refusal."""
    row, route = ROUTES[name], DOCUMENTED[documented(name)]
    # In this one path digits are a key.
    channel = place.key if route.path == "/rooms/{room_id}" else place.id
    path = route.at(
        channel, username="witness", session="none", user_id=house.people["disabled"].id
    )
    answer = await client.request(route.method, path, json=row.body)
    refused = answer.status_code >= 400
    return answer.status_code, answer.json()["code"] if refused else ""


@pytest.mark.parametrize("name", OF_CHANNELS)
@pytest.mark.parametrize("key", [999_999_999, "no-such-key", "9" * 400, "0", "x" * 200, "ws%20"])
async def test_what_does_not_exist_is_not_found(
    servers: list[House], name: str, key: object
) -> None:
    owner = servers[0].people["owner"]
    route = DOCUMENTED[documented(name)]
    answer = await owner.request(
        route.method, route.at(key, username=WITNESS), json=ROUTES[name].body
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_channel")
