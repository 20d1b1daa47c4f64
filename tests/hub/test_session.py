"""A socket's conversation: the order of commands, and what is refused."""

from typing import Any

import pytest

from hubbub.core.errors import (
    AccountGone,
    DomainError,
    Forbidden,
    Invalid,
    NotAMember,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from hubbub.hub.closing import close_code
from hubbub.hub.session import MOST_IN_FLIGHT, SocketLimits
from tests.hub.conversation import ROOMS, TALK, Client, connected, send, started, subscribe
from tests.hub.fakes import Gate, Stage, turns, until
from tests.support.samples import ALICE, BOB, EPOCH, GUEST, said, went_out

pytestmark = pytest.mark.usefixtures("either_way")


async def test_commands_are_started_in_the_order_they_came() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    client.say(send(1, "a"), {"id": 2, "type": "read", "channel": 1, "seq": 3}, send(3, "b"))
    client.say(send(4, "c"))
    await client.reply(4)
    assert started(stage) == ["a", "read 3", "b", "c"]


async def test_what_comes_behind_a_command_that_waits_waits_with_it() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    gate = stage.services.hold("enter")
    client.say(send(1, "before"), subscribe(2), send(3, "after"), {"id": 4, "type": "ping"})
    await gate.reached.wait()
    await turns()
    assert started(stage) == ["before", "enter 1"]
    assert client.ids == [1]
    gate.opened.set()
    await client.reply(3)
    assert started(stage) == ["before", "enter 1", "after"]
    assert client.ids == [1, 2, 4, 3]


async def test_when_the_lane_is_empty_commands_go_straight_again() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    for round in range(3):
        client.say(subscribe(10 * round + 1), send(10 * round + 2, str(round)))
        await client.reply(10 * round + 2)
    client.say({"id": 50, "type": "history", "channel": 1}, send(51))
    assert (await client.reply(50))["result"] == {"messages": []}
    await client.reply(51)


async def test_each_answer_carries_the_id_of_its_command() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client = await connected(stage)
    client.say(send(7), send(8), send(9))
    await turns()
    for answer in reversed(stage.services.unanswered):
        answer()
    await turns()
    assert client.ids == [9, 8, 7]


async def test_a_command_without_an_id_is_carried_out_and_not_answered() -> None:
    stage = Stage()
    client = await connected(stage)
    client.say({"type": "send", "channel": 1, "content": "quiet"}, {"id": 2, "type": "ping"})
    await client.reply(2)
    assert started(stage) == ["quiet"]
    assert client.ids == [2]


# The bound


async def test_at_most_64_commands_are_under_way_and_then_nothing_is_read() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client = await connected(stage)
    for number in range(100):
        client.say(send(number + 1))
    await turns(300)
    assert len(stage.services.unanswered) == MOST_IN_FLIGHT
    # One more is in the reader's hands.
    assert client.incoming.qsize() == 100 - MOST_IN_FLIGHT - 1
    for done in range(1, 37):
        stage.services.unanswered.popleft()()
        await turns(20)
        assert len(started(stage)) == MOST_IN_FLIGHT + done
    while stage.services.unanswered:
        stage.services.unanswered.popleft()()
    await client.reply(100)
    assert client.ids == list(range(1, 101))


async def test_the_bound_holds_for_many_commands_in_one_frame() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client = await connected(stage)
    client.say(*[send(number + 1) for number in range(200)])
    for expected in (64, 65, 66):
        await turns(20)
        assert len(started(stage)) == expected
        stage.services.unanswered.popleft()()


async def busy(stage: Stage) -> tuple[Client, Gate]:
    """A client whose hundred posts are behind something slow, and the gate that ends it."""
    stage.services.add(1, ALICE)
    client = await connected(stage)
    gate = stage.services.hold("enter")
    client.say(subscribe(1))
    for number in range(100):
        client.say(send(number + 2))
    await turns(300)
    return client, gate


async def test_what_waits_in_the_lane_is_under_way() -> None:
    client, gate = await busy(Stage())
    assert client.incoming.qsize() == 101 - MOST_IN_FLIGHT - 1
    gate.opened.set()
    await client.reply(101)


async def test_what_leaves_the_lane_without_an_answer_is_still_under_way() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client, gate = await busy(stage)
    gate.opened.set()
    await client.reply(1)
    await turns(300)
    assert len(stage.services.unanswered) == MOST_IN_FLIGHT
    assert client.incoming.qsize() == 100 - MOST_IN_FLIGHT - 1


async def test_a_peer_that_goes_while_the_reader_waits_is_noticed() -> None:
    stage = Stage()
    stage.services.answer_posts = False
    client = await connected(stage)
    for number in range(70):
        client.say(send(number + 1))
    await turns(300)
    client.leave()
    while stage.services.unanswered:
        stage.services.unanswered.popleft()()
        await turns()
    await client.ended()


# What is refused


@pytest.mark.parametrize(
    ("text", "code", "id"),
    [
        ("", "bad_frame", None),
        ("hello", "bad_frame", None),
        ("[]", "bad_frame", None),
        ('{"type":"dance","id":4}', "unknown_type", 4),
        ('{"id":4}', "missing_type", 4),
        ('{"id":4,"type":"send","channel":1,"content":" "}', "empty_content", 4),
        ('{"id":4,"type":"send","channel":1}', "missing_content", 4),
    ],
)
async def test_what_cannot_be_read_is_refused_and_the_socket_stays(
    text: str, code: str, id: int | None
) -> None:
    stage = Stage()
    client = await connected(stage)
    client.say_text(text)
    client.say({"id": 9, "type": "ping"})
    await client.reply(9)
    refusal = client.frames[-2]
    assert refusal["error"]["code"] == code
    assert refusal.get("id") == id
    assert client.sink.ended is None


async def test_a_bad_line_between_good_ones_spoils_neither() -> None:
    stage = Stage()
    client = await connected(stage)
    client.say_text(
        '{"id":1,"type":"send","channel":1,"content":"a"}\n{oops\n'
        '{"id":2,"type":"send","channel":1,"content":"b"}'
    )
    await client.reply(2)
    assert started(stage) == ["a", "b"]


async def test_a_binary_frame_is_refused_and_the_socket_stays() -> None:
    stage = Stage()
    client = await connected(stage)
    client.incoming.put_nowait({"type": "websocket.receive", "bytes": b"{}"})
    client.incoming.put_nowait({"type": "websocket.receive", "bytes": b"{}", "text": None})
    client.say({"id": 9, "type": "ping"})
    await client.reply(9)
    codes = [f["error"]["code"] for f in client.frames if "error" in f]
    assert codes == ["binary_frame", "binary_frame"]


async def test_a_flood_of_frames_closes_the_socket() -> None:
    stage = Stage()
    client = await connected(stage, limits=SocketLimits(0, 0, 10))
    for _ in range(9):
        client.say({"type": "ping"})
    await turns(50)
    assert client.sink.ended is None
    stage.clock.now += 0.5
    for _ in range(5):
        client.say({"type": "ping"})
    await turns(50)
    assert client.sink.ended is None
    client.say({"type": "ping"})
    await client.ended()
    assert client.sink.code == 1008


async def test_every_command_of_a_frame_counts() -> None:
    stage = Stage()
    client = await connected(stage, limits=SocketLimits(0, 0, 10))
    client.say(*[{"type": "ping"}] * 9)
    await turns(50)
    assert client.sink.ended is None
    stage.clock.now += 1
    client.say(*[{"type": "ping"}] * 11)
    await client.ended()
    assert client.sink.code == 1008


async def test_without_a_limit_there_is_no_flood() -> None:
    stage = Stage()
    client = await connected(stage)
    for _ in range(2_000):
        client.say({"type": "ping"})
    client.say({"id": 9, "type": "ping"})
    await client.reply(9)


async def test_whoever_posts_too_fast_is_told_when_to_go_on() -> None:
    stage = Stage()
    client = await connected(stage, limits=SocketLimits(1, 3, 0))
    client.say(*[send(number) for number in range(1, 6)], {"id": 6, "type": "ping"})
    await client.reply(3)
    await client.reply(6)
    for id in (4, 5):
        error = (await client.reply(id))["error"]
        assert (error["code"], error["temporary"], error["retry_after"]) == (
            "rate_limited",
            True,
            1,
        )
    stage.clock.now += 1
    client.say(send(7), send(8))
    assert "result" in await client.reply(7)
    assert "error" in await client.reply(8)
    assert len(started(stage)) == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AccountGone("gone"), 4000),
        (Unauthenticated("who?"), 4001),
        (Forbidden("no"), 4003),
        (NotAMember("no"), 4003),
        (NotFound("where?"), 4004),
        (TooMany("later"), 1013),
        (Unavailable("later"), 1011),
        (Invalid("what?"), 1011),
    ],
)
def test_every_refusal_has_its_close_code(error: DomainError, code: int) -> None:
    assert close_code(error) == code


