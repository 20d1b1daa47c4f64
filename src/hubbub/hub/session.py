"""One socket's conversation: read a frame, hand its commands over, come back for the next."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from hubbub.core.answers import Answer, Connected, Done, Entered, Refreshed
from hubbub.core.commands import (
    Connect,
    Enter,
    Exit,
    ListPresent,
    MoveCursor,
    Ping,
    ReadHistory,
    Refresh,
    SendMessage,
    SetTyping,
)
from hubbub.core.errors import (
    AccountGone,
    BadFrame,
    DomainError,
    Forbidden,
    NotConnected,
    NotFound,
    TooMany,
    Unauthenticated,
)
from hubbub.core.ids import ChannelRef, Who
from hubbub.core.limits import TokenBucket
from hubbub.dialects.base import Refused, Request
from hubbub.hub.connection import Connection
from hubbub.hub.frames import frame
from hubbub.hub.hub import PING_SECONDS, Hub

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MOST_IN_FLIGHT = 64
EXPIRY_GRACE = 25
"""Seconds past its token's end after which a native socket is closed."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one socket may send, per second; a rate of 0 is no limit."""

    message_rate: float
    message_burst: float
    frame_rate: float


class Session:
    """Reads a socket until it ends.

    Commands are started strictly in the order they came. Posts and cursors are handed over and
    answered by callback; what has to be waited for runs in one lane per socket, and while that is
    busy everything queues up behind it. At most 64 commands are under way; then the socket is not
    read.
    """

    __slots__ = (
        "_connected",
        "_connection",
        "_expires",
        "_frames",
        "_hub",
        "_in_flight",
        "_lane",
        "_messages",
        "_now",
        "_room",
        "_task",
    )

    def __init__(
        self,
        hub: Hub,
        connection: Connection,
        limits: SocketLimits,
        expires_at: float | None,
        now: Callable[[], float],
    ) -> None:
        """`expires_at` is when the token ends, in seconds since 1970 as `now` gives them."""
        self._hub = hub
        self._connection = connection
        # Where the protocol has a `connect`, nothing goes before it.
        self._connected = not connection.dialect.pings
        self._now = now
        self._expires = expires_at
        started = hub.clock()
        self._messages = TokenBucket(limits.message_rate, limits.message_burst, started)
        self._frames = TokenBucket(limits.frame_rate, limits.frame_rate, started)
        self._in_flight = 0
        self._lane: deque[Request] | None = None
        self._room: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self, receive: Receive) -> None:
        """Greets, opens, and reads until the peer or the server has closed.

        Afterwards the socket is in no channel and nothing of it is running.
        """
        connection = self._connection
        try:
            self._hub.add(connection)
        except TooMany as error:
            connection.close(close_code(error), str(error))
            return
        try:
            if await self._open():
                await self._read(receive)
        except Exception:
            log.exception("! a socket's session failed")
            connection.close(1011, "internal error")
        finally:
            if self._task is not None:
                self._task.cancel()
            self._hub.remove(connection)

    async def _open(self) -> bool:
        """Does what opening the socket asks for, and then greets: whoever is refused is told so by
        the close alone."""
        connection = self._connection
        dialect, link = connection.dialect, connection.link
        command = dialect.opening(link)
        answered: Sequence[bytes] = ()
        if command is not None:
            request = Request(command)
            try:
                answer = await self._carry_out(request)
            except DomainError as error:
                connection.close(close_code(error), str(error))
                return False
            answered = dialect.answer(request, answer, link)
        for words in (*dialect.greet(link), *answered):
            connection.queue(frame(words))
        return True

    async def _read(self, receive: Receive) -> None:
        connection = self._connection
        link, dialect = connection.link, connection.dialect
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if connection.closing:
                continue  # whoever was shown the door has no more to say
            if not self._frames.take(self._hub.clock()):
                connection.close(1008, "too many frames")
                return
            text = event.get("text")
            if text is None:
                self._refuse(BadFrame("binary frames are not understood", "binary_frame"), None)
                continue
            for request in dialect.decode(text, link):
                if isinstance(request, Refused):
                    self._refuse(request.error, request.id)
                    continue
                if self._in_flight >= MOST_IN_FLIGHT:
                    await self._make_room()
                if connection.closing:
                    break
                self._start(request)

    async def _make_room(self) -> None:
        self._room = asyncio.Event()
        await self._room.wait()
        self._room = None

    def _start(self, request: Request) -> None:
        self._in_flight += 1
        if self._lane is not None:
            self._lane.append(request)
        elif not self._hand_over(request):
            self._lane = deque((request,))
            self._task = asyncio.get_running_loop().create_task(self._run_lane())

    def _hand_over(self, request: Request) -> bool:
        """Starts a command that need not be waited for; False for one that must be."""
        command = request.command
        try:
            if not self._connected and not isinstance(command, Connect):
                raise NotConnected("connect first")
            match command:
                case SendMessage():
                    who = self._who()
                    if not self._messages.take(self._hub.clock()):
                        raise TooMany("you are posting too fast", retry_after=self._messages.wait())
                    self._hub.services.post(who, command, partial(self._finish, request))
                case MoveCursor():
                    self._hub.services.move(self._who(), command, partial(self._finish, request))
                case SetTyping():
                    self._type(command)
                    self._finish(request, Done())
                case Ping():
                    self._finish(request, Done())
                case _:
                    return False
        except DomainError as error:
            self._finish(request, error)
        return True

    def _finish(self, request: Request, answer: Answer | DomainError) -> None:
        self._in_flight -= 1
        if self._room is not None:
            self._room.set()
        if isinstance(answer, DomainError):
            self._refuse(answer, request.id)
        else:
            self._answer(request, answer)

    def _answer(self, request: Request, answer: Answer) -> None:
        connection = self._connection
        answered = connection.dialect.answer(request, answer, connection.link)
        frames = b"".join([frame(words) for words in answered])
        if connection.corked:
            connection.uncork(frames)
        elif frames:
            connection.queue(frames)

    def _refuse(self, error: DomainError, id: int | None) -> None:
        self._connection.queue(frame(self._connection.dialect.refuse(error, id)))

    async def _run_lane(self) -> None:
        assert self._lane is not None
        connection = self._connection
        try:
            while self._lane and not connection.closing:
                request = self._lane.popleft()
                if self._hand_over(request):
                    continue
                try:
                    answer: Answer | DomainError = await self._carry_out(request)
                except DomainError as error:
                    answer = error
                self._finish(request, answer)
                if isinstance(request.command, Connect) and isinstance(
                    answer, Unauthenticated | TooMany
                ):
                    # Refused as in the handshake.
                    connection.close(close_code(answer), str(answer))
        except Exception:
            log.exception("! a command failed")
            connection.close(1011, "internal error")
        self._lane = self._task = None
        if connection.closing and self._room is not None:
            self._room.set()  # what was in the lane is not answered any more

    async def _carry_out(self, request: Request) -> Answer:
        command = request.command
        match command:
            case Enter():
                self._who()
                return await self._enter(command)
            case Exit(channel=ref):
                channel = await self._hub.services.resolve(ref)
                exited = self._hub.exit(self._connection, channel)
                if exited is None:
                    raise NotFound("this socket is not in that channel", "not_in_channel")
                return exited
            case ReadHistory() | ListPresent():
                return await self._hub.services.read(self._who(), command)
            case Connect():
                return await self._connect(command)
            case Refresh(token=token):
                return await self._refresh(token)
            case SendMessage() | MoveCursor() | SetTyping() | Ping():
                raise AssertionError("handed over, never carried out")
            case _:
                assert_never(command)

    async def _enter(self, command: Enter) -> Entered:
        link = self._connection.link
        entered = await self._hub.enter(self._connection, command)
        if link.channel is not None and link.channel == command.channel:
            link.channel, link.key = entered.channel.id, entered.channel.key
        return entered

    async def _connect(self, command: Connect) -> Connected:
        connection = self._connection
        link = connection.link
        if self._connected:
            raise NotConnected("this socket is connected already", "already_connected")
        if command.token is not None:
            identity = await self._hub.services.identify(command.token)
            if link.who is None:
                self._hub.adopt(connection, identity.who)
            elif link.who.id != identity.who.id:
                raise Forbidden("this is somebody else's token", "other_user")
            link.who, self._expires = identity.who, identity.expires_at
        if link.who is None:
            raise Unauthenticated("connect with a token")
        who, self._connected = link.who, True
        # Until the answer is there, what the first channels tell has to wait for the last ones.
        connection.corked = True
        entries: list[tuple[ChannelRef, Entered | DomainError]] = []
        for wanted in command.channels:
            try:
                entries.append((wanted.channel, await self._hub.enter(connection, wanted)))
            except DomainError as error:
                entries.append((wanted.channel, error))
        return Connected(link.connection, who, self._arm(), PING_SECONDS, entries)

    async def _refresh(self, token: str) -> Refreshed:
        identity = await self._hub.services.identify(token)
        if identity.who.id != self._who().id:
            raise Forbidden("this is somebody else's token", "other_user")
        self._connection.link.who, self._expires = identity.who, identity.expires_at
        return Refreshed(self._arm() or 0)

    def _arm(self) -> int | None:
        """Notes when the token's end closes the socket; the seconds it still lives come back."""
        if self._expires is None:
            self._connection.deadline = None
            return None
        ttl = max(0, int(self._expires - self._now()))
        self._connection.deadline = self._hub.clock() + ttl + EXPIRY_GRACE
        return ttl

    def _type(self, command: SetTyping) -> None:
        who = self._who()
        for channel, subscription in self._connection.subscriptions.items():
            known = self._hub.channel(channel)
            if command.channel == channel or (known and known.key == command.channel):
                if not subscription.may_post:
                    raise Forbidden("join this channel first", "not_a_member")
                self._hub.services.typing(channel, who, command.typing)
                return
        raise NotFound("this socket is not in that channel", "not_in_channel")

    def _who(self) -> Who:
        who = self._connection.link.who
        if who is None:
            raise NotConnected("connect first")
        return who


def close_code(error: DomainError) -> int:
    """The close code with which a socket is refused."""
    match error:
        case AccountGone():
            return 4000
        case Unauthenticated():
            return 4001
        case NotFound():
            return 4004
        case TooMany():
            return 1013
        case Forbidden():
            return 4003
    return 1011
