"""One socket's conversation: read a frame, hand its commands over, come back for the next."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from hubbub.core.answers import Answer, Done, Entered, Posted
from hubbub.core.commands import (
    Claim,
    Connect,
    Enter,
    Exit,
    GiveUpClaim,
    JoinCall,
    KeepClaim,
    LeaveCall,
    ListPresent,
    MoveCursor,
    OpenInbox,
    Pass,
    PeerKind,
    Ping,
    ReadHistory,
    Refresh,
    SendDirect,
    SendMessage,
    SetTyping,
    Signal,
)
from hubbub.core.errors import (
    BadFrame,
    DomainError,
    Forbidden,
    NotConnected,
    NotFound,
    TooMany,
    Unauthenticated,
)
from hubbub.core.events import Departure, Envelope, MessagePosted, claim_of, inbox_of
from hubbub.core.ids import Who
from hubbub.core.limits import TokenBucket
from hubbub.dialects.base import Refused, Request
from hubbub.hub.closing import SMALL, TOO_LARGE, close_code, is_goodbye, too_large
from hubbub.hub.connection import Connection
from hubbub.hub.frames import frame
from hubbub.hub.hub import Hub
from hubbub.hub.login import Login

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MOST_IN_FLIGHT = 64

_DONE = Done()


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
        "_frames",
        "_hub",
        "_in_flight",
        "_lane",
        "_login",
        "_messages",
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
        self._login = Login(hub, connection, expires_at, now)
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
            self._turn_away(error)
            return
        why = Departure.LOST
        try:
            if await self._open():
                why = await self._read(receive)
        except Exception:
            log.exception("! a socket's session failed")
            connection.close(1011, "internal error")
        finally:
            if self._task is not None:
                self._task.cancel()
            self._hub.remove(connection, why)

    async def _open(self) -> bool:
        """Does what opening the socket asks for, and then greets: whoever is refused is told so by
        the close alone."""
        connection = self._connection
        dialect, link = connection.dialect, connection.link
        answered: Sequence[bytes] = ()
        try:
            command = dialect.opening(link)
            if command is not None:
                request = Request(command)
                answered = dialect.answer(request, await self._carry_out(request), link)
        except DomainError as error:
            self._turn_away(error)
            return False
        for words in (*dialect.greet(link), *answered):
            connection.queue(frame(words))
        return True

    def _turn_away(self, error: DomainError) -> None:
        connection = self._connection
        for words in connection.dialect.turn_away(error):
            connection.queue(frame(words))
        connection.close(close_code(error), str(error))

    async def _read(self, receive: Receive) -> Departure:
        """Reads to the end; how the socket ended comes back."""
        connection = self._connection
        link, dialect = connection.link, connection.dialect
        while True:
            connection.sink.on_text = self._hear
            event = await receive()
            connection.sink.on_text = None
            if event["type"] == "websocket.disconnect":
                goodbye = is_goodbye(event.get("code", 1006))
                return Departure.DISCONNECTED if goodbye else Departure.LOST
            if connection.closing:
                continue  # whoever was shown the door has no more to say
            if not self._allow(1):
                return Departure.DISCONNECTED
            text = event.get("text")
            if (text is None or len(text) > SMALL) and too_large(event):
                connection.close(1009, TOO_LARGE)
                return Departure.DISCONNECTED
            if text is None:
                self._refuse(BadFrame("binary frames are not understood", "binary_frame"), None)
                continue
            requests = dialect.decode(text, link)
            more = len(requests) - 1
            if more > 0 and not self._allow(more):
                return Departure.DISCONNECTED
            for request in requests:
                if self._in_flight >= MOST_IN_FLIGHT and not connection.closing:
                    await self._make_room()
                self._start(request)

    def _hear(self, text: str) -> bool:
        """Takes a message without a turn of the loop; False, and nothing done, where the session
        has to receive it."""
        connection = self._connection
        if len(text) > SMALL:
            return False
        if connection.closing:
            return True
        self._hub.gather()
        try:
            requests = connection.dialect.decode(text, connection.link)
            if self._in_flight + len(requests) > MOST_IN_FLIGHT:
                return False
            if self._allow(len(requests) or 1):
                for request in requests:
                    self._start(request)
        except Exception:
            log.exception("! a socket's session failed")
            connection.close(1011, "internal error")
        finally:
            self._hub.release()
        return True

    def _allow(self, frames: int) -> bool:
        """Whether the socket may send so many frames now; else it is closed."""
        if self._frames.take(self._hub.clock(), frames):
            return True
        self._connection.close(1008, "too many frames")
        return False

    async def _make_room(self) -> None:
        self._room = asyncio.Event()
        await self._room.wait()
        self._room = None

    def _start(self, request: Request | Refused) -> None:
        if isinstance(request, Refused):
            self._refuse(request.error, request.id)
            return
        if self._connection.closing:
            return
        if self._lane is None:
            if self._hand_over(request):
                return
            self._lane = deque((request,))
            self._task = asyncio.get_running_loop().create_task(self._run_lane())
        else:
            self._lane.append(request)
        self._in_flight += 1

    def _hand_over(self, request: Request) -> bool:
        """Starts a command that need not be waited for; False for one that must be. What is over
        when this returns was never in flight."""
        command = request.command
        try:
            if not self._connected and not isinstance(command, Connect):
                raise NotConnected("connect first")
            if isinstance(command, SendMessage):
                self._post(request, command)
                return True
            if isinstance(command, Signal):
                self._signal(command)
                self._answer(request, _DONE)
                return True
            match command:
                case Pass() | KeepClaim() | GiveUpClaim():
                    self._hub.services.pass_on(self._connection.link.connection, command)
                    self._answer(request, _DONE)
                case MoveCursor():
                    who = self._who()
                    self._in_flight += 1
                    self._hub.services.move(who, command, partial(self._finish, request))
                case SetTyping():
                    self._type(command)
                    self._answer(request, _DONE)
                case JoinCall(channel=ref):
                    channel = self._hub.find(self._connection, ref)
                    answer = self._hub.join_call(self._connection, channel, PeerKind.USER)
                    self._answer(request, answer)
                case LeaveCall(channel=ref):
                    self._hub.leave_call(self._connection, self._hub.find(self._connection, ref))
                    self._answer(request, _DONE)
                case Ping():
                    self._answer(request, _DONE)
                case _:
                    return False
        except DomainError as error:
            self._refuse(error, request.id)
        return True

    def _finish(self, request: Request, answer: Answer | DomainError) -> None:
        """What was in flight is over."""
        self._land()
        if isinstance(answer, DomainError):
            self._refuse(answer, request.id)
            return
        command = request.command
        if isinstance(command, SendMessage) and command.echo and isinstance(answer, Posted):
            self._echo(command, answer)
        self._answer(request, answer)

    def _land(self) -> None:
        self._in_flight -= 1
        if self._room is not None:
            self._room.set()

    def _answer(self, request: Request, answer: Answer) -> None:
        connection = self._connection
        answered = connection.dialect.answer(request, answer, connection.link)
        if not answered and not connection.corked:
            return
        frames = b"".join([frame(words) for words in answered])
        if connection.corked:
            connection.uncork(frames)
        elif frames:
            connection.queue(frames)

    def _echo(self, command: SendMessage, posted: Posted) -> None:
        """Tells a sender whose socket is not in the channel what the others hear."""
        connection = self._connection
        if posted.channel in connection.subscriptions:
            return
        event = MessagePosted(
            posted.channel,
            posted.id,
            self._who().person,
            posted.content,
            command.client_id,
            posted.at,
        )
        words = connection.dialect.encode(Envelope(posted.channel, event, posted.seq))
        if words is not None:
            connection.queue(frame(words))

    def _refuse(self, error: DomainError, id: int | None) -> None:
        self._connection.queue(frame(self._connection.dialect.refuse(error, id)))

    async def _run_lane(self) -> None:
        assert self._lane is not None
        connection = self._connection
        try:
            while self._lane and not connection.closing:
                request = self._lane.popleft()
                if self._hand_over(request):
                    self._land()
                    continue
                if isinstance(request.command, ReadHistory | Enter):
                    # Their answers may be as large as the outbox: the next waits until the reader
                    # has taken the last. One that takes nothing is closed for it.
                    await connection.taken()
                    if connection.closing:
                        break
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
            case SendDirect():
                self._count_message()
                await self._hub.services.send_direct(self._who(), command)
                return _DONE
            case OpenInbox():
                self._hub.addresses.attach(self._connection, inbox_of(self._who().id))
                return _DONE
            case Claim(id=id):
                connection = self._connection
                claimed = await self._hub.services.claim(
                    self._who(), connection.link.connection, connection.address, command
                )
                self._hub.addresses.attach(connection, claim_of(id))
                return claimed
            case ReadHistory() | ListPresent():
                return await self._hub.services.read(self._who(), command)
            case Connect():
                if self._connected:
                    raise NotConnected("this socket is connected already", "already_connected")
                connected = await self._login.connect(command)
                self._connected = True
                return connected
            case Refresh(token=token):
                return await self._login.refresh(self._who(), token)
            case (
                SendMessage()
                | MoveCursor()
                | SetTyping()
                | Signal()
                | JoinCall()
                | LeaveCall()
                | Pass()
                | KeepClaim()
                | GiveUpClaim()
                | Ping()
            ):
                raise AssertionError("handed over, never carried out")
            case _:
                assert_never(command)

    async def _enter(self, command: Enter) -> Entered:
        link = self._connection.link
        entered = await self._hub.enter(self._connection, command)
        if link.channel is not None and link.channel == command.channel:
            link.channel, link.key = entered.channel.id, entered.channel.key
        return entered

    def _count_message(self) -> None:
        if not self._messages.take(self._hub.clock()):
            raise TooMany("you are posting too fast", retry_after=self._messages.wait())

    def _post(self, request: Request, command: SendMessage) -> None:
        who = self._who()
        self._count_message()
        self._in_flight += 1
        self._hub.services.post(who, command, partial(self._finish, request))

    def _type(self, command: SetTyping) -> None:
        who = self._who()
        channel = self._hub.find(self._connection, command.channel)
        if not self._connection.subscriptions[channel].may_post:
            raise Forbidden("join this channel first", "not_a_member")
        self._hub.services.typing(channel, who, command.typing)

    def _signal(self, command: Signal) -> None:
        channel = self._hub.find(self._connection, command.channel)
        peer = self._connection.subscriptions[channel].peer
        if peer is None:
            raise Forbidden("join the call first", "not_in_call")
        self._hub.services.signal(channel, peer, command)

    def _who(self) -> Who:
        who = self._connection.link.who
        if who is None:
            raise NotConnected("connect first")
        return who
