"""The bus: everything published reaches every subscriber once, in order, whoever fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import pytest

from hubbub.bus.base import Bus
from hubbub.bus.memory import MemoryBus
from hubbub.core.events import AccountDisabled, Envelope, Notice, SessionRevoked
from hubbub.core.ids import UserId
from tests.support.samples import ALICE, posted, typing

Settle = Callable[[], Awaitable[None]]
ADAPTERS: dict[str, tuple[Callable[[], Bus], Settle]] = {
    "memory": (MemoryBus, lambda: asyncio.sleep(0)),
}


@pytest.fixture(params=ADAPTERS)
def bus_and_settle(request: pytest.FixtureRequest) -> tuple[Bus, Settle]:
    """A bus, and a wait after which everything published has arrived."""
    make, settle = ADAPTERS[request.param]
    return make(), settle


class Subscriber:
    """Keeps what arrives, call by call; `react` is called with each call first."""

    def __init__(self, bus: Bus, react: Callable[[object], None] = lambda arrived: None) -> None:
        self.calls: list[Sequence[Envelope]] = []
        self.notices: list[Notice] = []
        self.react = react
        self.leave = bus.subscribe(self._on_events, self._on_notice)

    @property
    def events(self) -> list[Envelope]:
        return [envelope for call in self.calls for envelope in call]

    def _on_events(self, envelopes: Sequence[Envelope]) -> None:
        self.calls.append(list(envelopes))
        self.react(envelopes)

    def _on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.react(notice)


async def test_everybody_gets_what_is_published_the_publisher_included(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    people = [Subscriber(bus) for _ in range(3)]
    batches = [[posted(1), typing(ALICE)], [posted(2)], [posted(3, in_channel=2), posted(3)]]
    for batch in batches:
        bus.publish(batch)
    bus.notify(SessionRevoked("s1"))
    await settle()
    for somebody in people:
        assert somebody.calls == batches
        assert somebody.notices == [SessionRevoked("s1")]


async def test_a_bus_without_subscribers_takes_everything(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    bus.publish([posted(1)])
    bus.notify(AccountDisabled(UserId(1)))
    await settle()


async def test_whoever_comes_late_gets_what_comes_from_now_on(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    bus.publish([posted(1)])
    await settle()
    late = Subscriber(bus)
    bus.publish([posted(2)])
    await settle()
    assert late.events == [posted(2)]


async def test_whoever_left_gets_nothing_more_and_may_leave_again(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    gone, there = Subscriber(bus), Subscriber(bus)
    bus.publish([posted(1)])
    await settle()
    gone.leave()
    gone.leave()
    bus.publish([posted(2)])
    bus.notify(SessionRevoked("s1"))
    await settle()
    assert gone.events == [posted(1)]
    assert gone.notices == []
    assert there.events == [posted(1), posted(2)]


async def test_one_function_subscribed_twice_is_two_subscribers(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    calls: list[Sequence[Envelope]] = []
    leave, _ = [bus.subscribe(calls.append, lambda notice: None) for _ in range(2)]
    bus.publish([posted(1)])
    await settle()
    assert len(calls) == 2
    leave()
    bus.publish([posted(2)])
    await settle()
    assert len(calls) == 3


async def test_a_subscriber_hears_only_what_it_wants(bus_and_settle: tuple[Bus, Settle]) -> None:
    bus, settle = bus_and_settle
    events: list[object] = []
    notices: list[object] = []
    leave = [bus.subscribe(events.extend, None), bus.subscribe(None, notices.append)]
    bus.publish([posted(1)])
    bus.notify(SessionRevoked("s1"))
    await settle()
    assert (events, notices) == ([posted(1)], [SessionRevoked("s1")])
    for end in leave:
        end()
    bus.publish([posted(2)])
    bus.notify(SessionRevoked("s2"))
    await settle()
    assert (len(events), len(notices)) == (1, 1)


async def test_a_subscriber_that_raises_harms_neither_the_publisher_nor_the_others(
    bus_and_settle: tuple[Bus, Settle], caplog: pytest.LogCaptureFixture
) -> None:
    bus, settle = bus_and_settle

    def fail(arrived: object) -> None:
        raise RuntimeError("broken subscriber")

    people = [Subscriber(bus), Subscriber(bus, fail), Subscriber(bus)]
    with caplog.at_level(logging.CRITICAL + 1):
        bus.publish([posted(1)])
        bus.notify(SessionRevoked("s1"))
        bus.publish([posted(2)])
        await settle()
    for somebody in people:
        assert somebody.events == [posted(1), posted(2)]
        assert somebody.notices == [SessionRevoked("s1")]


async def test_what_a_subscriber_publishes_arrives_after_what_it_answers_to(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle

    def answer(arrived: object) -> None:
        if arrived == [posted(1)]:
            bus.publish([posted(2)])
            bus.publish([posted(3)])

    people = [Subscriber(bus), Subscriber(bus, answer), Subscriber(bus)]
    bus.publish([posted(1)])
    await settle()
    for somebody in people:
        assert somebody.events == [posted(1), posted(2), posted(3)]


async def test_notices_and_events_keep_their_order_for_a_subscriber_that_answers(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    order: list[object] = []

    def answer(arrived: object) -> None:
        if arrived == SessionRevoked("s1"):
            bus.publish([posted(1)])

    Subscriber(bus, answer)
    bus.subscribe(lambda events: order.extend(events), order.append)
    bus.notify(SessionRevoked("s1"))
    await settle()
    assert order == [SessionRevoked("s1"), posted(1)]


async def test_whoever_comes_or_goes_while_something_is_told_upsets_nobody(
    bus_and_settle: tuple[Bus, Settle],
) -> None:
    bus, settle = bus_and_settle
    newcomers: list[Subscriber] = []

    def swap(arrived: object) -> None:
        first.leave()
        newcomers.append(Subscriber(bus))

    first = Subscriber(bus, swap)
    last = Subscriber(bus)
    bus.publish([posted(1)])
    bus.publish([posted(2)])
    await settle()
    assert first.events == [posted(1)]
    assert last.events == [posted(1), posted(2)]
    assert [n.events for n in newcomers] == [[posted(2)]]
