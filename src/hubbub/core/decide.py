"""Decisions on channels: what stands, who asks and what for go in; events or a refusal come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from hubbub.core.channels import Channel, Kind, Membership, Role
from hubbub.core.commands import (
    AddMember,
    ChannelChange,
    EditChannel,
    JoinChannel,
    LeaveChannel,
    RemoveMember,
    SetRole,
)
from hubbub.core.errors import Conflict, Forbidden, Invalid, NotFound
from hubbub.core.events import ChannelChanged, Durable, MemberChanged, MemberJoined, MemberLeft
from hubbub.core.ids import Person, Who
from hubbub.core.messages import MAX_DESCRIPTION, MAX_NAME, check_label
from hubbub.core.policy import Action, authorize


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What a decision may look at, loaded under the channel's lock.

    `mine` is the membership of whoever asks. `target` and `theirs` are the account the command
    names and its membership. Where somebody joins, leaves or gets a role, `owners` is the number of
    owners; where somebody leaves, `heir` is the member who owns the channel when its only owner
    goes: the longest-standing moderator, else member.
    """

    channel: Channel
    mine: Membership | None
    target: Person | None = None
    theirs: Membership | None = None
    owners: int = 0
    heir: Person | None = None


def decide(state: ChannelState, who: Who, command: ChannelChange, now: int) -> Sequence[Durable]:
    """Returns what happens, in order; nothing when the command asks for what already is.

    Raises:
        DomainError: when it is refused. Nothing has happened then.
    """
    channel = state.channel
    me = Person(who.id, who.name)
    match command:
        case JoinChannel():
            authorize(who, Action.JOIN, channel, state.mine)
            if state.mine is not None:
                return []
            return [MemberJoined(channel.id, me, _role_of_a_newcomer(state), None, now)]
        case LeaveChannel():
            authorize(who, Action.LEAVE, channel, state.mine)
            return [MemberLeft(channel.id, me, None, now), *_succession(state, state.mine, now)]
        case AddMember():
            authorize(who, Action.INVITE, channel, state.mine)
            target = _target(state)
            if state.theirs is not None:
                return []
            return [MemberJoined(channel.id, target, Role.MEMBER, me, now)]
        case RemoveMember():
            return _remove(state, who, me, now)
        case SetRole(role=role):
            authorize(who, Action.MANAGE, channel, state.mine)
            target, theirs = _member(state)
            if theirs.role is role:
                return []
            if theirs.role is Role.OWNER and state.owners == 1:
                raise Conflict("a channel keeps at least one owner", "last_owner")
            return [MemberChanged(channel.id, target, role, now)]
        case EditChannel():
            authorize(who, Action.MANAGE, channel, state.mine)
            return _edit(channel, command, now)
        case _:
            assert_never(command)


def _role_of_a_newcomer(state: ChannelState) -> Role:
    """A room that everybody has left is its next member's. What the server made is nobody's."""
    channel = state.channel
    abandoned = channel.kind is Kind.ROOM and channel.created_by is not None and not state.owners
    return Role.OWNER if abandoned else Role.MEMBER


def _remove(state: ChannelState, who: Who, me: Person, now: int) -> Sequence[Durable]:
    authorize(who, Action.REMOVE, state.channel, state.mine)
    target, theirs = _member(state)
    if target.id == who.id:
        raise Conflict("leave the channel instead", "use_leave")
    if theirs.role is not Role.MEMBER and state.mine is not None and state.mine.role != Role.OWNER:
        raise Forbidden("only an owner may remove owners and moderators")
    return [MemberLeft(state.channel.id, target, me, now)]


def _succession(
    state: ChannelState, leaving: Membership | None, now: int
) -> Sequence[MemberChanged]:
    """A channel whose last owner leaves has a new one, as long as anybody is left."""
    if leaving is None or leaving.role is not Role.OWNER or state.owners > 1 or state.heir is None:
        return []
    return [MemberChanged(state.channel.id, state.heir, Role.OWNER, now)]


def _edit(channel: Channel, command: EditChannel, now: int) -> Sequence[Durable]:
    name = channel.name if command.name is None else check_label(command.name, "name", MAX_NAME)
    description = channel.description
    if command.description is not None:
        description = check_label(command.description, "description", MAX_DESCRIPTION, 0)
    private = channel.private if command.private is None else command.private
    if not private and channel.kind is not Kind.ROOM:
        raise Forbidden("conversations are private", "always_private")
    guests = channel.guests if command.guests is None else command.guests
    check_guests(private=private, guests=guests)
    before = (channel.name, channel.description, channel.private, channel.guests)
    if (name, description, private, guests) == before:
        return []
    return [ChannelChanged(channel.id, name, description, private, guests, now)]


def check_guests(*, private: bool, guests: bool) -> None:
    """Returns when a channel may have both settings.

    Raises:
        Invalid: `private_guests`.
    """
    if private and guests:
        raise Invalid("a private channel cannot be open to guests", "private_guests")


def _target(state: ChannelState) -> Person:
    if state.target is None:
        raise NotFound("there is no such user", "unknown_user")
    return state.target


def _member(state: ChannelState) -> tuple[Person, Membership]:
    target = _target(state)
    if state.theirs is None:
        raise NotFound(f"{target.name} is not a member of this channel", "unknown_member")
    return target, state.theirs
