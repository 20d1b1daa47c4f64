"""Who may do what in a channel: every route of a channel, for everybody who could ask.

A new route of a channel fails here until it has a row.
"""

from typing import Any

import pytest

from tests.support.app import AppClient
from tests.web.routes import Route, routes

pytestmark = pytest.mark.asyncio(loop_scope="session")

NATIVE = "/api/v1/channels/{channel}"
MESSAGE = {"content": "x"}

# What to send, then the status for a stranger to a public room, for a stranger to a private one,
# for a member, and for the owner.
TABLE: dict[str, tuple[Any, int, int, int, int]] = {
    "GET /api/rooms/{room_id}": (None, 200, 403, 200, 200),
    "POST /api/rooms/{room_id}/join": (None, 200, 403, 200, 200),
    "POST /api/rooms/{room_id}/leave": (None, 403, 403, 200, 200),
    "GET /api/rooms/{room_id}/messages": (None, 200, 403, 200, 200),
    "POST /api/rooms/{room_id}/messages": (MESSAGE, 403, 403, 201, 201),
    "GET /conversations/{conversation_id}": (None, 403, 403, 200, 200),
    "GET /conversations/{conversation_id}/messages": (None, 403, 403, 200, 200),
    "POST /conversations/{conversation_id}/messages": (MESSAGE, 403, 403, 201, 201),
    f"GET {NATIVE}": (None, 200, 403, 200, 200),
    f"PATCH {NATIVE}": ({"name": "x"}, 403, 403, 403, 200),
    f"POST {NATIVE}/join": (None, 200, 403, 200, 200),
    f"POST {NATIVE}/leave": (None, 403, 403, 204, 204),
    f"GET {NATIVE}/members": (None, 200, 403, 200, 200),
    f"PUT {NATIVE}/members/{{username}}": (None, 403, 403, 403, 200),
    f"DELETE {NATIVE}/members/{{username}}": (None, 403, 403, 403, 204),
    f"GET {NATIVE}/messages": (None, 200, 403, 200, 200),
    f"POST {NATIVE}/messages": (MESSAGE, 403, 403, 201, 201),
    f"GET {NATIVE}/events": (None, 200, 403, 200, 200),
    f"PUT {NATIVE}/cursor": ({"read": 1}, 403, 403, 204, 204),
    f"GET {NATIVE}/presence": (None, 200, 403, 200, 200),
}

ROUTES = [route for route in routes() if "{channel}" in route.path or "_id}" in route.path]
ROUTES = [route for route in ROUTES if not route.path.startswith("/api/v1/admin")]


async def test_the_table_is_complete() -> None:
    assert {str(route) for route in ROUTES} == set(TABLE)


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("case", range(4), ids=["public", "private", "member", "owner"])
async def test_everybody_gets_what_is_theirs(
    alice: AppClient, bob: AppClient, carol: AppClient, root: AppClient, route: Route, case: int
) -> None:
    body, *expected = TABLE[str(route)]
    # Bob and root are members; alice owns the channel.
    channel = await alice.channel("bob", "root", private=case != 0)
    who = [carol, carol, bob, alice][case]
    answer = await who.request(route.method, route.at(channel, username="root"), json=body)
    assert answer.status_code == expected[case], answer.text


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_an_administrator_is_a_stranger_like_others(
    alice: AppClient, root: AppClient, route: Route
) -> None:
    channel = await alice.channel("bob", private=True)
    answer = await root.request(
        route.method, route.at(channel, username="bob"), json=TABLE[str(route)][0]
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_somebody_removed_is_a_stranger_again(
    alice: AppClient, bob: AppClient, route: Route
) -> None:
    channel = await alice.channel("bob", private=True)
    assert (await alice.delete(f"/api/v1/channels/{channel}/members/bob")).status_code == 204
    answer = await bob.request(
        route.method, route.at(channel, username="alice"), json=TABLE[str(route)][0]
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("name", [999_999_999, "no-such-key", "9" * 400, "0", "x" * 200, "ws%20"])
async def test_what_does_not_exist_is_not_found(
    alice: AppClient, route: Route, name: object
) -> None:
    answer = await alice.request(
        route.method, route.at(name, username="alice"), json=TABLE[str(route)][0]
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_channel")
