"""The REST of the native protocol."""

import json
import re

import pytest

from hubbub.core.events import Envelope
from hubbub.core.ids import Who
from tests.support.app import AppClient

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHANNELS = "/api/v1/channels"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def person(client: AppClient) -> dict[str, object]:
    return {"id": client.id, "name": client.name}


async def test_a_channel_is_made_and_shown(alice: AppClient, bob: AppClient) -> None:
    body = {"kind": "room", "name": "General", "private": True, "members": ["bob"]}
    answer = await alice.post(CHANNELS, json=body)
    assert answer.status_code == 201
    channel = answer.json()
    assert TIME.fullmatch(channel.pop("created_at"))
    assert channel.pop("key")
    assert channel.pop("epoch")
    assert channel == {
        "id": channel["id"],
        "kind": "room",
        "name": "General",
        "description": "",
        "private": True,
        "guests": False,
        "created_by": person(alice),
        "seq": 2,
        "member_count": 2,
        "role": "owner",
        "read": 1,
        "delivered": 1,
    }
    seen = (await bob.get(f"{CHANNELS}/{channel['id']}")).json()
    assert (seen["role"], seen["read"], seen["delivered"]) == ("member", 2, 2)


async def test_a_direct_chat_is_one_for_two_people(alice: AppClient, bob: AppClient) -> None:
    made = [
        (await alice.post(CHANNELS, json={"kind": "direct", "user": "bob"})).json(),
        (await bob.post(CHANNELS, json={"kind": "direct", "user": alice.id})).json(),
    ]
    assert made[0]["id"] == made[1]["id"]
    assert (made[0]["kind"], made[0]["private"], made[0]["member_count"]) == ("direct", True, 2)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "direct"}, 422, "invalid_user"),
        ({"kind": "direct", "user": "nobody"}, 404, "unknown_user"),
        ({"kind": "direct", "user": "alice"}, 409, "direct_with_self"),
        ({"kind": "room"}, 422, "invalid_name"),
        ({"kind": "room", "name": "x" * 101}, 422, "invalid_name"),
        ({"kind": "room", "name": "x", "description": "x" * 1001}, 422, "invalid_description"),
        ({"kind": "room", "name": "x", "members": ["nobody"]}, 404, "unknown_user"),
        ({"kind": "room", "name": "x", "members": [{}]}, 422, "invalid"),
        ({"kind": "meeting", "name": "x"}, 422, "invalid"),
        ({"kind": "room", "name": "x", "private": "true"}, 422, "invalid"),
        ({"kind": "room", "name": "x", "guests": 1}, 422, "invalid"),
        ({"kind": "room", "name": "x", "private": True, "guests": True}, 422, "private_guests"),
        ({"kind": "conversation", "name": "x", "guests": True}, 422, "private_guests"),
        ({"name": "x"}, 422, "invalid"),
    ],
)
async def test_a_channel_that_cannot_be_is_not_made(
    alice: AppClient, body: dict[str, object], status: int, code: str
) -> None:
    before = (await alice.get(CHANNELS)).json()
    answer = await alice.post(CHANNELS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await alice.get(CHANNELS)).json() == before


async def test_the_list_is_ones_own_or_everything_one_may_see(
    alice: AppClient, carol: AppClient
) -> None:
    public, private = await alice.channel(), await alice.channel(private=True)

    async def listed(client: AppClient, query: str = "") -> set[int]:
        found = (await client.get(CHANNELS + query)).json()
        return {channel["id"] for channel in found} & {public, private}

    assert await listed(alice) == {public, private}
    assert await listed(carol) == set()
    assert await listed(carol, "?joined=false") == {public}


