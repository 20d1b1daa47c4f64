"""Sockets and services that can be held up, made to fail, and asked what they got."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hubbub.bus.memory import MemoryBus
from hubbub.core.answers import Done, Entered, Messages, Posted, Present, Recovery
from hubbub.core.channels import Channel, Role
from hubbub.core.commands import (
    Enter,
    ListPresent,
    MoveCursor,
    ReadHistory,
    SendDirect,
    SendMessage,
    Signal,
)
from hubbub.core.errors import DomainError, NotAMember, NotFound, Unauthenticated
from hubbub.core.events import (
    ChannelChanged,
    Departure,
    Durable,
    Envelope,
    MemberJoined,
    MemberLeft,
    MessagePosted,
)
from hubbub.core.ids import ChannelId, ChannelRef, UserId, Who
from hubbub.core.limits import Rates
from hubbub.core.policy import Action, authorize
from hubbub.core.signals import Peer
from hubbub.dialects.base import Dialect, Link
from hubbub.hub.connection import Connection
from hubbub.hub.frames import frame
from hubbub.hub.hub import Hub, HubLimits
from hubbub.hub.portable import messages
from hubbub.services.calls import Calls
from hubbub.services.presence import Presence
from tests.support.samples import channel

DEADLINE = 10.0


async def until(condition: Callable[[], object]) -> None:
    """Waits for what somebody else on the loop brings about."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0)


async def turns(number: int = 5) -> None:
    """Lets everything happen that need not wait for anything."""
    for _ in range(number):
        await asyncio.sleep(0)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeSink:
    """A wire. `room` is how many bytes it takes before it stops being writable; as a transport
    does, it takes a write that goes past that whole."""

    def __init__(self, room: float = float("inf")) -> None:
        self.writable = True
        self.closed = False
        self.on_writable: Callable[[], None] | None = None
        self.on_text: Callable[[str], bool] | None = None
        self.room = room
        self.held = 0
        self.writes: list[bytes] = []
        self.ended: tuple[int, str] | None = None
        self.on_close: Callable[[int], None] = lambda code: None

    def write(self, frames: bytes) -> bool:
        if not self.writable:
            return False
        self.writes.append(frames)
        self.room -= len(frames)
        self.writable = self.room > 0
        return True

    def close(self, code: int, reason: str) -> None:
        if self.ended is None and not self.closed:
            self.ended = code, reason
            self.lose()
            self.on_close(code)

    def unread(self) -> int:
        return self.held

    def stall(self) -> None:
        """The peer reads no more."""
        self.writable = False

    def resume(self, room: float = float("inf")) -> None:
        """The peer reads on."""
        if self.closed:
            return
        self.room, self.writable = room, True
        if self.on_writable is not None:
            self.on_writable()

    def lose(self) -> None:
        """The connection is gone."""
        self.writable, self.closed = False, True
        self.on_writable = self.on_text = None

    @property
    def code(self) -> int | None:
        """The code it was closed with."""
        return None if self.ended is None else self.ended[0]

    @property
    def got(self) -> list[str]:
        """Everything the peer received, line by line."""
        return [line for text in messages(b"".join(self.writes)) for line in text.split("\n")]


class Plain(Dialect):
    """A protocol to look at: `7 hello` for a message, names for everything else. With
    `closes_ousted` its sockets have no life outside their channel."""

    def __init__(
        self, name: str = "plain", *, lines: bool = True, closes_ousted: bool = False
    ) -> None:
        self.name = name
        self.lines = lines
        self.pings = not closes_ousted
        self.closes_ousted = closes_ousted
        self.encoded = 0

    def decode(self, text: str, link: Link) -> Any:
        raise NotImplementedError

    def encode(self, envelope: Envelope) -> bytes | None:
        self.encoded += 1
        return spell(envelope).encode()

    def greet(self, link: Link) -> Sequence[bytes]:
        return ()

    def opening(self, link: Link) -> None:
        return None

    def answer(self, request: Any, answer: Any, link: Link) -> Sequence[bytes]:
        raise NotImplementedError

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        return f"error {error.code}".encode()

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes | None:
        return None if self.closes_ousted else f"out of {channel} {name}".encode()

    def ping(self, moved: dict[ChannelId, int]) -> bytes | None:
        return f"ping {moved}".encode()


def spell(envelope: Envelope) -> str:
    """An event in the words of `Plain`."""
    event = envelope.event
    if isinstance(event, MessagePosted):
        return f"{envelope.seq} {event.content}"
    user = getattr(event, "user", None)
    about = f"{type(event).__name__} {user.name if user else ''}".strip()
    return f"{envelope.seq} {about}" if envelope.seq else about