# In channels


async def test_typing_goes_to_a_channel_by_id_and_by_key() -> None:
    stage = Stage()
    stage.services.add(1, ALICE, BOB)
    bob = stage.connect(BOB)
    await bob.enter(1)
    client = await connected(stage)
    client.say(subscribe(1), {"id": 2, "type": "typing", "channel": 1})
    client.say({"id": 3, "type": "typing", "channel": "key-1", "typing": False})
    await client.reply(3)
    assert bob.got[-2:] == ["TypingChanged alice"] * 2


@pytest.mark.parametrize(
    ("member", "inside", "code"), [(False, True, "not_a_member"), (True, False, "not_in_channel")]
)
async def test_only_who_may_post_in_a_channel_types_there(
    member: bool, inside: bool, code: str
) -> None:
    stage = Stage()
    stage.services.add(1, *([ALICE] if member else []))
    client = await connected(stage)
    if inside:
        client.say(subscribe(1))
    client.say({"id": 2, "type": "typing", "channel": 1})
    assert (await client.reply(2))["error"]["code"] == code


async def test_leaving_a_channel_is_answered_and_nothing_more_is_told() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    client = await connected(stage)
    client.say(subscribe(1), {"id": 2, "type": "unsubscribe", "channel": "key-1"})
    assert (await client.reply(2))["result"] == {}
    stage.happen(place, said())
    client.say({"id": 3, "type": "unsubscribe", "channel": 1})
    assert (await client.reply(3))["error"]["code"] == "not_in_channel"
    assert not any(frame.get("type") == "message" for frame in client.frames)


