"""Who may do what, in one place. REST and WebSocket ask the same function."""

from enum import StrEnum
from typing import assert_never

from hubbub.core.channels import Channel, Kind, Membership, Phase, Role
from hubbub.core.errors import Forbidden, NotAMember, NotFound
from hubbub.core.ids import Who


class Action(StrEnum):
    """What somebody wants to do in a channel."""

    READ = "read"
    POST = "post"
    JOIN = "join"
    LEAVE = "leave"
    INVITE = "invite"
    REMOVE = "remove"
    MANAGE = "manage"


def authorize(who: Who, action: Action, channel: Channel, membership: Membership | None) -> None:
    """Returns when `who`, whose membership of `channel` this is, may do it.

    Default deny: guests enter only channels marked for guests, strangers only read and join public
    rooms, a private channel is its members' alone, whatever else the caller may be. A guest has a
    part in the direct chat with somebody who has an account. Of a meeting that is over nothing is
    left but reading, for its members.

    Raises:
        NotFound: the meeting is over.
        NotAMember: to do this one has to be a member.
        Forbidden: a member, and still not allowed.
    """
    if channel.phase is Phase.ENDED:
        if membership is None:
            raise NotFound("there is no such channel", "unknown_channel")
        if action is not Action.READ:
            raise Forbidden("this meeting is over", "meeting_over")
    if who.guest:
        ours = channel.pair is not None and who.id in channel.pair
        if ours and action in (Action.READ, Action.POST):
            return
        if channel.private or not channel.guests:
            raise Forbidden("guests are not welcome in this channel", "guests_not_allowed")
        if action in (Action.READ, Action.POST):
            return
        raise Forbidden("guests cannot do this", "guests_not_allowed")
    if membership is None:
        if channel.private:
            raise NotAMember("you are not a member of this channel")
        if action in (Action.READ, Action.JOIN) or (channel.guests and action is Action.POST):
            return
        raise NotAMember("join this channel first")
    _authorize_member(action, channel, membership.role)


def may_post(channel: Channel, role: Role | None) -> bool:
    """Whether somebody with this role, None for a stranger or guest, may post."""
    return role is not None or (channel.guests and not channel.private)


def unwelcome(who: Who, *, private: bool, guests: bool) -> Forbidden | None:
    """Why somebody who is in a channel, and no member, has to go when its settings become these;
    None when they may stay."""
    if private:
        return NotAMember("this channel is private now")
    if who.guest and not guests:
        return Forbidden("guests are no longer welcome in this channel", "guests_not_allowed")
    return None


def _authorize_member(action: Action, channel: Channel, role: Role) -> None:
    match action:
        case Action.READ | Action.POST | Action.JOIN:
            return
        case Action.LEAVE:
            if channel.kind is Kind.DIRECT:
                raise Forbidden("a direct chat cannot be left", "direct_chat")
        case Action.INVITE | Action.REMOVE:
            _not_direct(channel)
            if role is Role.MEMBER:
                raise Forbidden("only owners and moderators may do this")
        case Action.MANAGE:
            _not_direct(channel)
            if role is not Role.OWNER:
                raise Forbidden("only an owner may do this")
        case _:
            assert_never(action)


def _not_direct(channel: Channel) -> None:
    if channel.kind is Kind.DIRECT:
        raise Forbidden("a direct chat has two people and no settings", "direct_chat")
