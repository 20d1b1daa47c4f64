"""The native protocol's REST: channels, members, messages, events."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from hubbub.core.channels import Kind, Role
from hubbub.core.commands import (
    AddMember,
    CreateChannel,
    EditChannel,
    JoinChannel,
    LeaveChannel,
    MoveCursor,
    ReadHistory,
    RemoveMember,
    SendMessage,
    SetRole,
)
from hubbub.core.errors import Invalid, NotFound
from hubbub.core.events import Envelope
from hubbub.core.ids import MAX_INTEGER, Who, parse_ref
from hubbub.core.messages import check_client_id, check_content
from hubbub.core.times import rfc3339
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Caller, ChannelName, Limit, Page, Services, Use, find_user
from hubbub.web.schemas import (
    ChannelAnswer,
    ChannelBody,
    ChannelEdit,
    CursorBody,
    EventAnswer,
    MemberAnswer,
    MessageBody,
    PostedAnswer,
    RoleBody,
    User,
    channel_answer,
    member_answer,
)

router = APIRouter(prefix="/api/v1/channels", tags=["native"], route_class=StrictRoute)

EVENTS: dict[int | str, dict[str, Any]] = {200: {"model": list[EventAnswer]}}


@router.post("", status_code=201)
async def create_channel(use: Use, who: Caller, body: ChannelBody) -> ChannelAnswer:
    """Makes a room, a conversation, or the direct chat with somebody (which may exist already)."""
    if body.kind == "direct":
        if body.user is None:
            raise Invalid("a direct chat needs the other user", "invalid_user")
        channel = await use.chat.direct(who, await find_user(use, body.user))
    else:
        members = tuple([await find_user(use, member) for member in body.members])
        channel = await use.chat.create(
            who,
            CreateChannel(
                Kind(body.kind),
                body.name or "",
                body.description,
                body.private,
                members,
                body.guests,
            ),
        )
    return channel_answer(await use.chat.view(who, channel.id))


@router.get("")
async def list_channels(
    use: Use,
    who: Caller,
    joined: Annotated[bool, Query(description="false: public rooms of others, too")] = True,
) -> list[ChannelAnswer]:
    """The caller's channels."""
    return [channel_answer(view) for view in await use.chat.views(who, joined=joined)]


@router.get("/{channel}")
async def read_channel(use: Use, who: Caller, channel: ChannelName) -> ChannelAnswer:
    """One channel."""
    return channel_answer(await use.chat.view(who, channel))


@router.patch("/{channel}")
async def edit_channel(
    use: Use, who: Caller, channel: ChannelName, body: ChannelEdit
) -> ChannelAnswer:
    """Changes a channel's settings. For its owners."""
    edit = EditChannel(channel, body.name, body.description, body.private, body.guests)
    await use.chat.change(who, edit)
    return channel_answer(await use.chat.view(who, channel))


@router.post("/{channel}/join")
async def join_channel(use: Use, who: Caller, channel: ChannelName) -> ChannelAnswer:
    """Makes the caller a member of a public room."""
    await use.chat.change(who, JoinChannel(channel))
    return channel_answer(await use.chat.view(who, channel))


@router.post("/{channel}/leave", status_code=204)
async def leave_channel(use: Use, who: Caller, channel: ChannelName) -> None:
    """Ends the caller's membership."""
    await use.chat.change(who, LeaveChannel(channel))


@router.get("/{channel}/members")
async def list_members(use: Use, who: Caller, channel: ChannelName) -> list[MemberAnswer]:
    """The members, in the order in which they came."""
    return [member_answer(member) for member in (await use.chat.view(who, channel)).members]


@router.put("/{channel}/members/{username}")
async def put_member(
    use: Use, who: Caller, channel: ChannelName, username: str, body: RoleBody | None = None
) -> MemberAnswer:
    """Makes somebody a member; with a body, gives them that role, whether or not they were."""
    user = await find_user(use, parse_ref(username))
    if body is None:
        await use.chat.change(who, AddMember(channel, user))
    else:
        await _set_role(use, who, SetRole(channel, user, Role(body.role)))
    for member in (await use.chat.view(who, channel)).members:
        if member.id == user:
            return member_answer(member)
    raise NotFound("they left in the meantime", "unknown_member")


async def _set_role(use: Services, who: Who, command: SetRole) -> None:
    # The role first: whoever may not give it must not have added anybody either.
    try:
        await use.chat.change(who, command)
    except NotFound as error:
        if error.code != "unknown_member":
            raise
        await use.chat.change(who, AddMember(command.channel, command.user))
        await use.chat.change(who, command)


@router.delete("/{channel}/members/{username}", status_code=204)
async def remove_member(use: Use, who: Caller, channel: ChannelName, username: str) -> None:
    """Ends somebody else's membership."""
    user = await find_user(use, parse_ref(username))
    await use.chat.change(who, RemoveMember(channel, user))


@router.get("/{channel}/messages", response_model=None, responses=EVENTS)
async def list_messages(use: Use, who: Caller, channel: ChannelName, page: Page) -> Response:
    """Messages as `message` events, oldest first: the latest, or those around a message id."""
    found = await use.chat.history(who, ReadHistory(channel, page.before, page.after, page.limit))
    return _events(use, found.messages)


@router.post("/{channel}/messages", status_code=201)
async def post_message(
    use: Use, who: Caller, channel: ChannelName, body: MessageBody
) -> PostedAnswer:
    """Posts a message; it is on disk when the answer comes."""
    command = SendMessage(channel, check_content(body.content), check_client_id(body.client_id))
    posted = await use.chat.post(who, command)
    return PostedAnswer(
        id=posted.id,
        seq=posted.seq,
        created_at=rfc3339(posted.at),
        channel=posted.channel,
        sender=User(id=who.id, name=who.name),
        content=posted.content,
        client_id=body.client_id,
    )


@router.get("/{channel}/events", response_model=None, responses=EVENTS)
async def list_events(
    use: Use,
    who: Caller,
    channel: ChannelName,
    after: Annotated[int, Query(ge=0, le=MAX_INTEGER, description="a `seq`")] = 0,
    limit: Limit = 50,
) -> Response:
    """Durable events after a `seq`, oldest first: what a socket that was away too long missed."""
    return _events(use, await use.chat.events(who, channel, after, limit))


@router.put("/{channel}/cursor", status_code=204)
async def move_cursor(use: Use, who: Caller, channel: ChannelName, body: CursorBody) -> None:
    """Tells how far the caller has read, and what has arrived."""
    await use.chat.move(who, MoveCursor(channel, body.read, body.delivered))


@router.get("/{channel}/presence")
async def list_present(use: Use, who: Caller, channel: ChannelName) -> list[User]:
    """Everybody with a socket in the channel."""
    present = await use.chat.present(who, channel)
    return [User(id=person.id, name=person.name) for person in present.users]


def _events(use: Services, envelopes: Iterable[Envelope]) -> Response:
    encoded = filter(None, map(use.encode_event, envelopes))
    return Response(b"[" + b",".join(encoded) + b"]", media_type="application/json")
