"""Sockets in channels: who is told what, and who is let go."""

from typing import NoReturn

import pytest

from hubbub.core.errors import TooMany
from hubbub.core.events import (
    AccountDisabled,
    SessionRevoked,
)
from hubbub.core.ids import ChannelId, Who
from hubbub.hub.connection import MOST_STALLED, MOST_WAITING, Connection
from hubbub.hub.hub import FEW, PING_SECONDS, HubLimits
from tests.hub.fakes import Plain, Stage, inside, turns
from tests.support.samples import (
    ALICE,
    BOB,
    CAROL,
    GUEST,
    said,
)

ID = ChannelId(1)


async def test_a_user_has_so_many_sockets_and_no_more() -> None:
    stage = Stage(HubLimits(per_user=2))
    first = stage.connect(ALICE)
    stage.connect(ALICE)
    stage.connect(BOB)
    with pytest.raises(TooMany) as refused:
        stage.connect(ALICE)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_connections", 30)
    stage.hub.remove(first.connection)
    stage.connect(ALICE)


async def test_an_address_has_so_many_sockets_and_no_more() -> None:
    stage = Stage(HubLimits(per_address=2))
    first = stage.connect(ALICE, address="10.0.0.9")
    stage.connect(None, address="10.0.0.9")
    stage.connect(BOB, address="10.0.0.8")
    with pytest.raises(TooMany):
        stage.connect(CAROL, address="10.0.0.9")
    stage.hub.remove(first.connection)
    stage.connect(CAROL, address="10.0.0.9")


async def test_a_refused_socket_counts_nowhere() -> None:
    stage = Stage(HubLimits(per_user=1, per_address=2))
    stage.connect(ALICE)
    for _ in range(3):
        with pytest.raises(TooMany):
            stage.connect(ALICE)
    stage.connect(BOB)
    assert len(stage.hub.connections) == 2
    assert [called[0] for called in stage.services.called("opened")] == [ALICE.id, BOB.id]  # type: ignore[index]


async def test_without_limits_there_are_none() -> None:
    stage = Stage()
    for _ in range(300):
        stage.connect(ALICE)


async def test_a_socket_that_identifies_later_counts_from_then_on() -> None:
    stage = Stage(HubLimits(per_user=1))
    sockets = [stage.connect(None) for _ in range(2)]
    stage.hub.adopt(sockets[0].connection, ALICE)
    with pytest.raises(TooMany):
        stage.hub.adopt(sockets[1].connection, ALICE)
    assert sockets[1].connection.link.who is None
    stage.hub.remove(sockets[1].connection)
    stage.hub.remove(sockets[0].connection)
    stage.hub.adopt(stage.connect(None).connection, ALICE)


async def test_every_socket_is_recorded_and_forgotten_once() -> None:
    stage = Stage()
    alice, nobody = stage.connect(ALICE, path=5), stage.connect(None)
    for socket in (alice, alice, nobody):
        stage.hub.remove(socket.connection)
    assert stage.services.called("opened") == [(ALICE.id, "c1", "plain", "5", "10.0.0.1")]
    assert stage.services.called("closed") == ["c1"]


async def test_closing_all_closes_every_socket() -> None:
    stage = Stage()
    sockets = [stage.connect(who) for who in (ALICE, BOB, None)]
    stage.hub.close_all(1012, "the server restarts")
    assert {socket.sink.code for socket in sockets} == {1012}


# The clock


def seconds(stage: Stage, number: int) -> None:
    for _ in range(number):
        stage.clock.now += 1
        stage.hub.tick()


async def test_every_socket_is_pinged_once_a_period_and_not_all_at_once() -> None:
    stage = Stage()
    sockets = [stage.connect(ALICE) for _ in range(100)]
    for _ in range(PING_SECONDS):
        seconds(stage, 1)
        await turns()
        assert sum(len(socket.got) for socket in sockets) <= 100
        fresh = [socket for socket in sockets if len(socket.got) == 1]
    assert len(fresh) == 100
    seconds(stage, 1)
    await turns()
    assert 0 < sum(len(socket.got) for socket in sockets) - 100 < 10


async def test_a_ping_tells_what_moved_since_the_last_one() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    stage.services.add(2, ALICE)
    stage.happen(place, said("before"))
    [alice] = await inside(stage, ALICE)
    await alice.enter(2)
    stage.happen(place, said("after"))
    await turns()
    alice.sink.writes.clear()
    for expected in ("ping {1: 2}", "ping {}"):
        seconds(stage, PING_SECONDS)
        await turns()
        assert alice.got.pop() == expected


async def test_sockets_without_a_person_or_without_pings_get_none() -> None:
    stage = Stage()
    nobody, silent = stage.connect(None), stage.connect(ALICE, Plain("silent", closes_ousted=True))
    seconds(stage, 2 * PING_SECONDS)
    await turns()
    assert nobody.got == silent.got == []


async def test_a_socket_past_its_deadline_is_closed() -> None:
    stage = Stage()
    late, good = stage.connect(ALICE), stage.connect(ALICE)
    late.connection.deadline = stage.clock.now + 10
    seconds(stage, 9)
    assert late.sink.ended is None
    seconds(stage, 1)
    assert late.sink.code == 4001
    assert good.sink.ended is None


