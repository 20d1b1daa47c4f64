"""Everybody of every protocol in one channel of the real server: who is told what, to the letter.

What peers of a call say, and how each protocol words it, is the table of
`tests/dialects/test_crossing_calls.py`: here it crosses the server.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.dialects.test_crossing_calls import ACROSS, EMPTY_OBJECT, SAID, WITHIN
from tests.support.gathering import (
    PROTOCOLS,
    WITH_CALLS,
    WITH_MESSAGES,
    Actor,
    Frame,
    Gathering,
    gathering,
)
from tests.support.server import running_server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

NOTHING: dict[str, list[Frame]] = {protocol: [] for protocol in PROTOCOLS}

WORDLESS: dict[str, dict[str, Frame]] = {
    "rooms": {kind: {"type": kind, "sdp": "v=0", "data": {}} for kind in ("offer", "custom")},
    "conversations": {kind: {"type": kind, "sdp": "v=0"} for kind in ("offer", "typing", "custom")},
    "signaling": {
        kind: {"type": kind, "data": {}, "content": "Hello!"}
        for kind in ("hang-up", "call-declined", "custom", "message", "typing")
    },
}
"""What a protocol has no frame for is an error there, and told to nobody."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Gathering]:
    async with running_server(dev=True) as server, gathering(server) as everybody:
        yield everybody


def presence(stage: Gathering, of: Actor, state: str) -> dict[str, list[Frame]]:
    """How a user's coming and going is told."""
    id, name = of.account.id, of.account.name
    joined = "user_joined" if state == "user_joined" else "user_left"
    online = "online" if state == "user_joined" else "offline"
    user = {"id": id, "name": name}
    return {
        **NOTHING,
        "rooms": [{"type": state, "room_id": stage.id, "user_id": id, "username": name}],
        "conversations": [{"type": joined, "user_id": id, "username": name}],
        "native": [{"type": "presence", "channel": stage.id, "user": user, "state": online}],
    }


def peers(stage: Gathering, of: Actor, does: str) -> dict[str, list[Frame]]:
    """How a peer's coming into the call and going is told."""
    room = stage.key
    return {
        **NOTHING,
        "native": [{"type": f"peer_{does}", "channel": stage.id, "peer": named(of, "native")}],
        "relay-video": [{"type": f"user-{does}", "room_id": room, "user_id": of.peer}],
        "conference": [{"type": f"user-{does}", "user_id": of.peer, "room_id": room}],
        "signaling": [{"type": f"user_{does}", "username": of.peer, "room_id": room}],
    }


def named(peer: Actor, protocol: str) -> Any:
    """What a protocol puts where a peer belongs."""
    if protocol != "native":
        return peer.peer
    return {"id": peer.peer, "user": {"id": peer.account.id, "name": peer.account.name}}


def both(first: dict[str, list[Frame]], second: dict[str, list[Frame]]) -> dict[str, list[Frame]]:
    """One thing after the other."""
    return {protocol: first[protocol] + second[protocol] for protocol in PROTOCOLS}


def told(stage: Gathering, kind: str, sender: Actor, target: Actor) -> list[Frame]:
    """What a listener is told of a signal."""
    source, protocol = sender.protocol, target.protocol
    within = WITHIN[kind].get(protocol) if source == protocol else None
    words = within or ACROSS[kind].get(protocol)
    if words is None:
        return []
    if within is None and (kind, source) in EMPTY_OBJECT:
        words = words.replace("null", "{}")
    words = words.replace("FROM", json.dumps(named(sender, protocol)))
    words = words.replace("TO", json.dumps(named(target, protocol)))
    return [json.loads(here(stage, words))]


def here(stage: Gathering, words: str) -> str:
    """A frame of the tables, in this channel."""
    return words.replace('"room123"', f'"{stage.key}"').replace(
        '"channel":5', f'"channel":{stage.id}'
    )


