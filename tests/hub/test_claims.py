"""Sockets that claim ids: a session, a hub and the service that knows whose they are."""

import pytest

from hubbub.core.ids import UserId, Who
from hubbub.core.limits import Rates
from hubbub.dialects.peerjs import INCOMPLETE, PeerJs
from hubbub.hub.hub import HubLimits
from hubbub.services import peerjs
from tests.hub.conversation import Client
from tests.hub.fakes import Stage, turns

pytestmark = pytest.mark.usefixtures("either_way")

ANN = Who(UserId(-1), "ann")
BEN = Who(UserId(-2), "ben")
DIALECT = PeerJs()


class Exchange(Stage):
    """A stage whose services know about ids."""

    def __init__(self, limits: HubLimits | None = None) -> None:
        super().__init__(limits)
        self.ids = peerjs.PeerJs(self.bus, self.hub.addresses.evict, None, Rates(0, 0), self.clock)
        self.services.claim = self.ids.claim  # type: ignore[attr-defined]
        self.services.pass_on = self.ids.carry_out  # type: ignore[attr-defined]
        self.services.closed = self.ids.closed  # type: ignore[method-assign]

    async def come(self, who: Who | None, id: str) -> Client:
        """A socket that has asked for an id."""
        client = Client(self, who, DIALECT)
        client.connection.link.asked = {"id": id, "key": "peerjs"}
        await turns()
        return client


OPEN = {"type": "OPEN"}


def offer(dst: str, payload: object) -> dict[str, object]:
    return {"type": "OFFER", "dst": dst, "payload": payload}


async def test_open_comes_first_then_what_waited_then_what_is_new() -> None:
    exchange = Exchange()
    ann = await exchange.come(ANN, "ann")
    ann.say(offer("ben", 1))
    ann.say(offer("ben", 2))
    await turns()
    ben = await exchange.come(BEN, "ben")
    ann.say(offer("ben", 3))
    await turns()
    assert ben.frames[0] == OPEN
    assert [frame["payload"] for frame in ben.frames[1:]] == [1, 2, 3]
    assert ann.frames == [OPEN]


async def test_whoever_is_refused_is_told_closed_and_leaves_the_owner_alone() -> None:
    exchange = Exchange()
    ann = await exchange.come(ANN, "ann")
    thief = await exchange.come(BEN, "ann")
    await thief.ended()
    assert thief.frames == [{"type": "ID-TAKEN", "payload": {"msg": "ID is taken"}}]
    assert thief.sink.code == 4003
    ann.say(offer("ann", "still here"))
    await turns()
    assert ann.frames[-1]["payload"] == "still here"


async def test_nobody_is_told_what_is_missing() -> None:
    client = await Exchange().come(None, "ann")
    await client.ended()
    assert client.frames == [{"type": "ERROR", "payload": {"msg": INCOMPLETE}}]
    assert client.sink.code == 4001


async def test_one_socket_too_many_is_told_so() -> None:
    exchange = Exchange(HubLimits(per_user=1))
    await exchange.come(ANN, "ann")
    another = await exchange.come(ANN, "another")
    await another.ended()
    assert [frame["type"] for frame in another.frames] == ["ERROR"]
    assert another.sink.code == 1013


async def test_the_older_socket_of_an_id_hears_and_says_nothing_more() -> None:
    exchange = Exchange()
    old = await exchange.come(ANN, "ann")
    ben = await exchange.come(BEN, "ben")
    old.sink.on_close = lambda code: None  # its peer does not answer the close
    new = await exchange.come(ANN, "ann")
    assert old.sink.code == 1000
    old.say(offer("ben", "from the grave"))
    ben.say(offer("ann", "to the living"))
    await turns()
    assert ben.frames == [OPEN]
    assert old.frames == [OPEN]
    assert new.frames[1]["payload"] == "to the living"
    old.leave()
    await old.ended()
    ben.say(offer("ann", "again"))
    await turns()
    assert new.frames[2]["payload"] == "again"


async def test_a_socket_that_has_said_goodbye_has_freed_its_id() -> None:
    exchange = Exchange()
    ann = await exchange.come(ANN, "ann")
    ann.leave(1001)
    await ann.ended()
    ben = await exchange.come(BEN, "ann")
    assert ben.frames == [OPEN]


async def test_what_is_said_to_an_id_whose_socket_was_cut_is_for_its_owner() -> None:
    exchange = Exchange()
    ann = await exchange.come(ANN, "ann")
    ann.leave(1006)
    await ann.ended()
    ben = await exchange.come(BEN, "ben")
    ben.say(offer("ann", "only for ann"))
    await turns()
    thief = await exchange.come(BEN, "ann")
    await thief.ended()
    assert [frame["type"] for frame in thief.frames] == ["ID-TAKEN"]
    again = await exchange.come(ANN, "ann")
    assert [frame.get("payload") for frame in again.frames] == [None, "only for ann"]


async def test_a_silent_socket_is_closed_and_one_with_a_heartbeat_is_not() -> None:
    exchange = Exchange()
    ann, ben = await exchange.come(ANN, "ann"), await exchange.come(BEN, "ben")
    exchange.clock.now += 30
    ben.say({"type": "HEARTBEAT"})
    await turns()
    exchange.clock.now += 30
    exchange.ids.tick()
    await ann.ended()
    assert (ann.sink.code, ben.sink.code) == (1000, None)
    assert ben.frames == [OPEN], "a heartbeat has no answer"


async def test_what_says_nothing_is_passed_over_in_silence() -> None:
    exchange = Exchange()
    ann = await exchange.come(ANN, "ann")
    for text in ("", "x", "[1]", '{"type":"OPEN"}'):
        ann.say_text(text)
    await turns()
    assert ann.frames == [OPEN]
