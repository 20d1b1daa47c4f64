"""Calls as the native protocol has them: what peers say, and what they are told."""

from typing import Annotated, assert_never

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from hubbub.core import commands as core
from hubbub.core import events, signals
from hubbub.core.errors import Invalid
from hubbub.core.signals import DescriptionType
from hubbub.dialects.native.commands import InChannel, channel_ref
from hubbub.dialects.native.structures import User, user

MAX_PEER = 255

_to_json = msgspec.json.Encoder().encode


class CallJoin(InChannel, tag="call_join"):
    """Put the socket into the channel's call."""

    def command(self) -> core.Command:
        return core.JoinCall(channel_ref(self.channel))


class CallLeave(InChannel, tag="call_leave"):
    """Take the socket out of the call."""

    def command(self) -> core.Command:
        return core.LeaveCall(channel_ref(self.channel))


class ToPeer(InChannel, kw_only=True):
    """What all signals have: without `to` every other peer is meant."""

    to: Annotated[str, Meta(min_length=1, max_length=MAX_PEER)] | None = None

    def body(self) -> signals.Body:
        """What is to be said.

        Raises:
            Invalid: it is outside the limits.
        """
        raise NotImplementedError

    def command(self) -> core.Command:
        return core.Signal(channel_ref(self.channel), self.body(), self.to)


class Offer(ToPeer, tag="offer", kw_only=True):
    """An SDP offer."""

    sdp: str

    def body(self) -> signals.Body:
        return signals.Description(DescriptionType.OFFER, signals.check_sdp(self.sdp))


class Answer(ToPeer, tag="answer", kw_only=True):
    """An SDP answer."""

    sdp: str

    def body(self) -> signals.Body:
        return signals.Description(DescriptionType.ANSWER, signals.check_sdp(self.sdp))


class IceCandidate(msgspec.Struct, rename="camel"):
    """An RTCIceCandidateInit; an empty `candidate` says that there are no more."""

    candidate: str = ""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = msgspec.field(default=None, name="sdpMLineIndex")


class Candidate(ToPeer, tag="candidate", kw_only=True):
    """An ICE candidate; null says that there are no more."""

    candidate: IceCandidate | None

    def body(self) -> signals.Body:
        said = self.candidate or IceCandidate()
        return signals.check_candidate(said.candidate, said.sdp_mid, said.sdp_m_line_index)


class HangUp(ToPeer, tag="hang_up"):
    """End what one has with a peer."""

    def body(self) -> signals.Body:
        return signals.HangUp()


class Decline(ToPeer, tag="decline"):
    """Not wanting to talk to a peer."""

    def body(self) -> signals.Body:
        return signals.Decline()


class Custom(ToPeer, tag="custom", kw_only=True):
    """A signal of the application's own."""

    name: str
    data: object = None

    def body(self) -> signals.Body:
        try:
            data = _to_json(self.data)
        except UnicodeEncodeError:
            raise Invalid("data holds a character that cannot be sent", "invalid_data") from None
        return signals.check_custom(self.name, data)


FRAMES = (CallJoin, CallLeave, Offer, Answer, Candidate, HangUp, Decline, Custom)


class Peer(msgspec.Struct):
    """Somebody in a call: `id` is what signals are addressed to."""

    id: str
    user: User


class InCall(msgspec.Struct):
    """The result of `call_join`: one's own peer, and the others."""

    peer: Peer
    peers: list[Peer]


class PeerJoined(msgspec.Struct, tag="peer_joined"):
    """A peer is in the call."""

    channel: int
    peer: Peer


class PeerLeft(msgspec.Struct, tag="peer_left"):
    """A peer is out of the call."""

    channel: int
    peer: Peer


class Signal(msgspec.Struct):
    """What all signals have as events."""

    channel: int
    sender: Peer


class OfferEvent(Signal, tag="offer"):
    """An SDP offer for this user."""

    sdp: str


class AnswerEvent(Signal, tag="answer"):
    """An SDP answer for this user."""

    sdp: str


class CandidateEvent(Signal, tag="candidate"):
    """An ICE candidate for this user."""

    candidate: IceCandidate


class HangUpEvent(Signal, tag="hang_up"):
    """The sender ended what it had with this user."""


class DeclineEvent(Signal, tag="decline"):
    """The sender does not want to talk."""


class CustomEvent(Signal, tag="custom"):
    """A signal of the application's own."""

    name: str
    data: Raw | UnsetType = UNSET


EVENTS = (
    PeerJoined,
    PeerLeft,
    OfferEvent,
    AnswerEvent,
    CandidateEvent,
    HangUpEvent,
    DeclineEvent,
    CustomEvent,
)


def peer(of: signals.Peer) -> Peer:
    """A peer as frames name it."""
    return Peer(of.id, user(of.user))


def signalled(event: events.Signalled) -> Signal:
    """The frame that tells a signal to its addressee."""
    channel, sender = event.channel, peer(event.sender)
    body = event.body
    if isinstance(body, signals.Candidate):
        candidate = IceCandidate(body.candidate, body.sdp_mid, body.sdp_m_line_index)
        return CandidateEvent(channel, sender, candidate)
    match body:
        case signals.Description(kind, sdp):
            told = OfferEvent if kind is DescriptionType.OFFER else AnswerEvent
            return told(channel, sender, sdp)
        case signals.HangUp():
            return HangUpEvent(channel, sender)
        case signals.Decline():
            return DeclineEvent(channel, sender)
        case signals.Custom(name, data):
            return CustomEvent(channel, sender, name, Raw(data))
        case _:
            assert_never(body)