@pytest.mark.parametrize("cut", [False, True], ids=["closes", "is cut off"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_coming_and_going(stage: Gathering, protocol: str, cut: bool) -> None:
    async with stage.coming(protocol) as actor:
        came = presence(stage, actor, "user_joined")
        in_call = protocol in WITH_CALLS - {"native"}
        joined = peers(stage, actor, "joined") if in_call else NOTHING
        assert await stage.heard() == both(came, joined)
        if cut:
            actor.cut()
    left = peers(stage, actor, "left") if in_call else NOTHING
    assert await stage.heard() == both(left, presence(stage, actor, "user_disconnected"))


@pytest.mark.parametrize("protocol", ["rooms", "native"])
async def test_leaving_the_channel(stage: Gathering, protocol: str) -> None:
    async with stage.coming(protocol) as actor:
        await stage.heard()
        if protocol == "rooms":
            await actor.say(type="leave_room")
            await actor.hear_until('"room_left"')
        else:
            await actor.ask(type="unsubscribe", channel=stage.id)
        assert await stage.heard() == presence(stage, actor, "user_left")
    assert await stage.heard() == NOTHING


async def test_coming_into_the_call_and_going_out_of_it(stage: Gathering) -> None:
    async with stage.coming("native") as actor:
        await stage.heard()
        others = (await actor.ask(type="call_join", channel=stage.id))["peers"]
        known = [named(peer, "native") for p, peer in stage.listeners.items() if p in WITH_CALLS]
        assert others[:-1] == known
        assert await stage.heard() == peers(stage, actor, "joined")
        await actor.ask(type="call_leave", channel=stage.id)
        assert await stage.heard() == peers(stage, actor, "left")
        await actor.ask(type="call_join", channel=stage.id)
        await stage.heard()
        await actor.ask(type="unsubscribe", channel=stage.id)
        went = presence(stage, actor, "user_left")
        assert await stage.heard() == both(peers(stage, actor, "left"), went)


@pytest.mark.parametrize("protocol", sorted(WITH_MESSAGES))
async def test_a_message(stage: Gathering, protocol: str) -> None:
    async with stage.coming(protocol) as actor:
        await stage.heard()
        content = f"Hello, says {protocol}!"
        frame: Frame = {"content": content}
        if protocol != "conversations":
            frame["type"] = "message" if protocol == "rooms" else "send"
        if protocol == "native":
            frame["channel"] = stage.id
        await actor.say(**frame)
        await actor.hear_until(content)
        heard = await stage.heard()
        (stored,) = [row for row in await stage.messages() if row["content"] == content]
        id, name = actor.account.id, actor.account.name
        at = stored["created_at"]
        assert heard == {
            **NOTHING,
            "rooms": [{
                "type": "message", "id": stored["id"], "room_id": stage.id, "user_id": id,
                "username": name, "content": content, "created_at": at,
            }],
            "conversations": [{
                "type": "message", "id": stored["id"], "content": content, "sender_id": id,
                "sender_name": name, "conversation_id": stage.id,
                "created_at": at[:19].replace("T", " "),
            }],
            "native": [{
                "type": "message", "channel": stage.id, "seq": stored["seq"], "id": stored["id"],
                "sender": {"id": id, "name": name}, "content": content, "created_at": at,
            }],
        }  # fmt: skip


@pytest.mark.parametrize("protocol", ["rooms", "native"])
async def test_typing(stage: Gathering, protocol: str) -> None:
    async with stage.coming(protocol) as actor:
        await stage.heard()
        id, name = actor.account.id, actor.account.name
        where = {"channel": stage.id} if protocol == "native" else {}
        await actor.say(type="typing", **where)
        await actor.is_read()
        typing = {
            "type": "typing", "channel": stage.id, "user": {"id": id, "name": name}, "typing": True
        }  # fmt: skip
        words = {"type": "user_typing", "room_id": stage.id, "user_id": id, "username": name}
        assert await stage.heard() == {**NOTHING, "rooms": [words], "native": [typing]}
        if protocol == "native":
            await actor.say(type="typing", typing=False, **where)
            await actor.is_read()
            assert await stage.heard() == {**NOTHING, "native": [{**typing, "typing": False}]}


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [
        (kind, protocol)
        for kind, frames in SAID.items()
        for protocol in PROTOCOLS
        if protocol in frames
    ],
)
async def test_a_signal(stage: Gathering, kind: str, protocol: str) -> None:
    async with stage.coming(protocol) as actor:
        if protocol == "native":
            await actor.ask(type="call_join", channel=stage.id)
        await stage.heard()
        await actor.socket.send(here(stage, SAID[kind][protocol]))
        await actor.is_read()
        assert await stage.heard() == {
            to: told(stage, kind, actor, listener) if to in WITH_CALLS else []
            for to, listener in stage.listeners.items()
        }


@pytest.mark.parametrize(
    ("protocol", "kind"), [(protocol, kind) for protocol in WORDLESS for kind in WORDLESS[protocol]]
)
async def test_what_a_protocol_has_no_frame_for_is_told_to_nobody(
    stage: Gathering, protocol: str, kind: str
) -> None:
    async with stage.coming(protocol) as actor:
        await stage.heard()
        await actor.say(**WORDLESS[protocol][kind])
        await actor.hear_until('"error"')
        assert await stage.heard() == NOTHING


@pytest.mark.parametrize("listener", sorted(WITH_CALLS))
@pytest.mark.parametrize("protocol", sorted(WITH_CALLS))
async def test_a_signal_for_one_peer_is_told_to_that_one_alone(
    stage: Gathering, protocol: str, listener: str
) -> None:
    target = stage.listeners[listener]
    async with stage.coming(protocol) as actor:
        if protocol == "native":
            await actor.ask(type="call_join", channel=stage.id)
        await stage.heard()
        frame = json.loads(here(stage, SAID["offer"][protocol]))
        to = {"native": "to", "relay-video": "to_user_id", "conference": "target_id"}
        frame[to.get(protocol, "target")] = target.peer
        await actor.say(**frame)
        await actor.is_read()
        expected = {**NOTHING, listener: told(stage, "offer", actor, target)}
        assert await stage.heard() == expected
