"""Native sockets: connecting with a token and channels, going on with a newer one, running out."""

from typing import Any

import pytest

from hubbub.core.errors import AccountGone, Unavailable
from hubbub.core.events import SessionRevoked
from hubbub.core.ids import Who
from hubbub.hub.hub import PING_SECONDS, HubLimits
from hubbub.hub.login import EXPIRY_GRACE, MOST_RECOVERED
from tests.hub.conversation import NOW, ROOMS, TALK, Client
from tests.hub.fakes import Known, Stage, turns
from tests.support.samples import ALICE, BOB, EPOCH, said, typing

pytestmark = pytest.mark.usefixtures("either_way")

TTL = 1_800


def stage_with_tokens(limits: HubLimits | None = None) -> Stage:
    stage = Stage(limits)
    stage.services.tokens = {
        "alice's": Known(ALICE, NOW + TTL),
        "alice's next": Known(Who(ALICE.id, ALICE.name, "another login"), NOW + 2 * TTL),
        "bob's": Known(BOB, NOW + TTL),
    }
    return stage


def connect(token: str | None = "alice's", *channels: Any, id: int | None = 1) -> dict[str, Any]:
    entries = [c if isinstance(c, dict) else {"channel": c} for c in channels]
    command: dict[str, Any] = {"type": "connect", "channels": entries}
    if token is not None:
        command["token"] = token
    if id is not None:
        command["id"] = id
    return command


async def test_a_token_in_the_first_command_says_who_it_is() -> None:
    stage = stage_with_tokens()
    client = Client(stage, None)
    client.say(connect())
    result = (await client.reply(1))["result"]
    assert result == {
        "connection_id": "c1",
        "user": {"id": 1, "name": "alice"},
        "ttl": TTL,
        "ping": PING_SECONDS,
        "channels": [],
    }
    assert stage.services.called("opened") == [(1, "c1", "native", "", "10.0.0.1")]


async def test_a_token_of_the_handshake_is_enough() -> None:
    stage = stage_with_tokens()
    client = Client(stage, ALICE, expires_at=NOW + 60)
    client.say(connect(None))
    result = (await client.reply(1))["result"]
    assert (result["user"]["name"], result["ttl"]) == ("alice", 60)
    assert stage.services.called("identify") == []
    assert len(stage.services.called("opened")) == 1


async def test_a_newer_token_may_follow_that_of_the_handshake() -> None:
    stage = stage_with_tokens()
    client = Client(stage, ALICE, expires_at=NOW + 60)
    client.say(connect("alice's next"))
    assert (await client.reply(1))["result"]["ttl"] == 2 * TTL
    assert client.connection.link.who is not None
    assert client.connection.link.who.session == "another login"
    assert len(stage.services.called("opened")) == 1


async def test_somebody_elses_token_is_refused_and_the_socket_may_try_again() -> None:
    stage = stage_with_tokens()
    client = Client(stage, ALICE, expires_at=NOW + 60)
    client.say(connect("bob's"), connect("alice's", id=2))
    assert (await client.reply(1))["error"]["code"] == "other_user"
    assert "result" in await client.reply(2)
    assert client.sink.ended is None


@pytest.mark.parametrize(
    ("token", "code", "slug"), [("bad", 4001, "token_invalid"), (None, 4001, "unauthenticated")]
)
async def test_without_a_good_token_the_socket_is_told_why_and_closed(
    token: str | None, code: int, slug: str
) -> None:
    client = Client(stage_with_tokens(), None)
    client.say(connect(token), {"id": 2, "type": "send", "channel": 1, "content": "hi"})
    await client.ended()
    assert [frame["error"]["code"] for frame in client.frames] == [slug]
    assert client.sink.code == code
    assert client.stage.services.called("post") == []


async def test_a_good_token_of_an_account_that_is_gone_closes_4000() -> None:
    stage = stage_with_tokens()
    stage.services.fail("identify", AccountGone("gone"))
    client = Client(stage, None)
    client.say(connect())
    await client.ended()
    assert client.sink.code == 4000


async def test_when_tokens_cannot_be_checked_now_the_socket_may_try_again() -> None:
    stage = stage_with_tokens()
    stage.services.fail("identify", Unavailable("not now"))
    client = Client(stage, None)
    client.say(connect())
    assert (await client.reply(1))["error"]["temporary"] is True
    client.say(connect(id=2))
    assert "result" in await client.reply(2)


async def test_a_socket_too_many_is_told_so_and_closed() -> None:
    stage = stage_with_tokens(HubLimits(per_user=1))
    stage.connect(ALICE)
    client = Client(stage, None)
    client.say(connect())
    await client.ended()
    assert client.frames[0]["error"]["code"] == "too_many_connections"
    assert client.sink.code == 1013
    assert len(stage.hub.connections) == 1