async def test_an_answer_comes_before_the_events_that_follow_it() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    stage.happen(place, said("0"), said("1"))
    client = await connected(stage)
    gate = stage.services.hold("entered")
    client.say(subscribe(1, cursor={"epoch": EPOCH, "seq": 1}))
    await gate.reached.wait()
    stage.happen(place, said("2"))
    gate.opened.set()
    stage.happen(place, said("3"))
    await client.reply(1)
    stage.happen(place, said("4"))
    await turns()
    answer, *live = client.frames[1:]
    assert [event["seq"] for event in answer["result"]["events"]] == [2, 3, 4]
    assert [event["seq"] for event in live] == [5]


async def test_a_kick_reaches_whoever_is_in_the_middle_of_something() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE, private=True)
    client = await connected(stage)
    client.say(subscribe(1))
    await client.reply(1)
    gate = stage.services.hold("enter")
    client.say(subscribe(2), {"id": 3, "type": "typing", "channel": 1})
    await gate.reached.wait()
    stage.happen(place, went_out(ALICE), said("secret"))
    gate.opened.set()
    assert (await client.reply(2))["error"]["code"] == "not_a_member"
    assert (await client.reply(3))["error"]["code"] == "not_in_channel"
    assert "secret" not in str(client.frames)


# Sockets that enter as they open


@pytest.mark.parametrize("dialect", [ROOMS, TALK])
async def test_a_socket_is_greeted_when_it_is_in_its_channel_and_not_before(dialect: Any) -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    gate = stage.services.hold("entered")
    client = Client(stage, ALICE, dialect, path=1)
    await gate.reached.wait()
    stage.happen(place, said("early"))
    await turns()
    assert client.frames == []
    gate.opened.set()
    await turns()
    stage.happen(place, said("late"))
    await turns()
    kinds = [frame["type"] for frame in client.frames]
    greeting = {
        ROOMS: ["connection_established", "room_joined", "message_history", "message"],
        TALK: ["connection", "message"],
    }
    assert kinds == greeting[dialect]
    assert client.frames[-1]["content"] == "late"


@pytest.mark.parametrize("dialect", [ROOMS, TALK])
@pytest.mark.parametrize(
    ("who", "path", "code"),
    [(ALICE, 99, 4004), (BOB, 1, 4003), (GUEST, 1, 4003), (BOB, "key-1", 4003), (BOB, "x", 4004)],
)
async def test_a_socket_that_may_not_enter_hears_of_it_by_the_close_alone(
    dialect: Any, who: Any, path: int | str, code: int
) -> None:
    stage = Stage()
    stage.services.add(1, ALICE, private=True)
    client = Client(stage, who, dialect, path=path)
    await client.ended()
    assert client.sink.code == code
    assert client.frames == []
    assert stage.hub.connections == set()


async def test_a_socket_whose_channel_puts_its_user_out_is_closed() -> None:
    stage = Stage()
    place = stage.services.add(1, ALICE)
    clients = [Client(stage, ALICE, dialect, path=1) for dialect in (ROOMS, TALK)]
    await turns()
    stage.happen(place, went_out(ALICE), said("secret"))
    for client in clients:
        await client.ended()
        assert client.sink.code == 4003
        assert "secret" not in str(client.frames)


async def test_large_answers_wait_for_a_reader_that_is_slower_than_its_questions() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    client.sink.stall()
    client.say(*[{"id": n, "type": "history", "channel": 1} for n in range(10, 14)])
    await turns()
    assert stage.services.called("read") == []
    client.sink.resume(room=1)  # takes one answer and is full again
    await until(lambda: len(stage.services.called("read")) == 1)
    await turns()
    assert len(stage.services.called("read")) == 1, "the second waits until the first was read"
    client.sink.resume()
    await client.reply(13)
    assert client.ids[-4:] == [10, 11, 12, 13]


async def test_a_reader_that_is_gone_while_answers_wait_leaves_nothing_running() -> None:
    stage = Stage()
    stage.services.add(1, ALICE)
    client = await connected(stage)
    client.sink.stall()
    client.say(*[{"id": n, "type": "history", "channel": 1} for n in range(10, 10 + 80)])
    await until(lambda: client.connection.free is not None)
    client.leave(1006)
    stage.hub.tick()
    await client.ended()
