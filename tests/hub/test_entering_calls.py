"""Coming into a call: nobody under somebody else's name, and nothing is left of whoever tried."""

import pytest

from hubbub.core.commands import PeerKind
from hubbub.core.errors import Forbidden
from hubbub.core.ids import ChannelId, Who
from tests.hub.fakes import Stage, inside, turns
from tests.support.samples import ALICE, BOB

ID = ChannelId(1)


async def test_whoever_may_not_come_into_the_call_did_not_come_into_the_channel_either() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    device = stage.connect(ALICE)
    await device.enter(1, call=PeerKind.CONNECTION)
    called = device.connection.link.connection
    other = stage.connect(Who(BOB.id, called))
    with pytest.raises(Forbidden) as refused:
        await other.enter(1, call=PeerKind.USER)
    await turns()
    assert refused.value.code == "peer_name_taken"
    assert other.connection.subscriptions == {}
    assert not other.connection.addresses
    assert stage.hub._feeds[ID].of(BOB.id) == []
    assert not [line for line in device.got if "Peer" in line]
    stage.hub.remove(other.connection)
    stage.hub.remove(device.connection)
    assert stage.hub._feeds == {}


async def test_whoever_may_not_come_into_the_call_stays_in_the_channel_they_were_in() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    [device] = await inside(stage, ALICE)
    stage.hub.join_call(device.connection, ID, PeerKind.CONNECTION)
    [other] = await inside(stage, Who(BOB.id, device.connection.link.connection))
    with pytest.raises(Forbidden):
        stage.hub.join_call(other.connection, ID, PeerKind.USER)
    assert not other.connection.addresses
    assert other.connection.subscriptions[ID].peer is None
    stage.hub.leave_call(device.connection, ID)
    assert stage.hub.join_call(other.connection, ID, PeerKind.USER).others == []


async def test_the_two_devices_of_one_user_are_one_peer() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    first, second = await inside(stage, ALICE, ALICE)
    for socket in (first, second):
        assert stage.hub.join_call(socket.connection, ID, PeerKind.USER).others == []


async def test_who_makes_a_meeting_by_entering_it_is_told_by_their_address_too() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    await stage.connect(ALICE, address="10.0.0.9").enter(1)
    assert stage.services.called("locate") == [(ALICE.id, 1, "10.0.0.9")]
