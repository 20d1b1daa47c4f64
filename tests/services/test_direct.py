"""Writing to people by the name an application has for them."""

import pytest

from hubbub.auth.guests import named_guest, new_guest
from hubbub.bus.memory import MemoryBus
from hubbub.core.commands import SendDirect
from hubbub.core.errors import Invalid, NotFound
from hubbub.core.events import Envelope, MessagePassed, inbox_of
from hubbub.core.ids import ChannelId, Person, UserId, Who
from hubbub.services.direct import Direct
from hubbub.storage.base import Account
from tests.support.samples import channel

ALICE = Account(UserId(1), "alice", None, None, False, False, 0)
EXTERNAL = Account(UserId(2), "bob-2", None, None, False, False, 0, "issuer", "42")
CAROL, DAVE = named_guest("carol"), named_guest("dave")


class Chats:
    """Where direct messages are stored: who wrote what to whom."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, str]] = []
        self._to = Person(UserId(0), "")

    async def direct_with(self, who: Who, other: Person) -> object:
        self._to = other
        return channel(5)

    async def post(self, who: Who, command: object) -> None:
        self.posted.append((who.name, self._to.handle, command.content))  # type: ignore[attr-defined]


class World:
    def __init__(self) -> None:
        self.chats = Chats()
        self.here: set[str] = set()
        self.told: list[Envelope] = []
        bus = MemoryBus()
        bus.subscribe(self.told.extend, lambda _: None)
        self.direct = Direct(
            self.chats,  # type: ignore[arg-type]
            self.find,
            bus,
            self.here.__contains__,
            lambda: 1.5,
        )

    async def find(self, handle: str) -> Account | None:
        return {"alice": ALICE, "42": EXTERNAL}.get(handle)

    async def send(self, who: Who, to: str) -> None:
        await self.direct.send(who, SendDirect(to, "hi"))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_message_to_an_account_is_stored_whether_it_is_there_or_not(world: World) -> None:
    await world.send(CAROL, "alice")
    await world.send(Who(UserId(1), "alice"), "42")
    assert world.chats.posted == [("carol", "alice", "hi"), ("alice", "42", "hi")]
    assert world.told == []


async def test_a_message_of_an_account_to_a_guest_who_is_there_is_stored(world: World) -> None:
    world.here.add(inbox_of(CAROL.id))
    await world.send(Who(UserId(1), "alice"), "carol")
    assert world.chats.posted == [("alice", "carol", "hi")]


async def test_what_guests_write_to_one_another_is_told_and_kept_nowhere(world: World) -> None:
    world.here.add(inbox_of(CAROL.id))
    await world.send(DAVE, "carol")
    [envelope] = world.told
    assert envelope.to == inbox_of(CAROL.id)
    assert envelope.channel == ChannelId(0)
    event = envelope.event
    assert isinstance(event, MessagePassed)
    assert (event.sender.handle, event.to.handle, event.content, event.at) == (
        "dave",
        "carol",
        "hi",
        1500,
    )
    assert world.chats.posted == []


async def test_nobody_of_that_name_is_an_error_to_the_sender(world: World) -> None:
    with pytest.raises(NotFound):
        await world.send(Who(UserId(1), "alice"), "carol")
    with pytest.raises(NotFound):
        await world.send(DAVE, "1")  # digits are nobody's integer id
    assert world.told == world.chats.posted == []


async def test_writing_to_oneself_is_refused(world: World) -> None:
    world.here.add(inbox_of(CAROL.id))
    with pytest.raises(Invalid):
        await world.send(CAROL, "carol")
    with pytest.raises(Invalid):
        await world.send(Who(UserId(2), "bob-2", subject="42"), "42")


def test_a_name_is_always_the_same_guest_and_two_names_are_two() -> None:
    assert named_guest("carol") == named_guest("carol")
    assert named_guest("carol").id != named_guest("Carol").id
    assert all(-(2**53) < guest.id < 0 for guest in (CAROL, DAVE, new_guest()))
    assert new_guest().id != new_guest().id