@dataclass
class Place:
    """A channel as storage has it."""

    channel: Channel
    log: list[Envelope] = field(default_factory=list)
    members: dict[UserId, Role] = field(default_factory=dict)

    def commit(self, event: Durable) -> Envelope:
        """Stores an event and what it changes; it has not been published yet."""
        seq = len(self.log) + 1
        envelope = Envelope(self.channel.id, event, seq, self.channel.epoch)
        self.log.append(envelope)
        self.channel = replace(self.channel, seq=seq)
        match event:
            case MemberJoined(user=user, role=role):
                self.members[user.id] = role
            case MemberLeft(user=user):
                self.members.pop(user.id, None)
            case ChannelChanged(name=name, private=private, guests=guests):
                self.channel = replace(self.channel, name=name, private=private, guests=guests)
        return envelope


@dataclass(frozen=True)
class Known:
    """Whose a token is."""

    who: Who
    expires_at: float


class Gate:
    """Holds a call of the services: `reached` when it came, on when it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_(self) -> None:
        self.reached.set()
        await self.opened.wait()


class FakeServices:
    """Services over channels in memory. Calls to be held or to fail are named: `enter` before it
    reads, `entered` between reading and returning, `resolve`, `backfill`, `identify`, `read`."""

    def __init__(self, bus: MemoryBus) -> None:
        self.places: dict[ChannelId, Place] = {}
        self.tokens: dict[str, Known] = {}
        self.calls: list[tuple[str, object]] = []
        self.most = 1_000
        self.unanswered: deque[Callable[[], None]] = deque()
        self.answer_posts = True
        self._gates: dict[str, deque[Gate]] = {}
        self._faults: dict[str, deque[Exception]] = {}
        self._calls = Calls(bus, Rates(0, 0), lambda: 0.0)
        presence = Presence(bus)
        self._presence = presence
        self.typing = presence.typing

    def add(self, id: int, *members: Who, **settings: Any) -> Place:
        """A channel with these members."""
        place = Place(channel(id, **settings), members={who.id: Role.MEMBER for who in members})
        self.places[place.channel.id] = place
        return place

    def hold(self, call: str) -> Gate:
        """The next call of that name waits."""
        gate = Gate()
        self._gates.setdefault(call, deque()).append(gate)
        return gate

    def fail(self, call: str, error: Exception) -> None:
        """The next call of that name fails."""
        self._faults.setdefault(call, deque()).append(error)

    def called(self, name: str) -> list[object]:
        """The arguments of every call of that name."""
        return [argument for call, argument in self.calls if call == name]

    async def _pass(self, call: str) -> None:
        if self._gates.get(call):
            await self._gates[call].popleft().pass_()
        if self._faults.get(call):
            raise self._faults[call].popleft()

    # What the hub calls

    def post(
        self, who: Who, command: SendMessage, done: Callable[[Posted | DomainError], None]
    ) -> None:
        self.calls.append(("post", command))
        answer = Posted(ChannelId(1), 10 * len(self.called("post")), 1, 0, command.content)  # type: ignore[arg-type]
        self._answer(lambda: done(answer))

    def move(
        self, who: Who, command: MoveCursor, done: Callable[[Done | DomainError], None]
    ) -> None:
        self.calls.append(("move", command))
        self._answer(lambda: done(Done()))

    def _answer(self, answer: Callable[[], None]) -> None:
        if self.answer_posts:
            asyncio.get_running_loop().call_soon(answer)
        else:
            self.unanswered.append(answer)

    async def resolve(self, ref: ChannelRef) -> ChannelId:
        await self._pass("resolve")
        if isinstance(ref, int):
            return ChannelId(ref)
        for place in self.places.values():
            if place.channel.key == ref:
                return place.channel.id
        raise NotFound("there is no such channel", "unknown_channel")

    async def backfill(self, channel: ChannelId, after: int, upto: int) -> Sequence[Envelope]:
        self.calls.append(("backfill", (after, upto)))
        await self._pass("backfill")
        return self.places[channel].log[after:upto]

    async def identify(self, token: str) -> Known:
        self.calls.append(("identify", token))
        await self._pass("identify")
        if token not in self.tokens:
            raise Unauthenticated("the token is no good", "token_invalid")
        return self.tokens[token]

    async def enter(self, who: Who, command: Enter) -> Entered:
        self.calls.append(("enter", command))
        await self._pass("enter")
        entered = self._read(who, command)
        await self._pass("entered")
        return entered

    def _read(self, who: Who, command: Enter) -> Entered:
        assert isinstance(command.channel, int)
        place = self.places.get(ChannelId(command.channel))
        if place is None:
            raise NotFound("there is no such channel", "unknown_channel")
        role = place.members.get(who.id)
        if role is None and command.members_only:
            raise NotAMember("you are not a member of this channel")
        if role is None:
            authorize(who, Action.READ, place.channel, None)
        spoken = [e for e in place.log if isinstance(e.event, MessagePosted)]
        history = spoken[len(spoken) - command.history :] if command.history else []
        answer = Entered(place.channel, place.channel.seq, role, history=history)
        cursor = command.cursor
        if cursor is None:
            return answer
        if cursor.epoch != place.channel.epoch or not 0 <= cursor.seq <= place.channel.seq:
            return replace(answer, recovery=Recovery.RESET)
        missed = place.log[cursor.seq :][-self.most :]
        enough = len(missed) == place.channel.seq - cursor.seq
        recovery = Recovery.RECOVERED if enough else Recovery.TRUNCATED
        return replace(answer, recovery=recovery, events=missed)

    async def read(self, who: Who, command: ReadHistory | ListPresent) -> Messages | Present:
        self.calls.append(("read", command))
        await self._pass("read")
        if isinstance(command, ListPresent):
            return self._presence.present(ChannelId(int(command.channel)))
        return Messages(ChannelId(int(command.channel)), [])

    def opened(self, who: Who, connection: str, dialect: str, channel: str, address: str) -> None:
        self.calls.append(("opened", (who.id, connection, dialect, channel, address)))

    def closed(self, connection: str, why: Departure) -> None:
        self.calls.append(("closed", connection))

    async def locate(self, who: Who, command: Enter, address: str) -> ChannelId:
        self.calls.append(("locate", (who.id, command.channel, address)))
        return await self.resolve(command.channel)

    def join_call(self, channel: Channel, peer: Peer, connection: str) -> None:
        self._calls.join(channel, peer, connection)

    def leave_call(self, channel: ChannelId, peer: Peer, connection: str) -> None:
        self._calls.leave(channel, peer, connection)

    def peers(self, channel: ChannelId, but: Peer) -> Sequence[Peer]:
        return self._calls.peers(channel, but)

    def signal(self, channel: ChannelId, sender: Peer, command: Signal) -> None:
        self._calls.signal(channel, sender, command)

    async def send_direct(self, who: Who, command: SendDirect) -> None:
        await self._pass("send_direct")
        self.calls.append(("send_direct", (who.id, command.to, command.content)))

    def come(self, channel: ChannelId, who: Who, connection: str) -> None:
        self.calls.append(("come", (channel, who.id, connection)))
        self._presence.come(channel, who, connection)

    def go(self, channel: ChannelId, user: UserId, connection: str, why: Departure) -> None:
        self.calls.append(("go", (channel, user, connection, why)))
        self._presence.go(channel, user, connection, why)


class Socket:
    """A connection of the hub's and its wire."""

    def __init__(self, hub: Hub, connection: Connection, sink: FakeSink) -> None:
        self.hub = hub
        self.connection = connection
        self.sink = sink

    @property
    def got(self) -> list[str]:
        return self.sink.got

    async def enter(self, ref: ChannelRef, **options: Any) -> Entered:
        """Enters and is told, as a session would: the answer comes before what is live."""
        entered = await self.hub.enter(self.connection, Enter(ref, **options))
        self.connection.queue(frame(f"in {entered.channel.id} at {entered.seq}".encode()))
        return entered

    def entering(self, ref: ChannelRef, **options: Any) -> "asyncio.Task[Entered]":
        """Begins to enter."""
        return asyncio.create_task(self.enter(ref, **options))


