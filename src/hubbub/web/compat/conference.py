"""Document 002: meetings. Their ids are keys; their times have no zone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from hubbub.core.errors import NotFound
from hubbub.core.ids import valid_key
from hubbub.core.times import naive
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Use, Visitor, client_address, visitor

router = APIRouter(tags=["meetings"], route_class=StrictRoute)

NaiveTime = Annotated[
    str, Field(description="ISO 8601, UTC, without a zone", examples=["2026-11-21T10:30:00"])
]


class MeetingMade(BaseModel):
    """A new meeting; `join_link` is the path of a page that joins it."""

    room_id: str
    join_link: str
    message: str


class MeetingRow(BaseModel):
    """A meeting, with the number of peers in its call."""

    room_id: str
    participant_count: int
    created_at: NaiveTime


class MeetingAnswer(MeetingRow):
    """A meeting and the peers in its call, by what the `conference` protocol calls them."""

    participants: list[str]


async def _key(room_id: Annotated[str, Path(description="a meeting's key")]) -> str:
    if not valid_key(room_id):
        raise _unknown()
    return room_id


def _unknown() -> NotFound:
    return NotFound("there is no such room", "unknown_channel")


@router.post("/create-room")
async def create_meeting(use: Use, who: Visitor, request: Request) -> MeetingMade:
    """Makes a meeting. It ends when everybody has left, or after an hour if nobody comes."""
    key = (await use.meetings.create(who, client_address(request))).key
    return MeetingMade(
        room_id=key, join_link=f"/room/{key}", message=f"Room {key} created successfully"
    )


@router.get("/rooms", dependencies=[Depends(visitor)])
async def list_meetings(use: Use) -> list[MeetingRow]:
    """The meetings that have not ended, empty ones too, oldest first; of very many the newest."""
    return [
        MeetingRow(
            room_id=meeting.key,
            participant_count=len(use.calls.peers(meeting.id)),
            created_at=naive(meeting.created_at),
        )
        for meeting in await use.meetings.listed()
    ]


@router.get("/rooms/{room_id}")
async def read_meeting(use: Use, who: Visitor, key: Annotated[str, Depends(_key)]) -> MeetingAnswer:
    """One meeting, or any other channel with that key that the caller may enter."""
    channel = await use.chat.readable(who, key)
    if await use.meetings.settled(channel.id):
        raise _unknown()
    peers = use.calls.peers(channel.id)
    return MeetingAnswer(
        room_id=channel.key,
        participant_count=len(peers),
        created_at=naive(channel.created_at),
        participants=[peer.id for peer in peers],
    )