BEFORE = [
    {"type": "send", "channel": 1, "content": "hi"},
    {"type": "read", "channel": 1, "seq": 1},
    {"type": "delivered", "channel": 1, "seq": 1},
    {"type": "typing", "channel": 1},
    {"type": "subscribe", "channel": 1},
    {"type": "subscribe", "channel": "nowhere"},
    {"type": "unsubscribe", "channel": 1},
    {"type": "unsubscribe", "channel": "nowhere"},
    {"type": "history", "channel": 1},
    {"type": "presence", "channel": 1},
    {"type": "refresh", "token": "alice's"},
    {"type": "refresh", "token": "bad"},
    {"type": "ping"},
]


@pytest.mark.parametrize("command", BEFORE, ids=lambda c: "-".join(map(str, c.values())))
@pytest.mark.parametrize("who", [None, ALICE])
async def test_nothing_goes_before_connect(command: dict[str, Any], who: Who | None) -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    client = Client(stage, who)
    client.say({**command, "id": 5})
    assert (await client.reply(5))["error"]["code"] == "not_connected"
    asked = {name for name, _ in stage.services.calls} - {"opened"}
    assert asked == set()


async def test_connecting_twice_is_refused_and_changes_nothing() -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    client = Client(stage, None)
    client.say(connect("alice's", 1), connect("bob's", id=2), {"id": 3, "type": "ping"})
    await client.reply(3)
    assert (await client.reply(2))["error"]["code"] == "already_connected"
    assert client.connection.link.who == ALICE
    assert client.connection.subscriptions


async def test_a_socket_whose_login_ended_while_it_connected_is_closed() -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    gate = stage.services.hold("enter")
    client = Client(stage, None)
    client.say(connect("alice's", 1))
    await gate.reached.wait()
    stage.bus.notify(SessionRevoked("alice's login"))
    gate.opened.set()
    await client.ended()
    assert client.sink.code == 4001
    assert client.frames == []


# Channels of connect


async def test_each_channel_is_answered_in_its_place_and_a_bad_one_fails_alone() -> None:
    stage = stage_with_tokens()
    place = stage.services.add(1, ALICE)
    stage.services.add(2, BOB, private=True)
    stage.services.add(3)
    stage.happen(place, said("1"), said("2"))
    client = Client(stage, None)
    cursor = {"epoch": EPOCH, "seq": 1}
    client.say(connect("alice's", {"channel": 1, "cursor": cursor}, 2, "key-3", 99, "nowhere"))
    entries = (await client.reply(1))["result"]["channels"]
    assert [entry["channel"] for entry in entries] == [1, 2, 3, 99, "nowhere"]
    assert [entry.get("error", {}).get("code") for entry in entries] == [
        None, "not_a_member", None, "unknown_channel", "unknown_channel",
    ]  # fmt: skip
    assert [event["seq"] for event in entries[0]["events"]] == [2]
    assert set(client.connection.subscriptions) == {1, 3}


async def test_what_the_first_channels_tell_comes_behind_the_answer() -> None:
    stage = stage_with_tokens()
    places = [stage.services.add(id, ALICE, BOB) for id in (1, 2)]
    client = Client(stage, None)
    stage.services.hold("enter").opened.set()
    gate = stage.services.hold("entered")
    gate.opened.set()
    second = stage.services.hold("enter")
    client.say(connect("alice's", {"channel": 1, "presence": True}, 2))
    await second.reached.wait()
    stage.happen(places[0], said("1"), said("2"))
    stage.happen(places[1], said("3", in_channel=2))
    stage.publish(typing(BOB))
    client.incoming.put_nowait({"type": "websocket.receive", "bytes": b""})
    await turns()
    assert client.frames == []
    second.opened.set()
    await client.reply(1)
    stage.happen(places[1], said("4", in_channel=2))
    await turns()
    answer, *rest = client.frames
    assert [entry["seq"] for entry in answer["result"]["channels"]] == [0, 1]
    told = [(f.get("channel"), f.get("seq")) for f in rest if f["type"] == "message"]
    assert told == [(1, 1), (1, 2), (2, 2)]
    assert {f["type"] for f in rest} == {"message", "typing", "error"}


async def test_a_connect_that_wants_no_answer_lets_events_through_all_the_same() -> None:
    stage = stage_with_tokens()
    place = stage.services.add(1, ALICE)
    client = Client(stage, None)
    client.say(connect("alice's", 1, id=None))
    await turns(10)
    stage.happen(place, said())
    await turns()
    assert [frame["type"] for frame in client.frames] == ["message"]


async def test_the_same_channel_twice_is_one_place() -> None:
    stage = stage_with_tokens()
    place = stage.services.add(1, ALICE)
    client = Client(stage, None)
    client.say(connect("alice's", 1, "key-1"))
    assert len((await client.reply(1))["result"]["channels"]) == 2
    stage.happen(place, said())
    await turns()
    assert len([frame for frame in client.frames if frame.get("type") == "message"]) == 1