class Stage:
    """A hub on a bus, with fake services; `places` are made with `services.add`."""

    def __init__(self, limits: HubLimits | None = None) -> None:
        self.bus = MemoryBus()
        self.services = FakeServices(self.bus)
        self.clock = Clock()
        self.hub = Hub(self.services, limits or HubLimits(), self.clock)
        self.bus.subscribe(self.hub.on_events, self.hub.on_notice)
        self.plain = Plain()
        self._sockets = 0

    def connect(
        self,
        who: Who | None,
        dialect: Dialect | None = None,
        *,
        address: str = "10.0.0.1",
        path: ChannelRef | None = None,
    ) -> Socket:
        """A socket that has been taken up."""
        link = Link(f"c{self.number()}", who, path)
        sink = FakeSink()
        connection = Connection(link, dialect or self.plain, sink, address, self.hub.dirty)
        self.hub.add(connection)
        return Socket(self.hub, connection, sink)

    def number(self) -> int:
        """The number of another socket."""
        self._sockets += 1
        return self._sockets

    def publish(self, *envelopes: Envelope) -> None:
        """What one commit brought."""
        self.bus.publish(envelopes)

    def happen(self, place: Place, *events: Durable) -> None:
        """Commits events and publishes them together."""
        self.publish(*[place.commit(event) for event in events])


async def inside(stage: Stage, *people: Who, **options: Any) -> list[Socket]:
    """Sockets that are in channel 1 and have forgotten how they got there."""
    sockets = [stage.connect(who) for who in people]
    for socket in sockets:
        await socket.enter(1, **options)
    await turns()
    for socket in sockets:
        socket.sink.writes.clear()
    return sockets


Asgi = dict[str, Any]


class FakeServer:
    """The server's side of ASGI: `receive` gives what was put in, `send` can be held or fail."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Asgi] = asyncio.Queue()
        self.sent: list[Asgi] = []
        self.free = asyncio.Event()
        self.free.set()
        self.fault: Exception | None = None

    async def receive(self) -> Asgi:
        return await self.incoming.get()

    async def send(self, message: Any) -> None:
        await self.free.wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append(message)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """The peer reads nothing while this lasts."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()
