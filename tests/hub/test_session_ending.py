"""How a socket's conversation ends: nothing of it is left, and nothing of it happens afterwards."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hubbub.core.events import AccountDisabled, Departure, SessionRevoked
from hubbub.hub.closing import MAX_MESSAGE
from hubbub.hub.hub import HubLimits
from hubbub.hub.session import SocketLimits
from tests.hub.conversation import ROOMS, Client, connected, send, started, subscribe
from tests.hub.fakes import Stage, turns
from tests.support.samples import ALICE, BOB, came_in, changed

pytestmark = pytest.mark.usefixtures("either_way")


def gone(client: Client) -> bool:
    """Whether nothing of a client is left in the hub."""
    hub = client.stage.hub
    return not hub.connections and not hub._feeds and not client.connection.subscriptions


async def test_a_socket_that_ends_is_in_no_channel() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    stage.services.add(2, ALICE)
    client = await connected(stage)
    client.say(subscribe(1), subscribe(2, 2))
    await client.reply(2)
    client.leave()
    await client.ended()
    assert gone(client)
    assert stage.services.called("closed") == ["c1"]


@pytest.mark.parametrize("held", ["resolve", "enter", "entered"])
async def test_whatever_a_socket_waited_for_is_given_up_when_it_ends(held: str) -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    gate = stage.services.hold(held)
    client.say(subscribe(1), send(2, "never"))
    await gate.reached.wait()
    client.leave()
    await client.ended()
    await turns()
    gate.opened.set()
    await turns()
    assert gone(client)
    assert "never" not in started(stage)
    assert stage.services.called("come") == []


async def test_an_answer_that_comes_after_the_end_goes_nowhere() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client = await connected(stage)
    client.say(send(1))
    await turns()
    client.leave()
    await client.ended()
    stage.services.unanswered.popleft()()
    await turns()
    assert client.ids == []
    assert client.connection.waiting == 0


@pytest.mark.parametrize("call", ["resolve", "enter", "read"])
async def test_a_mistake_of_ours_closes_the_socket_and_leaves_nothing(call: str) -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    stage.services.fail(call, RuntimeError("a mistake"))
    client.say({"id": 1, "type": "history", "channel": 1} if call == "read" else subscribe(1))
    client.say(*[send(number + 2) for number in range(200)])
    await client.ended()
    assert client.sink.code == 1011
    assert gone(client)


async def test_a_mistake_of_ours_while_the_reader_waits_ends_the_session_all_the_same() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    gate = stage.services.hold("enter")
    stage.services.fail("enter", RuntimeError("a mistake"))
    client.say(subscribe(1))
    for number in range(100):
        client.say(send(number + 2))
    await turns(300)
    gate.opened.set()
    await client.ended()
    assert client.sink.code == 1011
    assert gone(client)


async def test_a_mistake_while_reading_closes_the_socket() -> None:
    stage = Stage()
    client = await connected(stage)
    client.incoming.put_nowait({})
    await client.ended()
    assert client.sink.code == 1011
    assert gone(client)


async def test_a_session_that_is_cancelled_leaves_nothing() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    client.say(subscribe(1))
    await client.reply(1)
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    assert gone(client)


async def test_a_socket_too_many_is_closed_and_never_taken_up() -> None:
    stage = Stage(HubLimits(per_user=1))
    first = await connected(stage)
    second = Client(stage, ALICE)
    await second.ended()
    assert second.sink.code == 1013
    assert stage.hub.connections == {first.connection}


NOTICES: list[tuple[Callable[[], Any], int]] = [
    (lambda: SessionRevoked("alice's login"), 4001),
    (lambda: AccountDisabled(ALICE.id), 4000),
]


@pytest.mark.parametrize(("notice", "code"), NOTICES)
async def test_what_a_closed_socket_still_says_counts_no_more(
    notice: Callable[[], Any], code: int
) -> None:
    stage = Stage()
    client = await connected(stage)
    client.say(send(1, "before"))
    await client.reply(1)
    stage.bus.notify(notice())
    client.say(send(2, "late"))
    client.say(*[send(number, "late") for number in range(3, 100)])
    await client.ended()
    assert client.sink.code == code
    assert started(stage) == ["before"]


@pytest.mark.parametrize(("notice", "code"), NOTICES)
async def test_what_waits_in_the_lane_of_a_closed_socket_counts_no_more(
    notice: Callable[[], Any], code: int
) -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    gate = stage.services.hold("enter")
    client.say(subscribe(1), *[send(number, "late") for number in range(2, 100)])
    await gate.reached.wait()
    await turns()
    stage.bus.notify(notice())
    gate.opened.set()
    await client.ended()
    assert client.sink.code == code
    assert started(stage) == ["enter 1"]
    assert gone(client)


async def test_the_restart_of_the_server_closes_everybody_with_its_own_code() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    clients = [await connected(stage), Client(stage, ALICE, ROOMS, path=1)]
    await turns()
    stage.happen(place, came_in(BOB), changed(private=False, name="Lounge"))
    stage.hub.close_all(1012, "the server restarts")
    for client in clients:
        await client.ended()
        assert client.sink.code == 1012
    assert stage.hub.connections == set()


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda client: client.leave(1000), Departure.DISCONNECTED),
        (lambda client: client.leave(1005), Departure.DISCONNECTED),
        (lambda client: client.leave(4711), Departure.DISCONNECTED),
        (lambda client: client.leave(1006), Departure.LOST),
        (lambda client: client.leave(1011), Departure.LOST),
        (lambda client: client.stage.bus.notify(AccountDisabled(ALICE.id)), Departure.DISCONNECTED),
        (lambda client: client.say_text("x" * (MAX_MESSAGE + 1)), Departure.DISCONNECTED),
        (lambda client: client.say(*[{"id": 7, "type": "ping"}] * 101), Departure.DISCONNECTED),
        (lambda client: client.leave(1009), Departure.DISCONNECTED),
        (lambda client: client.stage.hub.close_all(1012, "a restart"), Departure.LOST),
        (lambda client: client.connection.give_up(), Departure.LOST),
    ],
)
async def test_a_closing_handshake_is_no_loss_whoever_began_it(
    end: Callable[[Client], None], why: Departure
) -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage, limits=SocketLimits(0, 0, 100))
    client.say(subscribe(1))
    await client.reply(1)
    end(client)
    await client.ended()
    assert [went[3] for went in stage.services.called("go")] == [why]  # type: ignore[index]


@pytest.mark.parametrize(
    "event",
    [
        {"text": "x" * (MAX_MESSAGE + 1)},
        {"text": "\u6f22" * (MAX_MESSAGE // 3 + 1)},
        {"text": "\U0001f600" * (MAX_MESSAGE // 4) + "x"},
        {"bytes": bytes(MAX_MESSAGE + 1)},
        {"text": None, "bytes": bytes(MAX_MESSAGE + 1)},
    ],
    ids=["ascii", "three bytes each", "four bytes each", "binary", "binary beside no text"],
)
async def test_a_message_over_256_kib_closes_1009_whichever_server_let_it_pass(
    event: dict[str, Any],
) -> None:
    client = await connected(Stage())
    client.incoming.put_nowait({"type": "websocket.receive", **event})
    await client.ended()
    assert client.sink.code == 1009
    assert gone(client)


@pytest.mark.parametrize(
    "event",
    [
        {"text": "x" * MAX_MESSAGE},
        {"text": "\U0001f600" * (MAX_MESSAGE // 4)},
        {"text": "\ud800" * (MAX_MESSAGE // 3)},
        {"bytes": bytes(MAX_MESSAGE)},
    ],
    ids=["ascii", "four bytes each", "lone surrogates", "binary"],
)
async def test_a_message_of_256_kib_is_read_and_refused_in_words(event: dict[str, Any]) -> None:
    client = await connected(Stage())
    client.incoming.put_nowait({"type": "websocket.receive", **event})
    client.say({"id": 2, "type": "ping"})
    await client.reply(2)
    assert client.sink.ended is None
    assert len(client.frames) == 3
