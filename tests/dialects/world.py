"""A stage for transcripts without a server: the dialects, and canned answers of the core.

Everything happens at once and in one order. Nothing here decides what a client may do beyond what
the transcripts ask for.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

from hubbub.core.answers import (
    Answer,
    Connected,
    Done,
    Entered,
    Exited,
    InCall,
    Messages,
    Posted,
    Present,
    Recovery,
    Refreshed,
)
from hubbub.core.channels import Kind, Role
from hubbub.core.commands import (
    Claim,
    Command,
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
    DomainError,
    Forbidden,
    NotAMember,
    NotConnected,
    NotFound,
    Unauthenticated,
)
from hubbub.core.events import (
    CursorMoved,
    Departure,
    Envelope,
    Event,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    PeerJoined,
    PeerLeft,
    Signalled,
    TypingChanged,
    UserCame,
    UserWent,
    call_of,
    inbox_of,
    place_of,
)
from hubbub.core.ids import ChannelId, ChannelRef, MessageId, Person, UserId, Who, parse_ref
from hubbub.core.presence import Roster
from hubbub.core.signals import Peer
from hubbub.dialects.base import Link, Refused, Request
from tests.dialects.furniture import (
    CONVERSATION,
    DIRECT,
    LOBBY,
    NOW,
    PEOPLE,
    PING,
    ROOM,
    ROOM_KEY,
    ROOMS,
    TTL,
    Place,
    Socket,
    place,
    socket_at,
)


class World:
    """A `Stage` for transcripts."""

    def __init__(self, *, closed: bool) -> None:
        """`closed`: whether guests are unwelcome."""
        self._closed = closed
        self._roster = Roster()
        self._sockets: dict[str, Socket] = {}
        self._places = [
            place(ROOM, Kind.ROOM, ROOM_KEY, "General"),
            place(
                CONVERSATION, Kind.CONVERSATION, "a-conversation", "General", "testuser", "alice"
            ),
            place(LOBBY, Kind.ROOM, "lobby", "Lobby"),
        ]
        self._messages = 0
        self._guests = 0

    @property
    def variables(self) -> dict[str, Any]:
        """What the transcripts' variables are here."""
        people = {f"<{name}>": user for name, user in PEOPLE.items()}
        tokens = {f"<{name} token>": name for name in PEOPLE}
        channels = {"<room>": ROOM, "<conversation>": CONVERSATION, "<lobby>": LOBBY}
        return {**people, **tokens, **channels, "<room key>": ROOM_KEY}

    @property
    def unread(self) -> dict[str, list[object]]:
        """What came to sockets and no transcript has asked for."""
        return {actor: list(s.inbox) for actor, s in self._sockets.items() if s.inbox}

    # What a transcript does

    async def open(self, actor: str, path: str) -> None:
        name = actor.partition("/")[0]
        who = Who(PEOPLE[name], name, "session") if name in PEOPLE else None
        socket = self._socket(path, who)
        self._sockets[actor] = socket
        if who is None and path not in ("/ws", "/ws/v1"):
            socket.code = 4001
            return
        dialect, link = socket.dialect, socket.link
        command = dialect.opening(link)
        answered: Sequence[bytes] = ()
        if command is not None:
            try:
                answer = self._answer(socket, command, [])
            except DomainError as error:
                for frame in dialect.turn_away(error):
                    socket.tell(frame)
                socket.code = 4004 if isinstance(error, NotFound) else 4003
                return
            answered = dialect.answer(Request(command), answer, link)
        for frame in (*dialect.greet(link), *answered):
            socket.tell(frame)

    async def send(self, actor: str, text: str) -> None:
        socket = self._sockets[actor]
        for request in socket.dialect.decode(text, socket.link):
            if isinstance(request, Refused):
                socket.tell(socket.dialect.refuse(request.error, request.id))
                continue
            try:
                self._carry_out(socket, request)
            except DomainError as error:
                socket.tell(socket.dialect.refuse(error, request.id))

    async def receive(self, actor: str) -> object:
        socket = self._sockets[actor]
        assert socket.inbox, f"nothing more came to {actor}"
        return socket.inbox.popleft()

    async def request(self, actor: str, method: str, path: str, body: Any) -> None:
        user = Person(PEOPLE[actor], actor)
        collection, ref, verb = path.removeprefix("/api").strip("/").split("/")
        assert method == "POST"
        assert collection in ("rooms", "conversations")
        here = self._place(parse_ref(ref))
        if verb == "messages":
            self._post(here, user, body["content"], None)
        else:
            assert verb == "leave"
            del here.members[user.id]
            self._publish(here, MemberLeft(here.channel.id, user, None, NOW))
            self._oust(here, user.id)

    async def close(self, actor: str) -> None:
        socket = self._sockets.pop(actor)
        for channel in list(socket.entered):
            self._leave(socket, self._place(channel), Departure.DISCONNECTED)

    async def close_code(self, actor: str) -> int:
        code = self._sockets[actor].code
        assert code is not None, f"{actor} is still open"
        return code

    # What happens then

    def _socket(self, path: str, who: Who | None) -> Socket:
        connection = str(uuid.UUID(int=len(self._sockets)))
        if path == "/ws" and not self._closed:
            self._guests += 1
            guest = Who(UserId(-self._guests), f"guest{self._guests}")
            return Socket(ROOMS, Link(connection, who or guest, fallback="lobby"), connected=True)
        return socket_at(path, connection, who)

    def _carry_out(self, socket: Socket, request: Request) -> None:
        """Answers the sender, then tells everybody, as the server does."""
        events: list[tuple[Place, Event]] = []
        answer = self._answer(socket, request.command, events)
        for frame in socket.dialect.answer(request, answer, socket.link):
            socket.tell(frame)
        for here, event in events:
            self._publish(here, event)

    def _answer(
        self, socket: Socket, command: Command, events: list[tuple[Place, Event]]
    ) -> Answer:
        link = socket.link
        if isinstance(command, Connect):
            return self._connect(socket, command)
        if isinstance(command, Ping) and socket.connected:
            return Done()
        if link.who is None or not socket.connected:
            raise NotConnected("connect first")
        me = Person(link.who.id, link.who.name)
        match command:
            case Enter():
                return self._enter(socket, link.who, command)
            case Refresh():
                return Refreshed(TTL)
            case SendMessage(channel=ref, content=content, client_id=client_id):
                here = self._place(ref)
                for envelope in here.log:
                    said = envelope.event
                    if client_id and isinstance(said, MessagePosted):
                        assert said.client_id == client_id
                        return Posted(said.channel, said.id, envelope.seq, said.at, said.content)
                return self._posted(here, me, content, client_id, events)
            case Exit(channel=ref):
                here = self._place(ref)
                if here.channel.id not in socket.entered:
                    raise NotFound("this socket is not in that channel", "not_in_channel")
                self._leave(socket, here, Departure.LEFT)
                return Exited(here.channel.id, here.channel.name)
            case SetTyping(channel=ref, typing=typing):
                here = self._place(ref)
                events.append((here, TypingChanged(here.channel.id, me, typing)))
                return Done()
            case MoveCursor(channel=ref, read=read, delivered=delivered):
                here = self._place(ref)
                old = here.members[me.id]
                moved = here.members[me.id] = replace(
                    old,
                    read=max(old.read, read),
                    delivered=max(old.delivered, delivered, read),
                )
                events.append((here, moved))
                return Done()
            case ReadHistory(channel=ref, limit=limit):
                here = self._place(ref)
                return Messages(here.channel.id, _messages(here)[-limit:])
            case ListPresent(channel=ref):
                channel = self._place(ref).channel.id
                return Present(channel, list(self._roster.present(channel)))
            case JoinCall(channel=ref):
                return self._join_call(socket, me, self._place(ref), PeerKind.USER)
            case LeaveCall(channel=ref):
                self._leave_call(socket, self._place(ref))
                return Done()
            case Signal():
                self._signal(socket, command)
                return Done()
            case OpenInbox():
                socket.addresses.add(inbox_of(me.id))
                return Done()
            case SendDirect(to=name, content=content):
                self._send_direct(me, name, content)
                return Done()
            case Ping() | Claim() | KeepClaim() | GiveUpClaim() | Pass():
                raise AssertionError("answered above, or in no transcript")
            case _:
                assert_never(command)

    def _connect(self, socket: Socket, command: Connect) -> Connected:
        if command.token is not None:
            socket.link.who = Who(PEOPLE[command.token], command.token, "session")
        who = socket.link.who
        if who is None:
            raise Unauthenticated("connect with a token")
        socket.connected = True
        entries: list[tuple[ChannelRef, Entered | DomainError]] = []
        for wanted in command.channels:
            try:
                entries.append((wanted.channel, self._enter(socket, who, wanted)))
            except DomainError as error:
                entries.append((wanted.channel, error))
        return Connected(socket.link.connection, who, TTL, PING, entries)

    def _enter(self, socket: Socket, who: Who, command: Enter) -> Entered:
        here = self._place(command.channel)
        channel, me, link = here.channel, Person(who.id, who.name), socket.link
        if who.guest and not channel.guests:
            raise Forbidden("guests are not welcome in this channel", "guests_not_allowed")
        if who.id not in here.members:
            if channel.private or command.members_only:
                raise NotAMember("you are not a member of this channel")
            if command.join:
                here.members[who.id] = CursorMoved(channel.id, me, 0, 0)
                self._publish(here, MemberJoined(channel.id, me, Role.MEMBER, None, NOW))
        if link.channel is not None:
            link.channel, link.key = channel.id, channel.key
        socket.entered[channel.id] = command.presence
        came = self._roster.come(channel.id, me, link.connection)
        if came is not None:
            self._publish(here, came)
        if command.call is not None:
            self._join_call(socket, me, here, command.call)
        entered = Entered(channel, len(here.log), history=_messages(here)[-command.history :])
        if command.history == 0:
            entered = replace(entered, history=())
        match command.cursor:
            case None:
                return entered
            case cursor if cursor.epoch != channel.epoch:
                return replace(entered, recovery=Recovery.RESET)
            case cursor:
                missed = here.log[cursor.seq :]
                return replace(entered, recovery=Recovery.RECOVERED, events=missed)

    def _join_call(self, socket: Socket, me: Person, here: Place, kind: PeerKind) -> InCall:
        channel, connection = here.channel.id, socket.link.connection
        own = connection if kind is PeerKind.CONNECTION else None
        peer = socket.peers[channel] = Peer(own or me.handle, own or me.name, me, own)
        socket.addresses |= {call_of(channel), place_of(channel, peer)}
        self._tell_peers(here.call.join(peer, connection))
        return InCall(peer, [seat.peer for seat in here.call.everybody(peer.key)])

    def _leave_call(self, socket: Socket, here: Place) -> None:
        channel = here.channel.id
        peer = socket.peers.pop(channel, None)
        if peer is not None:
            socket.addresses -= {call_of(channel), place_of(channel, peer)}
            self._tell_peers(here.call.leave(peer.key, socket.link.connection))

    def _tell_peers(self, told: PeerJoined | PeerLeft | None) -> None:
        if told is not None:
            self._tell(told, call_of(told.channel), skip=place_of(told.channel, told.peer))

    def _signal(self, socket: Socket, command: Signal) -> None:
        here = self._place(command.channel)
        channel, call = here.channel.id, here.call
        sender = socket.peers.get(channel)
        if sender is None:
            raise Forbidden("join the call first", "not_in_call")
        seats = call.everybody(sender.key)
        if command.to is not None:
            seat = call.find(command.to, command.by_name)
            if seat is None:
                raise NotFound("that peer is not connected", "peer_not_connected")
            seats = (seat,)
        for seat in seats:
            said = Signalled(channel, call.room, sender, seat.peer, command.body, command.verbatim)
            self._tell(said, seat.address)

    def _send_direct(self, me: Person, name: str, content: str) -> None:
        if name not in PEOPLE:
            raise NotFound("there is nobody of that name here", "unknown_user")
        self._messages += 1
        to = Person(PEOPLE[name], name)
        posted = MessagePosted(DIRECT, MessageId(self._messages), me, content, None, NOW, to)
        self._tell(posted, inbox_of(to.id))

    def _tell(self, event: Event, address: str, skip: str = "") -> None:
        for socket in self._sockets.values():
            if address in socket.addresses and skip not in socket.addresses:
                frame = socket.dialect.encode(Envelope(ChannelId(0), event, to=address))
                if frame is not None:
                    socket.tell(frame)

    def _posted(
        self,
        here: Place,
        sender: Person,
        content: str,
        client_id: str | None,
        events: list[tuple[Place, Event]],
    ) -> Posted:
        self._messages += 1
        new = MessageId(self._messages)
        events.append((here, MessagePosted(here.channel.id, new, sender, content, client_id, NOW)))
        return Posted(here.channel.id, new, len(here.log) + 1, NOW, content)

    def _post(self, here: Place, sender: Person, content: str, client_id: str | None) -> None:
        events: list[tuple[Place, Event]] = []
        self._posted(here, sender, content, client_id, events)
        for _, event in events:
            self._publish(here, event)

    def _publish(self, here: Place, event: Event) -> None:
        envelope = Envelope(here.channel.id, event)
        match event:
            case UserCame(user=user) | UserWent(user=user) | TypingChanged(user=user):
                envelope = replace(envelope, but=user.id)
            case CursorMoved():
                pass
            case _:
                envelope = replace(envelope, seq=len(here.log) + 1, epoch=here.channel.epoch)
                here.log.append(envelope)
        presence = isinstance(event, UserCame | UserWent)
        for socket in self._sockets.values():
            if here.channel.id not in socket.entered:
                continue
            if presence and not socket.entered[here.channel.id]:
                continue
            if socket.link.who is not None and socket.link.who.id == envelope.but:
                continue
            frame = socket.dialect.encode(envelope)
            if frame is not None:
                socket.tell(frame)

    def _leave(self, socket: Socket, here: Place, why: Departure) -> None:
        assert socket.link.who is not None
        self._leave_call(socket, here)
        del socket.entered[here.channel.id]
        connection = socket.link.connection
        went = self._roster.go(here.channel.id, socket.link.who.id, connection, why)
        if went is not None:
            self._publish(here, went)

    def _oust(self, here: Place, user: UserId) -> None:
        gone = NotAMember("you are no longer a member of this channel")
        for socket in self._sockets.values():
            mine = socket.link.who is not None and socket.link.who.id == user
            if not mine or here.channel.id not in socket.entered:
                continue
            link, channel = socket.link, here.channel
            frame = socket.dialect.oust(link, channel.id, channel.name, gone)
            self._leave(socket, here, Departure.LEFT)
            if frame is None:
                socket.code = 4003
            else:
                socket.tell(frame)

    def _place(self, ref: ChannelRef) -> Place:
        for here in self._places:
            if ref in (here.channel.id, here.channel.key):
                return here
        raise NotFound("there is no such channel", "unknown_channel")


def _messages(here: Place) -> Sequence[Envelope]:
    return [envelope for envelope in here.log if isinstance(envelope.event, MessagePosted)]
