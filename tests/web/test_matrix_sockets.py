"""Every way in and every frame of the matrix, as everybody, on sockets of the whole application."""

from collections.abc import AsyncIterator, Mapping, Set
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from hubbub.dialects.base import Dialect
from hubbub.dialects.signals import ENDINGS, NEGOTIATION
from hubbub.main import dialects
from hubbub.web import asyncapi
from hubbub.web.doors import WAYS
from tests.support.app import AppClient
from tests.web.house import WITNESS, House, Place, houses
from tests.web.matrix import (
    CALL_JOIN,
    CLOSED,
    CLOSED_WITH,
    ERRORS,
    FRAMES,
    OTHER,
    SOCKETS,
    SUBSCRIBE,
    TOKENLESS,
    Actor,
    Frame,
)
from tests.web.wire import Wire, until, wired

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

DOCUMENT = asyncapi.document(dialects())
ID = 9
"""What native commands are numbered with here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[list[House]]:
    async with houses() as made:
        yield made


async def test_every_way_in_has_a_row() -> None:
    assert {name.split()[0] for name in SOCKETS} == {way.name for way in WAYS}


async def test_every_frame_has_a_row() -> None:
    assert {" ".join(name.split()[:2]) for name in FRAMES} == {
        f"{dialect.name} {kind}"
        for dialect in dialects().values()
        for frame in dialect.client_frames
        for kind in kinds(dialect, frame)
    }


@pytest.mark.parametrize("name", FRAMES)
async def test_a_row_says_what_it_is_about(name: str) -> None:
    kind = name.split()[1]
    said = FRAMES[name].said.get("type")
    if kind == OTHER:
        assert f"{name.split()[0]} {said}" not in FRAMES
    else:
        assert said in (kind, None)


def kinds(dialect: Dialect, frame: type[msgspec.Struct]) -> Set[str]:
    """What a frame can be: of its tag, of one of the types that are told apart, or just itself."""
    tag, name = frame.__struct_config__.tag, frame.__name__.lstrip("_")
    if tag is not None:
        return {str(tag)}
    if "type" not in frame.__struct_fields__:
        return {name}
    schema = DOCUMENT["components"]["schemas"][f"{dialect.name}.client.{name}"]
    told_apart: dict[str, list[str]] = schema["properties"]["type"]
    return set(told_apart.get("enum", {*NEGOTIATION, *ENDINGS, OTHER}))


@pytest.mark.parametrize("name", SOCKETS)
async def test_sockets_are_open_to_whom_they_are_meant_for(servers: list[House], name: str) -> None:
    row = SOCKETS[name]
    for house in servers:
        for actor, client in house.actors.items():
            place = await found(house, name, actor)
            async with wired(house.anyone.app, target(name, client, place)) as wire:
                if actor not in row.may:
                    await until(lambda: wire.code is not None, wire)
                    assert wire.code == {**CLOSED_WITH, **row.refused}[actor], actor
                    continue
                wire.say({})
                await until(lambda: bool(wire.frames) or wire.code is not None, wire)
                assert wire.code is None, actor
                if row.greeting is not None:
                    await until(lambda: wire.has(type=row.greeting), wire)
            if name == "room":
                house.spoil(place)


@pytest.mark.parametrize("name", FRAMES)
async def test_everybody_may_say_what_is_theirs_and_nothing_else(
    servers: list[House], name: str
) -> None:
    row = FRAMES[name]
    for house in servers:
        for actor, client in house.actors.items():
            if actor not in SOCKETS[row.socket].may:
                continue
            place = await found(house, row.socket, actor)
            before = await house.contents(place)
            said = await outcome(house, client, row, place, connects=actor not in TOKENLESS)
            if actor in row.may:
                assert said == "told", actor
                house.spoil(place)
            else:
                assert said == {**ERRORS[row.socket], **row.refused}[actor], actor
                assert await house.contents(place) == before, actor


async def found(house: House, socket: str, actor: Actor) -> Place:
    """The channel that an actor comes to."""
    if socket.endswith("meeting"):
        return await house.meeting()
    return await house.place(private=actor is not Actor.PASSER)


async def outcome(
    house: House, client: AppClient, row: Frame, place: Place, *, connects: bool
) -> str:
    """`told`, or the code of the error that came instead."""
    app = house.anyone.app
    native = row.socket == "native"
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wired(app, target(row.socket, client, place)))
        greeting = SOCKETS[row.socket].greeting
        if greeting is not None:
            await until(lambda: wire.has(type=greeting), wire)
        seen = await witness(house, row, place, stack) if row.elsewhere else wire
        before = row.before
        if native and connects and row.said["type"] != "connect":
            before = ({"type": "connect"}, *before)
        for number, frame in enumerate(before, ID + 1):
            heard = len(wire.frames)
            wire.say(filled(frame, client, place) | {"id": number})
            await until(lambda heard=heard: len(wire.frames) > heard, wire)
        first, first_seen = len(wire.frames), len(seen.frames)
        wire.say(filled(row.said, client, place) | ({"id": ID} if native else {}))
        if row.after is not None:
            wire.say(filled(row.after, client, place))
        ends: list[str] = []

        def ended() -> bool:
            if row.told == CLOSED and wire.code is not None:
                ends.append("told")
            ends.extend(_ends(row, wire.frames[first:], seen.frames[first_seen:]))
            return bool(ends)

        await until(ended, wire, seen)
        return ends[0]


def _ends(row: Frame, own: list[dict[str, Any]], seen: list[dict[str, Any]]) -> list[str]:
    replies = [frame for frame in own if row.told is None and frame.get("id") == ID]
    told = [frame for frame in seen if row.told is not None and frame.get("type") == row.told]
    errors = [frame for frame in own if str(frame.get("type")).lower() == "error"]
    if told or any("result" in reply for reply in replies):
        return ["told"]
    failed = [reply["error"] for reply in replies] + errors
    return [str(error.get("code", error)) for error in failed]


async def witness(house: House, row: Frame, place: Place, stack: AsyncExitStack) -> Wire:
    """Somebody who sees what the frame does."""
    client = house.people[WITNESS]
    name = row.socket if row.socket in ("relay_chat", "peerjs") else "native"
    path = target(name, client, place)
    wire = await stack.enter_async_context(wired(house.anyone.app, path))
    if name == "peerjs":
        await until(lambda: wire.has(type="OPEN"), wire)
    elif name == "relay_chat":
        # Refused, which shows that the socket is where messages are brought to.
        wire.say({"to_user_id": WITNESS, "content": "x"})
        await until(lambda: wire.has(type="error"), wire)
    else:
        for number, frame in enumerate(({"type": "connect"}, SUBSCRIBE, CALL_JOIN), 1):
            wire.say(filled(frame, client, place) | {"id": number, "presence": True})
            await until(lambda number=number: wire.has(id=number), wire)
    return wire


def target(name: str, client: AppClient, place: Place) -> str:
    """The path of a socket, with whatever the client has for a token."""
    path = SOCKETS[name].path.format(id=place.id, key=place.key, name=client.name or "visitor")
    token = _token(client) or ("any-word" if name == "peerjs" else "")
    return f"{path}{'&' if '?' in path else '?'}token={token}" if token else path


def filled(frame: Mapping[str, Any], client: AppClient, place: Place) -> dict[str, Any]:
    """A frame of the table with this channel and this client's token."""
    values: dict[object, object] = {"{id}": place.id, "{token}": _token(client)}
    return {
        key: values.get(value, value) if isinstance(value, str) else value
        for key, value in frame.items()
    }


def _token(client: AppClient) -> str:
    return client.headers.get("Authorization", "").removeprefix("Bearer ")
