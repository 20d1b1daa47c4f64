"""The REST of document 001."""

import re

import pytest

from hubbub.core.ids import Who
from hubbub.storage.base import ConnectionRow
from hubbub.storage.sqlite import SqliteStorage
from tests.support.app import AppClient, app_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_room_has_the_fields_of_both_documents(alice: AppClient) -> None:
    answer = await alice.post("/api/rooms/", json={"name": " General ", "description": "All of it"})
    assert answer.status_code == 201
    room = answer.json()
    assert list(room) == [
        "id",
        "room_id",
        "name",
        "description",
        "created_at",
        "created_by",
        "participants",
        "member_count",
        "is_member",
    ]
    assert (room["name"], room["description"]) == ("General", "All of it")
    assert (room["created_by"], room["participants"]) == ("alice", ["alice"])
    assert (room["member_count"], room["is_member"]) == (1, True)
    assert TIME.fullmatch(room["created_at"])
    for name in (room["id"], room["room_id"]):
        assert (await alice.get(f"/api/rooms/{name}")).json() == room


@pytest.mark.parametrize("key", ["1", "007", "9" * 20])
async def test_a_room_whose_key_is_digits_alone_is_named_by_its_id(
    alice: AppClient, key: str
) -> None:
    made = await alice.services.chat.ensure_public(key, "Digits")
    room = (await alice.post(f"/api/rooms/{made.id}/join")).json()
    assert (room["id"], room["room_id"]) == (made.id, str(made.id))
    assert room in (await alice.get("/api/rooms")).json()
    assert (await alice.get(f"/api/rooms/{room['room_id']}")).json() == room
    left = (await alice.post(f"/api/rooms/{room['room_id']}/leave")).json()
    assert (left["room_id"], left["is_member"]) == (room["room_id"], False)


async def test_a_room_is_made_for_guests_unless_it_is_private(alice: AppClient) -> None:
    made = await alice.post("/api/rooms/", json={"name": "Open house", "guests": True})
    channel = (await alice.get(f"/api/v1/channels/{made.json()['id']}")).json()
    assert (made.status_code, channel["guests"], channel["private"]) == (201, True, False)
    both = {"name": "Neither", "guests": True, "private": True}
    refused = await alice.post("/api/rooms/", json=both)
    assert (refused.status_code, refused.json()["code"]) == (422, "private_guests")


async def test_people_join_and_leave_public_rooms(alice: AppClient, bob: AppClient) -> None:
    room = await alice.channel()
    seen = (await bob.get(f"/api/rooms/{room}/")).json()
    assert (seen["is_member"], seen["member_count"]) == (False, 1)
    joined = await bob.post(f"/api/rooms/{room}/join/")
    assert joined.status_code == 200
    assert (joined.json()["is_member"], joined.json()["participants"]) == (True, ["alice", "bob"])
    assert (await bob.post(f"/api/rooms/{room}/join")).json() == joined.json()
    left = await bob.post(f"/api/rooms/{room}/leave")
    assert left.json() == seen
    again = await bob.post(f"/api/rooms/{room}/leave")
    assert (again.status_code, again.json()["code"]) == (403, "not_a_member")


async def test_the_list_is_every_room_one_may_see(
    alice: AppClient, bob: AppClient, carol: AppClient
) -> None:
    public, private = await alice.channel(), await alice.channel("bob", private=True)
    conversation = await alice.channel("bob", kind="conversation")

    async def listed(client: AppClient, query: str = "") -> set[int]:
        rooms = (await client.get(f"/api/rooms/{query}")).json()
        return {room["id"] for room in rooms} & {public, private, conversation}

    assert await listed(alice) == {public, private}
    assert await listed(bob) == {public, private}
    assert await listed(carol) == {public}
    assert await listed(bob, "?joined=true") == {private}
    assert await listed(carol, "?joined=true") == set()


async def test_the_list_can_be_of_joined_rooms_by_default() -> None:
    async with app_client(room_list="joined") as anyone:
        alice, bob = await anyone.register("alice"), await anyone.register("bob")
        room = await alice.channel()
        assert [r["id"] for r in (await alice.get("/api/rooms")).json()] == [room]
        assert (await bob.get("/api/rooms")).json() == []
        [shown] = (await bob.get("/api/rooms?joined=false")).json()
        assert shown["id"] == room


