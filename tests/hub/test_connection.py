"""The outbox of a socket: one write a turn, order, and what a slow reader gets and loses."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.dialects.base import Link
from hubbub.hub.connection import MOST_STALLED, MOST_WAITING, Class, Connection
from tests.hub.fakes import FakeSink, Plain

KIB = 1024
KEPT, LATEST, FLEETING = Class.KEPT, Class.LATEST, Class.FLEETING


class Outbox:
    """A connection, and the turns of a loop for it."""

    def __init__(self, room: float = float("inf")) -> None:
        self.sink = FakeSink(room)
        self.marks = 0
        self.now = 0.0
        self.connection = Connection(
            Link("c1", None), Plain(), self.sink, "10.0.0.1", self._on_dirty
        )

    def _on_dirty(self, connection: Connection) -> None:
        self.marks += 1

    def turn(self, *frames: bytes) -> None:
        """Queues these and ends the turn as the hub does."""
        for data in frames:
            self.connection.queue(data)
        if self.connection.out:
            self.connection.flush(self.now)

    def stalled(self) -> "Outbox":
        """With a wire that takes nothing, and something waiting."""
        self.sink.stall()
        self.turn(b"first ")
        return self

    def resume(self, room: float = float("inf")) -> None:
        """The wire is writable again, until the end of the turn."""
        self.sink.resume(room)
        self.turn()

    @property
    def written(self) -> bytes:
        return b"".join(self.sink.writes)


def test_what_is_queued_in_one_turn_leaves_in_one_write() -> None:
    box = Outbox()
    box.turn(b"a", b"b", b"c")
    box.turn(b"d")
    assert box.sink.writes == [b"abc", b"d"]


def test_a_turn_is_asked_for_once() -> None:
    box = Outbox()
    for data in (b"a", b"b"):
        box.connection.queue(data)
    box.connection.offer(b"c", FLEETING)
    assert box.marks == 1
    box.turn()
    box.connection.queue(b"d")
    assert box.marks == 2


@pytest.mark.parametrize("kind", [LATEST, FLEETING])
def test_a_fast_reader_gets_everything_in_order(kind: Class) -> None:
    box = Outbox()
    box.connection.queue(b"a")
    box.connection.offer(b"b", kind, "key")
    box.connection.offer(b"c", kind, "key")
    box.turn(b"d")
    assert box.sink.writes == [b"abcd"]


def test_what_a_stalled_wire_does_not_take_waits_in_order() -> None:
    box = Outbox(room=1)
    box.turn(b"a", b"b")
    box.turn(b"c")
    box.turn(b"d", b"e")
    assert box.sink.writes == [b"ab"]
    box.resume()
    assert box.written == b"abcde"
    box.turn(b"f")
    assert box.written == b"abcdef"


def test_what_is_queued_while_the_wire_opens_comes_behind_what_waited() -> None:
    box = Outbox().stalled()
    box.connection.queue(b"second ")
    box.sink.resume()
    box.turn(b"third")
    assert box.written == b"first second third"


def test_waiting_frames_leave_in_writes_of_at_most_64_kib() -> None:
    box = Outbox().stalled()
    for number in range(20):
        box.turn(bytes([65 + number]) * 10 * KIB)
    box.resume()
    assert max(len(data) for data in box.sink.writes) <= 64 * KIB
    assert len(box.sink.writes) == 4
    assert box.written == b"first " + b"".join(bytes([65 + n]) * 10 * KIB for n in range(20))


def test_a_frame_larger_than_that_leaves_whole() -> None:
    box = Outbox().stalled()
    box.turn(b"x" * 200 * KIB)
    box.turn(b"y")
    box.resume()
    assert box.sink.writes == [b"first ", b"x" * 200 * KIB, b"y"]


def test_a_wire_that_stalls_again_is_not_pressed() -> None:
    box = Outbox().stalled()
    for number in range(8):
        box.turn(bytes([65 + number]) * 40 * KIB)
    for taken in range(1, 9):
        box.resume(room=1)
        assert len(box.sink.writes) == taken
    box.resume()
    assert box.written == b"first " + b"".join(bytes([65 + n]) * 40 * KIB for n in range(8))
    assert box.connection.waiting == 0


# The bound


def test_a_reader_may_be_behind_by_a_mebibyte_and_not_a_byte_more() -> None:
    box = Outbox().stalled()
    box.turn(b"x" * (MOST_WAITING - 6))
    assert box.sink.ended is None
    box.turn(b"y")
    assert box.sink.code == 4200
    assert box.sink.writes == []
    assert (box.connection.waiting, box.connection.backlog) == (0, None)


def test_many_small_frames_reach_the_bound_as_well() -> None:
    box = Outbox().stalled()
    turns = 0
    while box.sink.ended is None:
        box.turn(b"x" * KIB)
        turns += 1
    assert turns == 1024


def test_a_reader_that_caught_up_may_fall_behind_again() -> None:
    box = Outbox()
    for _ in range(5):
        box.sink.stall()
        box.turn(b"x" * (MOST_WAITING - 1))
        box.resume()
    assert box.sink.ended is None
    assert len(box.written) == 5 * (MOST_WAITING - 1)


def test_a_reader_who_is_cut_off_is_told_to_resume() -> None:
    box = Outbox().stalled()
    box.connection.give_up()
    assert box.sink.ended == (4200, "too slow: reconnect and resume")


# What may be dropped


def test_fleeting_frames_wait_until_half_the_room_is_taken() -> None:
    box = Outbox().stalled()
    box.connection.offer(b"early ", FLEETING)
    box.turn(b"x" * (MOST_WAITING // 2))
    box.connection.offer(b"late ", FLEETING)
    box.resume()
    assert box.written == b"first early " + b"x" * (MOST_WAITING // 2)


def test_fleeting_frames_go_before_the_reader_does() -> None:
    box = Outbox().stalled()
    for _ in range(400):
        box.connection.offer(b"f" * KIB, FLEETING)
    box.turn(b"x" * (MOST_WAITING - 6))
    assert box.sink.ended is None
    box.resume()
    assert box.written == b"first " + b"x" * (MOST_WAITING - 6)


def test_fleeting_frames_keep_their_place_among_the_others() -> None:
    box = Outbox().stalled()
    box.turn(b"a")
    box.connection.offer(b"b", FLEETING)
    box.turn(b"c")
    box.resume()
    assert box.written == b"first abc"


def test_of_receipts_the_latest_of_each_key_arrives_behind_everything() -> None:
    box = Outbox().stalled()
    box.connection.offer(b"[a1]", LATEST, "a")
    box.connection.offer(b"[b1]", LATEST, "b")
    box.connection.offer(b"[a2]", LATEST, "a")
    box.turn(b"second ")
    box.connection.offer(b"[a3]", LATEST, "a")
    box.resume()
    assert sorted([box.written[-8:-4], box.written[-4:]]) == [b"[a3]", b"[b1]"]
    assert box.written.startswith(b"first second ")
    assert len(box.written) == 21


def test_receipts_count_with_what_they_hold_now() -> None:
    box = Outbox().stalled()
    for _ in range(10_000):
        box.connection.offer(b"x" * KIB, LATEST, "key")
    assert box.connection.waiting == KIB + 6
    assert box.sink.ended is None


def test_receipts_of_ever_more_people_reach_the_bound_too() -> None:
    box = Outbox().stalled()
    for number in range(3 * KIB):
        box.connection.offer(b"x" * KIB, LATEST, number)
        assert box.connection.waiting <= MOST_WAITING
    assert box.sink.code == 4200


def test_receipts_wait_for_a_wire_that_takes_them() -> None:
    box = Outbox().stalled()
    box.connection.offer(b"[a1]", LATEST, "a")
    box.resume(room=1)
    box.connection.offer(b"[a2]", LATEST, "a")
    box.resume()
    assert box.written == b"first [a2]"


def test_receipts_of_one_stall_are_not_told_in_the_next() -> None:
    box = Outbox().stalled()
    box.connection.offer(b"[a1]", LATEST, "a")
    box.resume()
    box.stalled()
    box.resume()
    assert box.written == b"first [a1]first "


# Age


def test_a_reader_who_takes_nothing_is_stalled_after_a_while() -> None:
    box = Outbox().stalled()
    assert not box.connection.stalled(0)
    assert not box.connection.stalled(MOST_STALLED)
    assert box.connection.stalled(MOST_STALLED + 0.1)


def test_a_slow_reader_is_not_stalled_as_long_as_something_is_taken() -> None:
    box = Outbox().stalled()
    for _ in range(20):
        box.turn(b"x" * 50 * KIB)
    for step in range(1, 10):
        now = step * (MOST_STALLED - 1)
        assert not box.connection.stalled(now)
        box.resume(room=1)
        assert not box.connection.stalled(now)
    assert box.connection.stalled(now + MOST_STALLED + 0.1)


def test_a_reader_in_the_middle_of_a_large_write_is_not_stalled() -> None:
    box = Outbox().stalled()
    box.sink.held = 5_000 * KIB
    now = 0.0
    for _ in range(100):
        now += MOST_STALLED - 1
        box.sink.held -= 50 * KIB
        assert not box.connection.stalled(now)
    assert not box.connection.stalled(now + MOST_STALLED)
    assert box.connection.stalled(now + MOST_STALLED + 0.1)


def test_a_reader_for_whom_nothing_waits_is_never_stalled() -> None:
    box = Outbox()
    box.sink.stall()
    assert not box.connection.stalled(10_000)
    box.resume()
    box.turn(b"a")
    assert not box.connection.stalled(20_000)
    box.stalled()
    box.resume()
    assert not box.connection.stalled(30_000)


# Closing


def test_what_was_queued_is_written_before_the_close() -> None:
    box = Outbox()
    box.connection.queue(b"a")
    box.connection.queue(b"b")
    box.connection.close(4003, "out")
    assert box.sink.writes == [b"ab"]
    assert box.sink.ended == (4003, "out")


def test_closing_again_changes_nothing() -> None:
    box = Outbox()
    box.connection.close(4003, "out")
    box.connection.close(1012, "restart")
    assert box.sink.ended == (4003, "out")


def test_closing_a_stalled_socket_lets_go_of_what_waited() -> None:
    box = Outbox().stalled()
    box.connection.queue(b"more")
    box.connection.close(1012, "restart")
    assert box.sink.writes == []
    assert (box.connection.waiting, box.connection.backlog, box.connection.out) == (0, None, [])
    assert box.sink.on_writable is None


@pytest.mark.parametrize("end", [lambda b: b.connection.close(4000, ""), lambda b: b.sink.lose()])
def test_a_socket_that_is_gone_holds_nothing(end: Callable[[Outbox], Any]) -> None:
    box = Outbox()
    end(box)
    for _ in range(10):
        box.turn(b"x" * KIB)
        box.connection.offer(b"y", FLEETING)
        box.connection.offer(b"z", LATEST, "key")
        box.turn()
    assert box.sink.writes == []
    assert (box.connection.waiting, box.connection.backlog, box.connection.out) == (0, None, [])
    assert not box.connection.stalled(10_000)


# The cork


def test_a_corked_socket_is_told_nothing_until_the_first_word_is_there() -> None:
    box = Outbox()
    box.connection.corked = True
    box.turn(b"b")
    box.connection.offer(b"c", FLEETING)
    box.turn()
    assert box.sink.writes == []
    box.connection.uncork(b"a")
    box.turn(b"d")
    assert box.sink.writes == [b"abcd"]


def test_uncorking_asks_for_a_turn() -> None:
    box = Outbox()
    box.connection.corked = True
    box.connection.queue(b"b")
    box.connection.flush(0)
    before = box.marks
    box.connection.uncork(b"")
    assert box.marks > before


def test_a_corked_socket_has_a_bound_too() -> None:
    box = Outbox()
    box.connection.corked = True
    box.turn(b"x" * MOST_WAITING)
    assert not box.connection.stalled(0)
    box.connection.queue(b"y")
    assert box.connection.stalled(0)
    box.connection.give_up()
    assert box.sink.code == 4200


def test_a_corked_socket_is_closed_without_the_words_that_wanted_another_before() -> None:
    box = Outbox()
    box.connection.corked = True
    box.connection.queue(b"second")
    box.connection.close(1012, "restart")
    assert box.sink.writes == []
    assert box.connection.out == []


# Whatever happens

sizes = st.integers(1, 300 * KIB)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("kept"), sizes),
        st.tuples(st.just("fleeting"), sizes),
        st.tuples(st.sampled_from(["receipt a", "receipt b"]), st.integers(1, 50 * KIB)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("stall"), st.just(0)),
        st.tuples(st.just("resume"), st.integers(1, 400 * KIB)),
    ),
    max_size=40,
)


@settings(deadline=None, derandomize=True)
@given(steps)
def test_whatever_happens_replies_and_messages_arrive_in_order_or_the_socket_is_closed(
    steps: list[tuple[str, int]],
) -> None:
    box = Outbox()
    kept: list[bytes] = []
    newest: dict[str, bytes] = {}
    for number, (step, size) in enumerate(steps):
        data = b"%s %d " % (step.encode(), number) + b"." * size + b"\n"
        if step == "kept":
            kept.append(data)
            box.connection.queue(data)
        elif step == "fleeting":
            box.connection.offer(data, FLEETING)
        elif step.startswith("receipt"):
            newest[step] = data
            box.connection.offer(data, LATEST, step)
        elif step == "turn":
            box.turn()
        elif step == "stall":
            box.turn()
            box.sink.stall()
        else:
            box.resume(size)
        waiting = sum(len(d) for d, _ in box.connection.backlog or ())
        waiting += sum(len(d) for d in (box.connection.latest or {}).values())
        assert box.connection.waiting == waiting
    box.turn()
    box.resume()
    box.turn()
    lines = box.written.splitlines(keepends=True)
    told = [line for line in lines if line.startswith(b"kept")]
    if box.sink.ended is not None:
        assert box.sink.code == 4200
        assert told == kept[: len(told)]
        return
    assert told == kept
    for key, data in newest.items():
        assert [line for line in lines if line.startswith(key.encode())][-1] == data
