"""The REST of document 004."""

import re

import pytest

from tests.support.app import AppClient, app_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


async def test_people_are_named_by_id_or_by_name(
    alice: AppClient, bob: AppClient, carol: AppClient
) -> None:
    body = {
        "title": "Plans",
        "participant_ids": [bob.id, alice.id],
        "participants": ["carol", "bob"],
    }
    answer = await alice.post("/conversations/", json=body)
    assert answer.status_code == 201
    conversation = answer.json()
    assert list(conversation) == [
        "id",
        "title",
        "participant_ids",
        "participants",
        "created_by",
        "created_at",
    ]
    assert conversation["title"] == "Plans"
    assert set(conversation["participants"]) == {"alice", "bob", "carol"}
    assert set(conversation["participant_ids"]) == {alice.id, bob.id, carol.id}
    assert conversation["created_by"] == "alice"
    assert TIME.fullmatch(conversation["created_at"])
    assert (await carol.get(f"/conversations/{conversation['id']}/")).json() == conversation


@pytest.mark.parametrize(
    ("people", "status", "code"),
    [
        ({"participants": ["nobody"]}, 404, "unknown_user"),
        ({"participant_ids": [999_999]}, 404, "unknown_user"),
        ({"participants": "bob"}, 422, "invalid"),
        ({"participant_ids": ["1"]}, 422, "invalid"),
        ({"participant_ids": [-1]}, 422, "invalid"),
        ({"participant_ids": [True]}, 422, "invalid"),
        ({"title": ""}, 422, "invalid_title"),
        ({"title": None}, 422, "invalid"),
    ],
)
async def test_a_conversation_that_cannot_be_is_not_made(
    alice: AppClient, people: dict[str, object], status: int, code: str
) -> None:
    before = (await alice.get("/conversations")).json()
    answer = await alice.post("/conversations", json={"title": "Plans"} | people)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await alice.get("/conversations")).json() == before


async def test_a_title_that_cannot_be_is_called_a_title(alice: AppClient) -> None:
    answer = await alice.post("/conversations", json={"title": " "})
    assert answer.json()["detail"] == "title must be 1 to 100 characters"


async def test_the_list_holds_ones_own_conversations_and_direct_chats(
    alice: AppClient, bob: AppClient, carol: AppClient
) -> None:
    room = await alice.channel("bob", private=True)
    conversation = await alice.channel("bob", kind="conversation")
    direct = (await alice.post("/api/v1/channels", json={"kind": "direct", "user": "bob"})).json()
    made = {room, conversation, direct["id"]}

    async def listed(client: AppClient) -> set[int]:
        return {c["id"] for c in (await client.get("/conversations/")).json()} & made

    assert await listed(alice) == await listed(bob) == {conversation, direct["id"]}
    assert await listed(carol) == set()


async def test_a_message_has_the_fields_of_the_frame(alice: AppClient, bob: AppClient) -> None:
    conversation = await alice.channel("bob", kind="conversation")
    path = f"/conversations/{conversation}/messages"
    answer = await bob.post(f"{path}/", json={"content": "Message text"})
    assert answer.status_code == 201
    message = answer.json()
    assert list(message) == [
        "id",
        "content",
        "sender_id",
        "sender_name",
        "conversation_id",
        "created_at",
    ]
    assert (message["sender_id"], message["sender_name"]) == (bob.id, "bob")
    assert (message["conversation_id"], message["content"]) == (conversation, "Message text")
    assert TIME.fullmatch(message["created_at"])
    assert (await alice.get(path)).json() == [message]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/messages"), ("POST", "/messages")],
)
async def test_everything_here_is_for_participants_even_of_public_rooms(
    alice: AppClient, carol: AppClient, method: str, path: str
) -> None:
    for channel in (await alice.channel(), await alice.channel(kind="conversation")):
        answer = await carol.request(
            method, f"/conversations/{channel}{path}", json={"content": "x"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


async def test_the_examples_of_the_document_work_in_development_mode() -> None:
    async with app_client(dev=True) as anyone:
        form = {"username": "testuser", "password": "TestPassword123"}
        token = (await anyone.post("/auth/token", data=form)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        [sample] = (await anyone.get("/conversations/", headers=headers)).json()
        assert (sample["id"], sample["participants"]) == (1, ["testuser", "alice"])
        assert (await anyone.get("/api/rooms/room123", headers=headers)).status_code == 200
        assert (await anyone.get("/healthz")).json() == {"status": "ok", "dev": True}
        stranger = await anyone.get("/healthz", headers={"Host": "evil.example"})
        assert (stranger.status_code, stranger.json()["code"]) == (403, "loopback_only")
        for path in ("/conversations", "/api/rooms", "/api/v1/me"):
            assert (await anyone.get(path)).status_code == 401
