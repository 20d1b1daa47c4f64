"""Document 004: conversations and their messages. Times are UTC, as it prints them."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hubbub.core.channels import Kind
from hubbub.core.commands import CreateChannel, ReadHistory, SendMessage
from hubbub.core.errors import NotAMember
from hubbub.core.events import MessagePosted
from hubbub.core.ids import ChannelRef, UserId, Who
from hubbub.core.messages import MAX_NAME, check_content, check_label
from hubbub.core.times import plain
from hubbub.storage.base import ChannelView
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Caller, ChannelName, Page, Services, Use, find_user
from hubbub.web.schemas import Body, Id

router = APIRouter(prefix="/conversations", tags=["conversations"], route_class=StrictRoute)

PlainTime = Annotated[str, Field(examples=["2025-11-22 10:30:00"])]


class ConversationBody(Body):
    """A new conversation: the caller and those named by id, by username, or both."""

    title: str
    participant_ids: list[Id] = Field(default=[], max_length=1000)
    participants: list[str] = Field(default=[], max_length=1000)


class ConversationAnswer(BaseModel):
    """A conversation; `participants` are usernames, in the order of `participant_ids`."""

    id: int
    title: str
    participant_ids: list[int]
    participants: list[str]
    created_by: str | None
    created_at: PlainTime


class ContentBody(Body):
    """A message of 1 to 4,000 characters."""

    content: str


class ConversationMessage(BaseModel):
    """A message, with the fields of the WebSocket's frame."""

    id: int
    content: str
    sender_id: int
    sender_name: str
    conversation_id: int
    created_at: PlainTime


@router.post("", status_code=201)
async def create_conversation(use: Use, who: Caller, body: ConversationBody) -> ConversationAnswer:
    """Makes a conversation."""
    members = [UserId(user) for user in body.participant_ids]
    members += [await find_user(use, name) for name in body.participants]
    title = check_label(body.title, "title", MAX_NAME)
    command = CreateChannel(Kind.CONVERSATION, title, private=True, members=tuple(members))
    channel = await use.chat.create(who, command)
    return _conversation(await use.chat.view(who, channel.id))


@router.get("")
async def list_conversations(use: Use, who: Caller) -> list[ConversationAnswer]:
    """The caller's conversations and direct chats."""
    views = await use.chat.views(who, joined=True)
    return [_conversation(view) for view in views if view.channel.kind is not Kind.ROOM]


@router.get("/{conversation_id}")
async def read_conversation(
    use: Use, who: Caller, conversation_id: ChannelName
) -> ConversationAnswer:
    """One conversation."""
    return _conversation(await _joined(use, who, conversation_id))


@router.get("/{conversation_id}/messages")
async def list_conversation_messages(
    use: Use, who: Caller, conversation_id: ChannelName, page: Page
) -> list[ConversationMessage]:
    """Messages, oldest first: the latest, or those around a message id."""
    await _joined(use, who, conversation_id)
    command = ReadHistory(conversation_id, page.before, page.after, page.limit)
    events = [envelope.event for envelope in (await use.chat.history(who, command)).messages]
    return [_message(event) for event in events if isinstance(event, MessagePosted)]


@router.post("/{conversation_id}/messages", status_code=201)
async def post_conversation_message(
    use: Use, who: Caller, conversation_id: ChannelName, body: ContentBody
) -> ConversationMessage:
    """Posts a message; it reaches the sockets, too."""
    command = SendMessage(conversation_id, check_content(body.content))
    await _joined(use, who, conversation_id)
    posted = await use.chat.post(who, command)
    return ConversationMessage(
        id=posted.id,
        content=body.content,
        sender_id=who.id,
        sender_name=who.name,
        conversation_id=posted.channel,
        created_at=plain(posted.at),
    )


async def _joined(use: Services, who: Who, ref: ChannelRef) -> ChannelView:
    """The channel, for its members alone: document 004 knows no public ones."""
    view = await use.chat.view(who, ref)
    if view.mine is None:
        raise NotAMember("you are not a participant of this conversation")
    return view


def _conversation(view: ChannelView) -> ConversationAnswer:
    return ConversationAnswer(
        id=view.channel.id,
        title=view.channel.name,
        participant_ids=[member.id for member in view.members],
        participants=[member.name for member in view.members],
        created_by=view.creator,
        created_at=plain(view.channel.created_at),
    )


def _message(event: MessagePosted) -> ConversationMessage:
    return ConversationMessage(
        id=event.id,
        content=event.content,
        sender_id=event.sender.id,
        sender_name=event.sender.name,
        conversation_id=event.channel,
        created_at=plain(event.at),
    )
