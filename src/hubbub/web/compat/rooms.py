"""Document 001: users, rooms, messages, connections."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from hubbub.core.channels import Kind
from hubbub.core.commands import (
    CreateChannel,
    JoinChannel,
    LeaveChannel,
    ReadHistory,
    SendMessage,
)
from hubbub.core.errors import Forbidden
from hubbub.core.events import MessagePosted
from hubbub.core.ids import path_name
from hubbub.core.messages import check_content
from hubbub.core.times import rfc3339
from hubbub.storage.base import Account, ChannelView
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Caller, ChannelName, Page, Use, client_address
from hubbub.web.schemas import Body, Password, Time

open_router = APIRouter(prefix="/api", tags=["rooms"], route_class=StrictRoute)
router = APIRouter(prefix="/api", tags=["rooms"], route_class=StrictRoute)


class RegisterBody(Body):
    """A new account. Passwords have 8 to 1,024 characters."""

    username: str
    password: Password
    email: str | None = None


class UserAnswer(BaseModel):
    """One's own account."""

    id: int
    username: str
    email: str | None
    created_at: Time
    is_active: bool


class RoomBody(Body):
    """A new room. A private one is open to those alone whom its owner makes members; one that is
    open to `guests` is not private."""

    name: str
    description: str = ""
    private: bool = False
    guests: bool = False


class RoomAnswer(BaseModel):
    """A room, with the fields of documents 001 and 003: `room_id` is its key or, where the key is
    digits alone, its id in digits; people are named by username."""

    id: int
    room_id: str
    name: str
    description: str
    created_at: Time
    created_by: str | None
    participants: list[str]
    member_count: int
    is_member: bool


class TextBody(Body):
    """A message of 1 to 4,000 characters."""

    content: str


class MessageAnswer(BaseModel):
    """A message; `room_id` is the room's integer id."""

    id: int
    room_id: int
    user_id: int
    username: str
    content: str
    created_at: Time


class ConnectionAnswer(BaseModel):
    """A live WebSocket. `room_id` is the room its path names, if it names one."""

    connection_id: str
    user_id: int
    username: str
    dialect: str
    room_id: str | None
    address: str
    connected_at: Time


@open_router.post("/users", status_code=201)
async def register(use: Use, body: RegisterBody, request: Request) -> UserAnswer:
    """Makes an account, where the server lets anybody do so."""
    if use.settings.registration == "closed":
        raise Forbidden("accounts are made by the administrators here", "registration_closed")
    account = await use.accounts.register(
        body.username, body.password, body.email, client_address(request)
    )
    return _user(account)


@router.get("/users/me")
async def read_own_user(use: Use, who: Caller) -> UserAnswer:
    """The caller's account."""
    return _user(await use.accounts.account(who.id))


@router.post("/rooms", status_code=201)
async def create_room(use: Use, who: Caller, body: RoomBody) -> RoomAnswer:
    """Makes a room, with the caller in it."""
    command = CreateChannel(
        Kind.ROOM, body.name, body.description, body.private, guests=body.guests
    )
    channel = await use.chat.create(who, command)
    return _room(await use.chat.view(who, channel.id))


@router.get("/rooms")
async def list_rooms(
    use: Use,
    who: Caller,
    joined: Annotated[bool | None, Query(description="only those one is a member of")] = None,
) -> list[RoomAnswer]:
    """The rooms the caller may see."""
    if joined is None:
        joined = use.settings.room_list == "joined"
    views = await use.chat.views(who, joined=joined)
    return [_room(view) for view in views if view.channel.kind is Kind.ROOM]


@router.get("/rooms/{room_id}")
async def read_room(use: Use, who: Caller, room_id: ChannelName) -> RoomAnswer:
    """One room."""
    return _room(await use.chat.view(who, room_id))


@router.post("/rooms/{room_id}/join")
async def join_room(use: Use, who: Caller, room_id: ChannelName) -> RoomAnswer:
    """Makes the caller a member of a public room."""
    await use.chat.change(who, JoinChannel(room_id))
    return _room(await use.chat.view(who, room_id))


@router.post("/rooms/{room_id}/leave")
async def leave_room(use: Use, who: Caller, room_id: ChannelName) -> RoomAnswer:
    """Ends the caller's membership, and takes their sockets out of the room."""
    view = await use.chat.view(who, room_id)
    await use.chat.change(who, LeaveChannel(view.channel.id))
    # Of a private room the caller may read nothing any more.
    members = [member for member in view.members if member.id != who.id]
    return _room(replace(view, mine=None, members=members))


@router.get("/rooms/{room_id}/messages")
async def list_room_messages(
    use: Use, who: Caller, room_id: ChannelName, page: Page
) -> list[MessageAnswer]:
    """Messages, oldest first: the latest, or those around a message id."""
    found = await use.chat.history(who, ReadHistory(room_id, page.before, page.after, page.limit))
    events = [envelope.event for envelope in found.messages]
    return [_message(event) for event in events if isinstance(event, MessagePosted)]


@router.post("/rooms/{room_id}/messages", status_code=201)
async def post_room_message(
    use: Use, who: Caller, room_id: ChannelName, body: TextBody
) -> MessageAnswer:
    """Posts a message."""
    posted = await use.chat.post(who, SendMessage(room_id, check_content(body.content)))
    return MessageAnswer(
        id=posted.id,
        room_id=posted.channel,
        user_id=who.id,
        username=who.name,
        content=body.content,
        created_at=rfc3339(posted.at),
    )


@router.get("/connections")
async def list_connections(use: Use, who: Caller) -> list[ConnectionAnswer]:
    """The caller's live WebSockets; an administrator sees everybody's."""
    return [
        ConnectionAnswer(
            connection_id=row.id,
            user_id=row.user,
            username=row.username,
            dialect=row.dialect,
            room_id=row.channel,
            address=row.address,
            connected_at=rfc3339(row.connected_at),
        )
        for row in await use.chat.connections(who)
    ]


def _user(account: Account) -> UserAnswer:
    return UserAnswer(
        id=account.id,
        username=account.username,
        email=account.email,
        created_at=rfc3339(account.created_at),
        is_active=not account.disabled,
    )


def _room(view: ChannelView) -> RoomAnswer:
    channel = view.channel
    return RoomAnswer(
        id=channel.id,
        room_id=path_name(channel.id, channel.key),
        name=channel.name,
        description=channel.description,
        created_at=rfc3339(channel.created_at),
        created_by=view.creator,
        participants=[member.name for member in view.members],
        member_count=len(view.members),
        is_member=view.mine is not None,
    )


def _message(event: MessagePosted) -> MessageAnswer:
    return MessageAnswer(
        id=event.id,
        room_id=event.channel,
        user_id=event.sender.id,
        username=event.sender.name,
        content=event.content,
        created_at=rfc3339(event.at),
    )