async def test_a_frozen_reader_is_closed_and_the_others_are_told_on() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    alice, bob = await inside(stage, ALICE, BOB)
    bob.sink.stall()
    for number in range(int(MOST_STALLED) + 2):
        stage.happen(place, said(str(number)))
        await turns()
        seconds(stage, 1)
    assert bob.sink.code == 4200
    assert alice.sink.ended is None
    assert len([line for line in alice.got if not line.startswith("ping")]) == MOST_STALLED + 2


async def test_a_reader_a_mebibyte_behind_is_closed_and_the_others_are_told_on() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, BOB)
    alice, bob = await inside(stage, ALICE, BOB)
    bob.sink.stall()
    sent = 0
    while bob.sink.ended is None:
        assert sent <= MOST_WAITING
        stage.happen(place, said("x" * 4_000))
        sent += 4_000
        await turns()
    assert bob.sink.code == 4200
    assert len(alice.got) == sent // 4_000


class Broken(Plain):
    """Has no words for a ping."""

    def ping(self, moved: dict[ChannelId, int]) -> bytes | None:
        raise ValueError("a mistake")


async def test_a_socket_that_cannot_be_pinged_is_closed_and_the_others_are_pinged() -> None:
    stage = Stage()
    sockets = [stage.connect(ALICE) for _ in range(20)]
    broken = stage.connect(BOB, Broken())
    sockets += [stage.connect(ALICE) for _ in range(20)]
    seconds(stage, PING_SECONDS)
    await turns()
    assert broken.sink.code == 1011
    assert [len(socket.got) for socket in sockets] == [1] * 40


# Notices


class Uncounted(set[Connection]):
    """Sockets that nobody may look through."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("a notice costs what it closes")


async def test_a_notice_costs_what_it_closes() -> None:
    stage = Stage()
    alice, bob = stage.connect(ALICE), stage.connect(BOB)
    stage.hub.connections = Uncounted(stage.hub.connections)
    stage.bus.notify(SessionRevoked("alice's login"))
    stage.bus.notify(AccountDisabled(BOB.id))
    assert (alice.sink.code, bob.sink.code) == (4001, 4000)


async def test_sockets_that_are_gone_leave_nothing_behind() -> None:
    stage = Stage()
    other = Who(ALICE.id, ALICE.name, "another login")
    sockets = [stage.connect(who) for who in (ALICE, ALICE, BOB, GUEST, None)]
    stage.hub.renew(sockets[0].connection, other)
    stage.hub.adopt(sockets[4].connection, other)
    for socket in sockets:
        stage.hub.remove(socket.connection)
    assert stage.hub._owners.empty


async def test_a_revoked_login_closes_its_sockets_and_no_others() -> None:
    stage = Stage()
    other = Who(ALICE.id, ALICE.name, "another login")
    sockets = [stage.connect(who) for who in (ALICE, ALICE, other, BOB, None, GUEST)]
    stage.bus.notify(SessionRevoked("alice's login"))
    assert [socket.sink.code for socket in sockets] == [4001, 4001, None, None, None, None]


async def test_a_disabled_account_closes_all_its_sockets() -> None:
    stage = Stage()
    other = Who(ALICE.id, ALICE.name, "another login")
    sockets = [stage.connect(who) for who in (ALICE, other, BOB, None)]
    stage.bus.notify(AccountDisabled(ALICE.id))
    assert [socket.sink.code for socket in sockets] == [4000, 4000, None, None]


async def test_a_notice_about_nobodys_login_closes_no_guest() -> None:
    stage = Stage()
    guest = stage.connect(GUEST)
    stage.bus.notify(SessionRevoked("x"))
    assert guest.sink.ended is None


async def test_what_is_gathered_for_few_is_written_without_a_turn() -> None:
    stage = Stage()
    sockets = [stage.connect(ALICE) for _ in range(FEW)]
    stage.hub.gather()
    for socket in sockets:
        socket.connection.queue(b"frame")
        socket.connection.queue(b"frame")
    assert [socket.sink.writes for socket in sockets] == [[]] * FEW
    stage.hub.release()
    assert [socket.sink.writes for socket in sockets] == [[b"frameframe"]] * FEW
    await turns()
    assert [len(socket.sink.writes) for socket in sockets] == [1] * FEW


async def test_what_is_gathered_for_many_is_written_with_what_follows() -> None:
    stage = Stage()
    sockets = [stage.connect(ALICE) for _ in range(FEW + 1)]
    for _ in range(2):
        stage.hub.gather()
        for socket in sockets:
            socket.connection.queue(b"frame")
        stage.hub.release()
    assert [socket.sink.writes for socket in sockets] == [[]] * (FEW + 1)
    await turns()
    assert [socket.sink.writes for socket in sockets] == [[b"frameframe"]] * (FEW + 1)


async def test_what_was_queued_before_is_not_forgotten_by_gathering() -> None:
    stage = Stage()
    early, late = stage.connect(ALICE), stage.connect(ALICE)
    early.connection.queue(b"early")
    stage.hub.gather()
    stage.hub.release()
    assert early.sink.writes == [b"early"]
    late.connection.queue(b"late")
    await turns()
    assert late.sink.writes == [b"late"]
