"""A channel's events put in order: early, late, twice, never; and the ring of the newest."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.events import Envelope
from hubbub.core.ids import ChannelId
from hubbub.dialects.base import Link
from hubbub.hub.connection import Connection, Subscription
from hubbub.hub.feed import ENTERING_FACTOR, RING_BYTES, RING_EVENTS, Feed
from tests.hub.fakes import FakeSink, Plain
from tests.support.samples import ALICE, BOB, came_in, numbered, posted


class Followed:
    """A feed, what it told in order, and what it asked to be fetched."""

    def __init__(self, last: int | None = 0) -> None:
        self.feed = Feed(ChannelId(1))
        self.feed.last = last
        self.told: list[int] = []
        self.fetches: list[tuple[int, int]] = []

    def take(self, *seqs: int) -> list[int]:
        """What is told because these came, one after the other."""
        start = len(self.told)
        for seq in seqs:
            told = self.feed.take(posted(seq), lambda *gap: self.fetches.append(gap))
            self.told += [envelope.seq for envelope in told]
        return self.told[start:]

    def since(self, seq: int) -> list[int] | None:
        found = self.feed.since(seq)
        return None if found is None else [envelope.seq for envelope in found]


def test_what_comes_in_order_is_told_as_it_comes() -> None:
    followed = Followed()
    assert [followed.take(seq) for seq in (1, 2, 3)] == [[1], [2], [3]]
    assert followed.fetches == []


def test_the_first_event_a_feed_hears_of_is_where_it_starts() -> None:
    followed = Followed(last=None)
    assert followed.take(7, 8, 6) == [7, 8]
    assert followed.feed.last == 8
    assert followed.since(6) == [7, 8]
    assert followed.since(5) is None


@pytest.mark.parametrize("again", [1, 2, 3])
def test_what_comes_twice_is_told_once(again: int) -> None:
    followed = Followed()
    followed.take(1, 2, 3)
    assert followed.take(again) == []
    assert followed.since(0) == [1, 2, 3]


def test_what_comes_early_waits_for_what_is_missing() -> None:
    followed = Followed()
    assert followed.take(3, 2) == []
    assert followed.fetches == [(0, 2)]
    assert followed.take(1) == [1, 2, 3]


def test_early_ones_that_come_twice_are_told_once() -> None:
    followed = Followed()
    assert followed.take(2, 2, 1, 2) == [1, 2]


def test_a_gap_is_fetched_once_while_the_fetch_is_under_way() -> None:
    followed = Followed()
    followed.take(5, 6, 9)
    assert followed.fetches == [(0, 4)]


def test_when_a_fetch_failed_the_next_event_asks_again() -> None:
    followed = Followed()
    followed.take(3)
    followed.feed.fetched()
    assert followed.take(4) == []
    assert followed.fetches == [(0, 2), (0, 2)]


def test_what_was_late_and_fetched_as_well_is_told_once() -> None:
    followed = Followed()
    assert followed.take(4, 2, 1, 1, 2, 3) == [1, 2, 3, 4]
    followed.feed.fetched()
    assert followed.take(5) == [5]
    assert followed.fetches == [(0, 3)]


def test_what_waits_is_bounded_and_what_found_no_room_is_fetched() -> None:
    followed = Followed()
    total = 3 * RING_EVENTS
    followed.take(*range(2, total + 1))
    assert len(followed.feed._stash or ()) == RING_EVENTS
    assert followed.fetches == [(0, 1)]
    assert followed.take(1) == list(range(1, RING_EVENTS + 2))
    gap = followed.feed.fetched()
    while gap is not None:
        after, upto = gap
        assert upto - after <= RING_EVENTS
        followed.take(*range(after + 1, upto + 1))
        gap = followed.feed.fetched()
    assert followed.told == list(range(1, total + 1))


def test_a_large_gap_is_fetched_in_parts() -> None:
    followed = Followed()
    followed.take(10_000)
    assert followed.fetches == [(0, RING_EVENTS)]


class Network:
    """Delivers envelopes to a feed as `arrivals` says, and whatever is fetched between them or at
    the end, as the hub does."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.feed = Feed(ChannelId(1))
        self.feed.last = 0
        self.told: list[Envelope] = []
        self.gaps: list[tuple[int, int]] = []

    def arrive(self, seq: int) -> None:
        self.told += self.feed.take(posted(seq), self.fetch)

    def fetch(self, after: int, upto: int) -> None:
        assert not self.gaps, "two fetches at once"
        assert after == self.feed.last
        assert after < upto <= self.total
        self.gaps.append((after, upto))

    def deliver(self) -> bool:
        """Answers the fetch under way, if there is one."""
        if not self.gaps:
            return False
        after, upto = self.gaps.pop()
        for seq in range(after + 1, upto + 1):
            self.told += self.feed.take(posted(seq), self.nothing_more)
        gap = self.feed.fetched()
        if gap is not None:
            self.fetch(*gap)
        return True

    def nothing_more(self, after: int, upto: int) -> None:
        raise AssertionError("a fetch was asked for while one is under way")


