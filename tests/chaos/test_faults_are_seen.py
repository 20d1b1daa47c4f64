"""The checker, proved on real sockets: what a faulty proxy does to the wire is reported.

Between a reader and the real server stands a proxy that breaks one thing. A run in which the
checker did not report it by its own name would make every other run here worthless.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from tests.chaos.checker import Access, check
from tests.chaos.client import Client
from tests.chaos.record import Record
from tests.chaos.verdict import final_histories
from tests.support import proxy as faults
from tests.support.proxy import Edit, FaultProxy, Link, fault_proxy
from tests.support.server import NO_LIMITS, Account, Server, running_server

MESSAGES = 8
EVENT = '"type":"message"'
LAST = MESSAGES - 1


def _rewritten(payload: str) -> Sequence[str]:
    return (payload.replace("message 3", "another 3"),)


def _forged(payload: str) -> Sequence[str]:
    event = json.loads(payload)
    forged = event | {
        "seq": event["seq"] + 1, "id": event["id"] + 1, "content": "x", "client_id": "x"
    }  # fmt: skip
    return (payload, json.dumps(forged))


def _misdelivered(stranger: Link) -> Edit:
    def edit(payload: str) -> Sequence[str]:
        stranger.inject(payload)
        return (payload,)

    return edit


Plant = Callable[[Link], Edit]
"""Makes a fault, given the link of somebody who is no member."""

ON_EVENTS: dict[str, tuple[set[str], Plant]] = {
    "nothing": (set(), lambda _: lambda payload: (payload,)),
    "an event is dropped": (
        {"HOLE"},
        lambda _: faults.on_nth(3, faults.drop, containing=EVENT),
    ),
    "the newest event is dropped": (
        {"UNSEEN"},
        lambda _: faults.on_nth(LAST, faults.drop, containing=EVENT),
    ),
    "an event is doubled": (
        {"DUP"},
        lambda _: faults.on_nth(3, faults.double, containing=EVENT),
    ),
    "two events are swapped": ({"INVERT"}, lambda _: faults.swap_nth(3, containing=EVENT)),
    "an event is changed": ({"DIVERGE"}, lambda _: faults.on_nth(3, _rewritten, containing=EVENT)),
    "an event is made up": ({"PHANTOM"}, lambda _: faults.on_nth(LAST, _forged, containing=EVENT)),
    "an event is delivered to a stranger": (
        {"LEAK"},
        lambda stranger: faults.on_nth(3, _misdelivered(stranger), containing=EVENT),
    ),
}


class Stage:
    """A server, a proxy before it, a writer, a reader and a stranger."""

    def __init__(self, server: Server, proxy: FaultProxy, people: Sequence[Account]) -> None:
        self.server = server
        self.proxy = proxy
        self.alice, self.bob, self.eve = people

    async def reported(self, plant: Plant) -> set[str]:
        """What the checker reports when the reader's events are edited so."""
        record = Record()
        room = await self.server.channel(self.alice, "room", [self.bob], private=True)
        writer = Client("alice", self.alice, self.server.ws, [room], record)
        through = f"ws://127.0.0.1:{self.proxy.port}"
        reader = Client("bob", self.bob, through, [room], record)
        stranger = Client("eve", self.eve, through, [], record)
        async with writer.session(), stranger.session() as _, AsyncExitStack() as session:
            edit = plant(self.proxy.links[-1])
            self.proxy.next(down=faults.text_frames(edit))
            await session.enter_async_context(reader.session())
            for number in range(MESSAGES):
                # One by one, so that each is a frame.
                await writer.publish(room, f"message {number}", f"cid {number}")
            for client in (reader, stranger):
                # What the proxy passed on before the answer has been recorded when it is there.
                await client.command("ping")
            histories = await final_histories(self.server, {room: self.bob})
            access = [Access("alice", room), Access("bob", room)]
            found = check(record.operations, histories, access)
        return {anomaly.kind for anomaly in found}

    async def reported_of_a_forged_ack(self) -> set[str]:
        """What the checker reports when a send never reaches the server and is acked by others."""
        record = Record()
        room = await self.server.channel(self.alice, "room", [self.bob], private=True)
        writer = Client("alice", self.alice, f"ws://127.0.0.1:{self.proxy.port}", [room], record)

        def swallow(payload: str) -> Sequence[str]:
            result = {"id": 10**9, "seq": 10**9, "created_at": ""}
            ack = {"id": json.loads(payload)["id"], "result": result}
            self.proxy.links[-1].inject(json.dumps(ack))
            return ()

        edit = faults.on_nth(LAST, swallow, containing='"type": "send"')
        self.proxy.next(up=faults.text_frames(edit))
        async with writer.session():
            for number in range(MESSAGES):
                await writer.publish(room, f"message {number}", f"cid {number}")
            histories = await final_histories(self.server, {room: self.bob})
            found = check(record.operations, histories, [Access("alice", room)])
        return {anomaly.kind for anomaly in found}


@pytest.mark.system
async def test_what_a_faulty_proxy_does_is_reported_by_its_own_name() -> None:
    async with running_server(env=NO_LIMITS) as server, fault_proxy(server.port) as proxy:
        people = [await server.account(name) for name in ("alice", "bob", "eve")]
        stage = Stage(server, proxy, people)
        expected = {name: kinds for name, (kinds, _) in ON_EVENTS.items()}
        reported = {name: await stage.reported(plant) for name, (_, plant) in ON_EVENTS.items()}
        assert reported == expected
        assert await stage.reported_of_a_forged_ack() == {"LOST"}