async def test_a_mistake_of_ours_while_connecting_closes_the_socket() -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    stage.services.fail("enter", RuntimeError("a mistake"))
    client = Client(stage, None)
    client.say(connect("alice's", 1))
    await client.ended()
    assert client.sink.code == 1011
    assert stage.hub.connections == set()


async def test_a_peer_that_goes_while_it_connects_leaves_nothing() -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    stage.services.add(2, ALICE)
    stage.services.hold("enter").opened.set()
    second = stage.services.hold("enter")
    client = Client(stage, None)
    client.say(connect("alice's", 1, 2))
    await second.reached.wait()
    client.leave()
    await client.ended()
    await turns()
    assert stage.hub._feeds == {}
    assert len(stage.services.called("come")) == len(stage.services.called("go")) == 1
    assert stage.services.called("closed") == ["c1"]


@pytest.mark.parametrize("held", ["identify"])
async def test_a_peer_that_goes_before_it_is_known_counts_nowhere(held: str) -> None:
    stage = stage_with_tokens(HubLimits(per_user=1, per_address=1))
    gate = stage.services.hold(held)
    client = Client(stage, None)
    client.say(connect())
    await gate.reached.wait()
    client.leave()
    await client.ended()
    gate.opened.set()
    await turns()
    assert stage.services.called("opened") == []
    stage.connect(ALICE)


# Running out


def pass_time(stage: Stage, seconds: int) -> None:
    stage.clock.now += seconds
    stage.hub.tick()


async def test_a_socket_is_closed_25_seconds_after_its_token_ended() -> None:
    stage = stage_with_tokens()
    client = Client(stage, None)
    client.say(connect())
    await client.reply(1)
    pass_time(stage, TTL + EXPIRY_GRACE - 1)
    assert client.sink.ended is None
    pass_time(stage, 1)
    await client.ended()
    assert (EXPIRY_GRACE, client.sink.code) == (25, 4001)


async def test_a_newer_token_keeps_the_socket_open() -> None:
    stage = stage_with_tokens()
    client = Client(stage, None)
    client.say(connect(), {"id": 2, "type": "refresh", "token": "alice's next"})
    assert (await client.reply(2))["result"] == {"ttl": 2 * TTL}
    pass_time(stage, 2 * TTL + EXPIRY_GRACE - 1)
    assert client.sink.ended is None
    stage.bus.notify(SessionRevoked("alice's login"))
    assert client.sink.ended is None
    stage.bus.notify(SessionRevoked("another login"))
    assert client.sink.code == 4001


@pytest.mark.parametrize(("token", "code"), [("bob's", "other_user"), ("bad", "token_invalid")])
async def test_a_token_that_is_no_good_changes_nothing(token: str, code: str) -> None:
    stage = stage_with_tokens()
    client = Client(stage, None)
    client.say(connect(), {"id": 2, "type": "refresh", "token": token})
    assert (await client.reply(2))["error"]["code"] == code
    assert client.sink.ended is None
    assert client.connection.link.who == ALICE
    pass_time(stage, TTL + EXPIRY_GRACE)
    assert client.sink.code == 4001


async def test_a_socket_that_never_connects_is_closed() -> None:
    stage = stage_with_tokens()
    client = Client(stage, None)
    client.connection.deadline = stage.clock.now + 10
    await turns()
    pass_time(stage, 10)
    await client.ended()
    assert client.sink.code == 4001


@pytest.mark.parametrize("dialect", [ROOMS, TALK])
async def test_the_documents_sockets_outlive_their_token(dialect: Any) -> None:
    stage = stage_with_tokens()
    stage.services.add(1, ALICE)
    client = Client(stage, ALICE, dialect, path=1, expires_at=NOW + 1)
    await turns()
    pass_time(stage, 10 * TTL)
    assert client.sink.ended is None


async def test_what_all_channels_missed_is_bounded_and_the_rest_is_truncated() -> None:
    stage = stage_with_tokens()
    number = 5
    for id in range(1, number + 1):
        place = stage.services.add(id, ALICE)
        for _ in range(MOST_RECOVERED // 3 // 4_000):
            place.commit(said("x" * 4_000, in_channel=id))
    client = Client(stage, None)
    missed = {"cursor": {"epoch": EPOCH, "seq": 0}}
    client.say(connect("alice's", *[{"channel": id, **missed} for id in range(1, number + 1)]))
    channels = (await client.reply(1))["result"]["channels"]
    assert [c["recovery"] for c in channels] == ["recovered"] * 2 + ["truncated"] * 3
    assert [len(c["events"]) > 0 for c in channels] == [True] * 2 + [False] * 3
    assert channels[4]["oldest"] == channels[4]["seq"] + 1
    assert len(client.sink.writes[-1]) < 1.5 * MOST_RECOVERED
