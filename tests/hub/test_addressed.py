"""What is told to one address alone: when it leaves, and behind what."""

from hubbub.core.claims import PassKind
from hubbub.core.events import Envelope, Passed, claim_of
from hubbub.core.ids import ChannelId
from hubbub.hub.frames import frame
from tests.hub.fakes import Socket, Stage, turns
from tests.support.samples import ALICE

PASSED = "Passed"


def at(stage: Stage, *ids: str) -> list[Socket]:
    """Sockets with these ids."""
    sockets = [stage.connect(ALICE) for _ in ids]
    for socket, id in zip(sockets, ids, strict=True):
        stage.hub.addresses.attach(socket.connection, claim_of(id))
    return sockets


def to(id: str) -> Envelope:
    return Envelope(ChannelId(0), Passed(PassKind.OFFER, "somebody", id), to=claim_of(id))


async def test_what_one_message_tells_one_address_is_written_at_once() -> None:
    stage = Stage()
    (socket,) = at(stage, "ann")
    stage.hub.gather()
    stage.publish(to("ann"))
    assert len(socket.sink.writes) == 1
    stage.hub.release()
    await turns()
    assert len(socket.sink.writes) == 1
    assert [words.split()[0] for words in socket.got] == [PASSED]


async def test_it_goes_behind_what_was_queued_before() -> None:
    stage = Stage()
    (socket,) = at(stage, "ann")
    stage.hub.gather()
    socket.connection.queue(frame(b"before"))
    stage.publish(to("ann"))
    socket.connection.queue(frame(b"after"))
    assert socket.sink.writes == []
    stage.hub.release()
    assert len(socket.sink.writes) == 1
    assert [words.split()[0] for words in socket.got] == ["before", PASSED, "after"]


async def test_it_goes_behind_what_waits_for_a_slow_reader() -> None:
    stage = Stage()
    (socket,) = at(stage, "ann")
    socket.sink.stall()
    for _ in range(3):
        stage.hub.gather()
        stage.publish(to("ann"))
        stage.hub.release()
    socket.connection.queue(frame(b"last"))
    await turns()
    assert socket.sink.writes == []
    socket.sink.resume()
    assert [words.split()[0] for words in socket.got] == [PASSED] * 3 + ["last"]


async def test_it_waits_for_the_first_word_of_a_socket_that_is_corked() -> None:
    stage = Stage()
    (socket,) = at(stage, "ann")
    socket.connection.corked = True
    stage.hub.gather()
    stage.publish(to("ann"))
    stage.hub.release()
    await turns()
    assert socket.sink.writes == []
    socket.connection.uncork(frame(b"first"))
    await turns()
    assert [words.split()[0] for words in socket.got] == ["first", PASSED]


async def test_what_is_told_in_no_message_or_with_more_leaves_in_one_write() -> None:
    stage = Stage()
    ann, ben = at(stage, "ann", "ben")
    stage.publish(to("ann"))
    stage.publish(to("ann"))
    stage.hub.gather()
    stage.publish(to("ben"), to("ben"))
    assert (ann.sink.writes, ben.sink.writes) == ([], [])
    stage.hub.release()
    await turns()
    assert [len(socket.got) for socket in (ann, ben)] == [2, 2]
    assert [len(socket.sink.writes) for socket in (ann, ben)] == [1, 1]
