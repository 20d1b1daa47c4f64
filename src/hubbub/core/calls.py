"""Who is in which call. Pure bookkeeping: connections in; first-in and last-out events out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hubbub.core.errors import Forbidden
from hubbub.core.events import PeerJoined, PeerLeft, place_of
from hubbub.core.ids import ChannelId
from hubbub.core.limits import TokenBucket
from hubbub.core.names import fold
from hubbub.core.signals import Peer


@dataclass(slots=True)
class Seat:
    """A peer's place in a call: the address that signals go to, and the sockets that it is there
    with."""

    peer: Peer
    address: str
    connections: set[str]


@dataclass(slots=True)
class Call:
    """The peers of one channel's call, by their keys, and how fast they may signal: `pairs` is by
    the keys of sender and addressee. No two peers have the same id, or the same username however it
    is spelt: `names` is by the folded ones."""

    channel: ChannelId
    room: str
    bucket: TokenBucket
    peers: dict[str, Seat] = field(default_factory=dict)
    ids: dict[str, Seat] = field(default_factory=dict)
    names: dict[str, Seat] = field(default_factory=dict)
    pairs: dict[tuple[str, str], TokenBucket] = field(default_factory=dict)

    def join(self, peer: Peer, connection: str) -> PeerJoined | None:
        """A connection is in the call as `peer`. An event comes back for a peer's first one.

        Raises:
            Forbidden: `peer_name_taken`: another peer is called so. It is not in the call.
        """
        seat = self.peers.get(peer.key)
        if seat is not None:
            seat.connections.add(connection)
            return None
        name = fold(peer.name)
        if peer.id in self.ids or name in self.names:
            raise Forbidden("somebody else in the call is called so", "peer_name_taken")
        seat = Seat(peer, place_of(self.channel, peer), {connection})
        self.peers[peer.key] = self.ids[peer.id] = self.names[name] = seat
        return PeerJoined(self.channel, self.room, peer)

    def leave(self, key: str, connection: str) -> PeerLeft | None:
        """A connection is out of the call. An event comes back for a peer's last one."""
        seat = self.peers.get(key)
        if seat is None or connection not in seat.connections:
            return None
        seat.connections.discard(connection)
        if seat.connections:
            return None
        peer = seat.peer
        del self.peers[key], self.ids[peer.id], self.names[fold(peer.name)]
        for pair in [pair for pair in self.pairs if key in pair]:
            del self.pairs[pair]
        return PeerLeft(self.channel, self.room, peer)

    def find(self, called: str, by_name: bool = False) -> Seat | None:
        """The peer called so, by its id or, `by_name`, by its username. Case does not matter in a
        username; it does in a subject and in a connection's id, which come first."""
        if not by_name:
            seat = self.ids.get(called)
            if seat is not None:
                return seat
        seat = self.names.get(fold(called))
        if seat is None:
            return None
        peer = seat.peer
        if peer.connection is not None and peer.name != called:
            return None
        return seat if by_name or peer.user.subject is None else None

    def everybody(self, but: str | None = None) -> Sequence[Seat]:
        """The peers in order of arrival, except the one with the key `but`."""
        return [seat for key, seat in self.peers.items() if key != but]
