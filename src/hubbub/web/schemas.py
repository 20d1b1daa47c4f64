"""The bodies of requests and answers of the server's own REST.

Requests are read strictly: a number is no string and `"false"` is no boolean. Unknown fields are
ignored. What a field may hold is decided by the services, in the same way for sockets.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hubbub.core.ids import MAX_INTEGER
from hubbub.core.times import rfc3339
from hubbub.storage.base import Account, ChannelView, Member, Session

Id = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Seq = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Password = Annotated[str, Field(json_schema_extra={"format": "password"})]
Time = Annotated[str, Field(description="RFC 3339, UTC", examples=["2026-11-21T10:30:00.123Z"])]


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(strict=True)


class Problem(BaseModel):
    """Every answer that is no success: a sentence for people, a stable slug for programs."""

    detail: str
    code: str = Field(examples=["not_found"])


class Credentials(Body):
    """A username and its password."""

    username: str
    password: Password


class TokenAnswer(BaseModel):
    """A login: `expires_in` is the access token's life in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int
    refresh_token: str


class RefreshBody(Body):
    """A refresh token, unless the cookie carries it."""

    refresh_token: str


class PasswordBody(Body):
    """The old password proves who is asking."""

    current_password: Password
    new_password: Password


class EmailBody(Body):
    """An e-mail address; its case does not matter."""

    email: str = Field(examples=["user@example.com"])


class EmailCodeBody(EmailBody):
    """An address, and the code that was mailed to it."""

    otp: Password = Field(examples=["123456"])


class Outcome(BaseModel):
    """What happened, in words."""

    message: str


class SessionAnswer(BaseModel):
    """One login; `current` is the one this request belongs to."""

    id: str
    created_at: Time
    expires_at: Time
    current: bool


class TicketAnswer(BaseModel):
    """A ticket opens one WebSocket, as `?ticket=`, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class Me(BaseModel):
    """The caller's own account."""

    id: int
    username: str
    email: str | None
    admin: bool
    created_at: Time


class User(BaseModel):
    """A person as others see them."""

    id: int
    name: str


class DisabledBody(Body):
    """Disabling an account ends its logins and closes its sockets."""

    disabled: bool


class AccountAnswer(Me):
    """An account as administrators see it."""

    disabled: bool


class ChannelBody(Body):
    """A new channel. A room or conversation has a `name` and `members`, a direct chat a `user`;
    people are named by id or username. A room that is not private may be open to `guests`."""

    kind: Literal["room", "conversation", "direct"]
    name: str | None = None
    description: str = ""
    private: bool = False
    guests: bool = False
    members: list[Id | str] = Field(default=[], max_length=1000)
    user: Id | str | None = None


class ChannelEdit(Body):
    """What is to change; what is absent or null stays."""

    name: str | None = None
    description: str | None = None
    private: bool | None = None
    guests: bool | None = None


class ChannelAnswer(BaseModel):
    """A channel as the caller sees it; `role`, `read` and `delivered` are theirs, null for whoever
    is not a member. `(epoch, seq)` is the position of its newest event."""

    id: int
    key: str
    kind: Literal["room", "conversation", "direct", "meeting"]
    name: str
    description: str
    private: bool
    guests: bool
    created_by: User | None
    created_at: Time
    epoch: str
    seq: int
    member_count: int
    role: Literal["owner", "moderator", "member"] | None
    read: int | None
    delivered: int | None


class MemberAnswer(BaseModel):
    """A member of a channel."""

    user: User
    role: Literal["owner", "moderator", "member"]
    joined_at: Time


class RoleBody(Body):
    """The role a member is to have."""

    role: Literal["owner", "moderator", "member"]


class MessageBody(Body):
    """A message: 1 to 4,000 characters. A repetition under the same `client_id` is one message."""

    content: str
    client_id: str | None = None


class PostedAnswer(BaseModel):
    """The message is committed. A repetition gets the first answer again."""

    id: int
    seq: int
    created_at: Time
    channel: int
    sender: User
    content: str
    client_id: str | None


class CursorBody(Body):
    """Sequence numbers up to which everything was read, or has arrived. They only move forward."""

    read: Seq = 0
    delivered: Seq = 0


class EventAnswer(BaseModel):
    """An event of the native protocol, the same as on a socket; fields depend on `type`."""

    model_config = ConfigDict(extra="allow")

    type: str
    channel: int
    seq: int


def account_answer(account: Account) -> AccountAnswer:
    """An account, without its password's hash."""
    return AccountAnswer(
        id=account.id,
        username=account.username,
        email=account.email,
        admin=account.admin,
        disabled=account.disabled,
        created_at=rfc3339(account.created_at),
    )


def session_answer(session: Session, current: str | None) -> SessionAnswer:
    """A login; `current` is the caller's."""
    return SessionAnswer(
        id=session.id,
        created_at=rfc3339(session.created_at),
        expires_at=rfc3339(session.expires_at),
        current=session.id == current,
    )


def member_answer(member: Member) -> MemberAnswer:
    """A member."""
    return MemberAnswer(
        user=User(id=member.id, name=member.name),
        role=member.role.value,
        joined_at=rfc3339(member.joined_at),
    )


def channel_answer(view: ChannelView) -> ChannelAnswer:
    """A channel as the person whose view this is sees it."""
    channel, mine = view.channel, view.mine
    creator = None
    if channel.created_by is not None and view.creator is not None:
        creator = User(id=channel.created_by, name=view.creator)
    return ChannelAnswer(
        id=channel.id,
        key=channel.key,
        kind=channel.kind.value,
        name=channel.name,
        description=channel.description,
        private=channel.private,
        guests=channel.guests,
        created_by=creator,
        created_at=rfc3339(channel.created_at),
        epoch=channel.epoch,
        seq=channel.seq,
        member_count=len(view.members),
        role=None if mine is None else mine.role.value,
        read=None if mine is None else mine.read,
        delivered=None if mine is None else mine.delivered,
    )