async def test_an_owner_changes_a_channel(alice: AppClient, bob: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel('bob')}"
    answer = await alice.patch(path, json={"name": "News", "private": True})
    assert (answer.json()["name"], answer.json()["private"]) == ("News", True)
    assert (await alice.patch(path, json={})).json() == answer.json()
    assert (await alice.patch(path, json={"description": "d"})).json()["name"] == "News"
    refused = await bob.patch(path, json={"name": "Mine"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_an_owner_opens_a_room_to_guests_and_closes_it_again(alice: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel()}"
    opened = await alice.patch(path, json={"guests": True})
    assert (opened.json()["guests"], opened.json()["seq"]) == (True, 2)
    assert (await alice.patch(path, json={"guests": True, "name": "General"})).json()["seq"] == 2
    refused = await alice.patch(path, json={"private": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "private_guests")
    assert (await alice.get(path)).json() == opened.json()
    shut = (await alice.patch(path, json={"guests": False, "private": True})).json()
    assert (shut["guests"], shut["private"]) == (False, True)
    told = (await alice.get(f"{path}/events?after=1")).json()
    assert [(event["guests"], event["private"]) for event in told] == [(True, False), (False, True)]


async def test_members_come_and_go(alice: AppClient, bob: AppClient, carol: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel(private=True)}"
    added = await alice.put(f"{path}/members/Bob")
    assert added.status_code == 200
    assert (added.json()["user"], added.json()["role"]) == (person(bob), "member")
    assert TIME.fullmatch(added.json()["joined_at"])
    assert (await alice.put(f"{path}/members/bob")).json() == added.json()
    assert (await alice.put(f"{path}/members/{carol.id}")).status_code == 200
    members = (await bob.get(f"{path}/members/")).json()
    assert [member["user"]["name"] for member in members] == ["alice", "bob", "carol"]
    assert (await alice.delete(f"{path}/members/carol")).status_code == 204
    assert (await carol.get(path)).status_code == 403
    gone = await alice.delete(f"{path}/members/carol")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_member")
    own = await alice.delete(f"{path}/members/alice")
    assert (own.status_code, own.json()["code"]) == (409, "use_leave")
    assert (await bob.post(f"{path}/leave")).status_code == 204
    assert len((await alice.get(f"{path}/members")).json()) == 1


async def test_an_owner_gives_roles_to_members_and_newcomers_alike(
    alice: AppClient, bob: AppClient, carol: AppClient
) -> None:
    path = f"{CHANNELS}/{await alice.channel('bob', private=True)}"
    for name in ("bob", "carol"):
        answer = await alice.put(f"{path}/members/{name}", json={"role": "moderator"})
        assert (answer.json()["user"]["name"], answer.json()["role"]) == (name, "moderator")
    last = await alice.put(f"{path}/members/alice", json={"role": "member"})
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")


async def test_who_may_not_give_a_role_adds_nobody_either(
    alice: AppClient, bob: AppClient, carol: AppClient
) -> None:
    path = f"{CHANNELS}/{await alice.channel('bob', private=True)}"
    await alice.put(f"{path}/members/bob", json={"role": "moderator"})
    refused = await bob.put(f"{path}/members/carol", json={"role": "owner"})
    assert refused.status_code == 403
    assert (await carol.get(path)).status_code == 403
    assert (await bob.put(f"{path}/members/carol")).status_code == 200


async def test_a_public_room_is_joined_and_left(alice: AppClient, carol: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel()}"
    assert (await carol.post(f"{path}/join/")).json()["role"] == "member"
    answer = await carol.post(f"{path}/leave/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await carol.get(path)).json()["role"] is None


async def test_a_repeated_post_is_one_message(alice: AppClient) -> None:
    channel = await alice.channel()
    path = f"{CHANNELS}/{channel}/messages"
    body = {"content": "once", "client_id": "c-1"}
    first, second = await alice.post(path, json=body), await alice.post(path, json=body)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    posted = first.json()
    assert TIME.fullmatch(posted["created_at"])
    assert posted == {
        "id": posted["id"],
        "seq": 2,
        "created_at": posted["created_at"],
        "channel": channel,
        "sender": person(alice),
        "content": "once",
        "client_id": "c-1",
    }
    [message] = (await alice.get(path)).json()
    assert message == {"type": "message", **posted}


@pytest.mark.parametrize("client_id", ["", "x" * 65, 7])
async def test_a_client_id_has_limits(alice: AppClient, client_id: object) -> None:
    path = f"{CHANNELS}/{await alice.channel()}/messages"
    answer = await alice.post(path, json={"content": "x", "client_id": client_id})
    assert answer.status_code == 422


async def test_events_are_the_same_bytes_as_on_a_socket(alice: AppClient, bob: AppClient) -> None:
    channel = await alice.channel("bob")
    path = f"{CHANNELS}/{channel}"
    await bob.post(f"{path}/messages", json={"content": "h\u00e9llo \U0001f600"})
    await alice.patch(path, json={"name": "News"})
    await bob.post(f"{path}/leave")
    services = alice.services
    stored: list[Envelope] = await services.chat.events(Who(alice.id, "alice"), channel, 0, 200)
    answer = await alice.get(f"{path}/events/")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == b"[" + b",".join(map(services.encode_event, stored)) + b"]"
    events = answer.json()
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
    assert [event["type"] for event in events] == [
        "member_joined",
        "member_joined",
        "message",
        "channel_changed",
        "member_left",
    ]
    assert (await alice.get(f"{path}/events?after=2&limit=2")).json() == events[2:4]
    assert (await alice.get(f"{path}/events?after=5")).json() == []


async def test_cursors_move_forward_and_never_past_the_top(alice: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel()}"
    await alice.post(f"{path}/messages", json={"content": "x"})

    async def cursors(**body: int) -> tuple[int, int]:
        assert (await alice.put(f"{path}/cursor", json=body)).status_code == 204
        channel = (await alice.get(path)).json()
        return channel["read"], channel["delivered"]

    assert await cursors(delivered=2) == (1, 2)
    assert await cursors(read=2, delivered=1) == (2, 2)
    assert await cursors(read=1) == (2, 2)
    assert await cursors(read=1000) == (2, 2)


async def test_only_members_have_cursors(alice: AppClient, carol: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel()}/cursor"
    answer = await carol.put(path, json={"read": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


async def test_presence_is_who_has_a_socket_there(alice: AppClient) -> None:
    path = f"{CHANNELS}/{await alice.channel()}/presence"
    assert (await alice.get(path)).json() == []


async def test_a_key_names_a_channel_and_digits_are_an_id(alice: AppClient) -> None:
    channel = (await alice.get(f"{CHANNELS}/{await alice.channel()}")).json()
    assert (await alice.get(f"{CHANNELS}/{channel['key']}")).json() == channel
    assert (await alice.get(f"{CHANNELS}/0{channel['id']}")).json() == channel


async def test_what_is_stored_is_what_is_answered(alice: AppClient) -> None:
    channel = await alice.channel()
    path = f"{CHANNELS}/{channel}/messages"
    content = '\u202e<script>alert(1)</script>\\"\r\n\u2028\U0001f468\u200d\U0001f469'
    answer = await alice.post(path, content=json.dumps({"content": content}).encode(),
                              headers={"Content-Type": "application/json"})  # fmt: skip
    assert answer.json()["content"] == content
    for where in (path, f"/api/rooms/{channel}/messages", f"/conversations/{channel}/messages"):
        [message] = (await alice.get(where)).json()
        assert message["content"] == content


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{", 400, "unreadable"),
        ("application/json", b'{"content": "x", "more": NaN}', 400, "unreadable"),
        ("application/json", b'{"content": "x", "more": ' + b"[" * 32 + b"]" * 32 + b"}", 400,
         "too_deep"),
        ("application/json", b'{"content": "x", "more": 9007199254740992}', 422,
         "integer_out_of_range"),
        ("application/json", rb'{"content": "\u0000"}', 422, "invalid_body"),
        ("application/json", rb'{"content": "x", "more": ["\ud800"]}', 422, "invalid_body"),
        ("application/json", b'["content"]', 422, "invalid"),
        ("application/json", b"", 400, "unreadable"),
        ("text/plain", b'{"content": "x"}', 400, "unreadable"),
        ("application/x-www-form-urlencoded", b"content=x", 400, "unreadable"),
    ],
)  # fmt: skip
async def test_bodies_are_read_strictly(
    alice: AppClient, content_type: str, body: bytes, status: int, code: str
) -> None:
    path = f"{CHANNELS}/{await alice.channel()}/messages"
    answer = await alice.post(path, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await alice.get(path)).json() == []


async def test_who_is_no_person_is_told_in_words(alice: AppClient) -> None:
    answer = await alice.post("/api/v1/channels", json={"kind": "direct", "user": True})
    assert answer.json() == {
        "detail": "user: input should be a valid integer, or input should be a valid string",
        "code": "invalid",
    }