async def test_a_message_is_posted_and_read(alice: AppClient, bob: AppClient) -> None:
    room = await alice.channel("bob")
    answer = await bob.post(f"/api/rooms/{room}/messages/", json={"content": "  Hi \U0001f600 "})
    assert answer.status_code == 201
    message = answer.json()
    assert list(message) == ["id", "room_id", "user_id", "username", "content", "created_at"]
    assert (message["room_id"], message["user_id"], message["username"]) == (room, bob.id, "bob")
    assert message["content"] == "  Hi \U0001f600 "
    assert TIME.fullmatch(message["created_at"])
    assert (await alice.get(f"/api/rooms/{room}/messages")).json() == [message]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"content": 1}, "invalid"),
        ({"content": ""}, "empty_content"),
        ({"content": " \n\t"}, "empty_content"),
        ({"content": "x" * 4001}, "content_too_long"),
    ],
)
@pytest.mark.parametrize("path", ["/api/rooms/{}", "/conversations/{}", "/api/v1/channels/{}"])
async def test_content_has_limits_everywhere(
    alice: AppClient, path: str, body: dict[str, object], code: str
) -> None:
    channel = await alice.channel()
    answer = await alice.post(f"{path.format(channel)}/messages", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await alice.get(f"{path.format(channel)}/messages")).json() == []


@pytest.mark.parametrize("path", ["/api/rooms/{}", "/conversations/{}", "/api/v1/channels/{}"])
async def test_messages_come_oldest_first_in_pages(alice: AppClient, path: str) -> None:
    messages = path.format(await alice.channel()) + "/messages"
    ids = [(await alice.post(messages, json={"content": str(n)})).json()["id"] for n in range(60)]
    assert ids == sorted(ids)

    async def page(query: str) -> list[int]:
        return [message["id"] for message in (await alice.get(messages + query)).json()]

    assert await page("") == ids[-50:]
    assert await page("?limit=3") == ids[-3:]
    assert await page("?limit=200") == ids
    assert await page(f"?after={ids[9]}&limit=5") == ids[10:15]
    assert await page(f"?before={ids[9]}&limit=5") == ids[4:9]
    assert await page(f"?after={ids[-1]}") == []
    assert await page("?after=0&limit=2") == ids[:2]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "after=-1", "before=9007199254740992"]
)
async def test_pages_have_limits(alice: AppClient, query: str) -> None:
    room = await alice.channel()
    answer = await alice.get(f"/api/rooms/{room}/messages?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["detail"].startswith(query.partition("=")[0])


async def test_a_page_has_one_bound(alice: AppClient) -> None:
    room = await alice.channel()
    answer = await alice.get(f"/api/rooms/{room}/messages?after=1&before=2")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_page")


async def test_any_account_reads_a_public_room_and_members_post(
    alice: AppClient, carol: AppClient
) -> None:
    room = await alice.channel()
    await alice.post(f"/api/rooms/{room}/messages", json={"content": "hello"})
    assert len((await carol.get(f"/api/rooms/{room}/messages")).json()) == 1
    answer = await carol.post(f"/api/rooms/{room}/messages", json={"content": "hello"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


async def test_the_sender_is_who_the_token_says(alice: AppClient, bob: AppClient) -> None:
    room = await alice.channel("bob")
    forged = {"content": "x", "sender": "bob", "user_id": bob.id, "username": "bob", "room_id": 1}
    message = (await alice.post(f"/api/rooms/{room}/messages", json=forged)).json()
    assert (message["user_id"], message["username"], message["room_id"]) == (
        alice.id,
        "alice",
        room,
    )


async def test_one_sees_ones_own_connections_and_an_administrator_all(
    alice: AppClient, bob: AppClient, root: AppClient
) -> None:
    storage = alice.services.chat._storage
    assert isinstance(storage, SqliteStorage)
    for who in (Who(alice.id, "alice"), Who(bob.id, "bob")):
        row = ConnectionRow(f"c-{who.name}", who.id, who.name, "rooms", "1", "127.0.0.1", 0)
        storage.connected(row)
    assert (await alice.get("/api/connections/")).json() == [
        {
            "connection_id": "c-alice",
            "user_id": alice.id,
            "username": "alice",
            "dialect": "rooms",
            "room_id": "1",
            "address": "127.0.0.1",
            "connected_at": "1970-01-01T00:00:00.000Z",
        }
    ]
    assert len((await root.get("/api/connections")).json()) == 2
    for name in ("alice", "bob"):
        storage.disconnected(f"c-{name}")
    assert (await root.get("/api/connections")).json() == []