@st.composite
def networks(draw: st.DrawFn) -> tuple[int, Sequence[int]]:
    """A number of events, and what becomes of them on the way: any order, some twice, some never,
    0 where a fetch is answered. The newest arrives, or nobody can know that anything is missing."""
    total = draw(st.integers(1, 12))
    arriving = draw(st.lists(st.integers(1, total), max_size=24))
    arrivals = draw(st.permutations([*arriving, total, *[0] * draw(st.integers(0, 4))]))
    return total, arrivals


@settings(deadline=None, derandomize=True, max_examples=400)
@given(networks())
def test_whatever_is_lost_doubled_or_late_comes_out_whole_and_in_order(
    network: tuple[int, Sequence[int]],
) -> None:
    total, arrivals = network
    net = Network(total)
    for seq in arrivals:
        if seq:
            net.arrive(seq)
        else:
            net.deliver()
        assert [e.seq for e in net.told] == list(range(1, len(net.told) + 1))
    while net.deliver():
        pass
    assert [e.seq for e in net.told] == list(range(1, total + 1))
    assert net.feed.last == total
    missed = net.feed.since(0)
    assert missed is not None
    assert list(missed) == net.told


def test_a_second_gap_is_fetched_when_the_first_is_filled() -> None:
    followed = Followed()
    followed.take(3, 6)
    assert followed.take(1, 2) == [1, 2, 3]
    assert followed.feed.fetched() == (3, 5)
    assert followed.take(4, 5) == [4, 5, 6]
    assert followed.feed.fetched() is None


# The ring


def test_the_ring_answers_for_what_it_has_and_for_nothing_else() -> None:
    followed = Followed(last=10)
    assert followed.since(10) == []
    assert followed.since(9) is None
    assert followed.since(11) is None
    followed.take(11, 12, 13)
    assert followed.since(13) == []
    assert followed.since(12) == [13]
    assert followed.since(10) == [11, 12, 13]
    assert followed.since(9) is None
    assert followed.since(14) is None
    assert followed.since(-1) is None


def test_a_feed_that_knows_nothing_answers_nothing() -> None:
    assert Followed(last=None).since(0) is None


def test_the_ring_holds_so_many_events_and_no_more() -> None:
    followed = Followed()
    followed.take(*range(1, RING_EVENTS + 11))
    assert followed.since(9) is None
    assert followed.since(10) == list(range(11, RING_EVENTS + 11))


def test_the_ring_holds_so_many_bytes_and_no_more() -> None:
    feed = Feed(ChannelId(1))
    feed.last = 0
    for seq in range(1, 101):
        feed.take(posted(seq, "x" * 4_000), lambda *gap: None)
    kept = next(seq for seq in range(100) if feed.since(seq) is not None)
    assert (100 - kept) * 4_000 <= RING_BYTES < (100 - kept + 1) * 4_200


def test_the_ring_holds_more_while_somebody_enters_and_shrinks_again() -> None:
    followed = Followed()
    followed.feed.entering = 1
    followed.take(*range(1, 5_001))
    assert followed.since(0) == list(range(1, 5_001))
    followed.feed.entering = 0
    followed.take(5_001)
    assert followed.since(5_001 - RING_EVENTS - 1) is None
    assert len(followed.since(5_001 - RING_EVENTS) or ()) == RING_EVENTS


def test_even_then_the_ring_has_a_bound() -> None:
    feed = Feed(ChannelId(1))
    feed.last, feed.entering = 0, 1
    for seq in range(1, 2_001):
        feed.take(posted(seq, "x" * 4_000), lambda *gap: None)
    kept = next(seq for seq in range(2_000) if feed.since(seq) is not None)
    assert (2_000 - kept) * 4_000 <= ENTERING_FACTOR * RING_BYTES


def test_events_that_are_no_messages_are_in_the_ring_as_well() -> None:
    feed = Feed(ChannelId(1))
    feed.last = 0
    feed.take(numbered(1, came_in(ALICE)), lambda *gap: None)
    assert feed.since(0) == [numbered(1, came_in(ALICE))]


# The sockets


def socket(who, dialect: Plain) -> Connection:  # type: ignore[no-untyped-def]
    return Connection(Link("c", who), dialect, FakeSink(), "10.0.0.1", lambda connection: None)


def test_sockets_stand_together_by_protocol_and_leave_no_trace() -> None:
    feed, plain, other = Feed(ChannelId(1)), Plain(), Plain("other")
    assert feed.idle
    sockets = [socket(ALICE, plain), socket(BOB, plain), socket(ALICE, other)]
    for connection in sockets:
        feed.add(connection, Subscription(True, True, True, 0, 0))
    assert [len(group) for _, group in feed.subscribers.values()] == [2, 1]
    assert list(feed.of(ALICE.id)) == [sockets[0], sockets[2]]
    assert [connection for connection, _ in feed.each()] == sockets
    feed.remove(sockets[2])
    feed.remove(sockets[2])
    assert list(feed.subscribers) == ["plain"]
    for connection in sockets[:2]:
        feed.remove(connection)
    assert feed.idle


def test_a_feed_that_somebody_is_entering_is_not_idle() -> None:
    feed = Feed(ChannelId(1))
    feed.entering += 1
    assert not feed.idle
