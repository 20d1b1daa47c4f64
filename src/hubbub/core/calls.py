"""Who is in which call. Pure bookkeeping: connections in; first-in and last-out events out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hubbub.core.errors import Forbidden
from hubbub.core.events import PeerJoined, PeerLeft
from hubbub.core.ids import ChannelId
from hubbub.core.limits import TokenBucket
from hubbub.core.names import fold
from hubbub.core.signals import Peer


@dataclass(slots=True)
class Call:
    """The peers of one channel's call, and how fast they may signal: `pairs` is by the keys of
    sender and addressee. No two peers have the same id, or the same username however it is spelt:
    `names` is by the folded ones."""

    channel: ChannelId
    room: str
    bucket: TokenBucket
    peers: dict[str, tuple[Peer, set[str]]] = field(default_factory=dict)
    ids: dict[str, Peer] = field(default_factory=dict)
    names: dict[str, Peer] = field(default_factory=dict)
    pairs: dict[tuple[str, str], TokenBucket] = field(default_factory=dict)

    def join(self, peer: Peer, connection: str) -> PeerJoined | None:
        """A connection is in the call as `peer`. An event comes back for a peer's first one.

        Raises:
            Forbidden: `peer_name_taken`: another peer is called so. It is not in the call.
        """
        entry = self.peers.get(peer.key)
        if entry is not None:
            entry[1].add(connection)
            return None
        name = fold(peer.name)
        if peer.id in self.ids or name in self.names:
            raise Forbidden("somebody else in the call is called so", "peer_name_taken")
        self.peers[peer.key] = (peer, {connection})
        self.ids[peer.id] = self.names[name] = peer
        return PeerJoined(self.channel, self.room, peer)

    def leave(self, key: str, connection: str) -> PeerLeft | None:
        """A connection is out of the call. An event comes back for a peer's last one."""
        entry = self.peers.get(key)
        if entry is None or connection not in entry[1]:
            return None
        entry[1].discard(connection)
        if entry[1]:
            return None
        peer = entry[0]
        del self.peers[key], self.ids[peer.id], self.names[fold(peer.name)]
        for pair in [pair for pair in self.pairs if key in pair]:
            del self.pairs[pair]
        return PeerLeft(self.channel, self.room, peer)

    def find(self, called: str, *, by_name: bool = False) -> Peer | None:
        """The peer called so, by its id or, `by_name`, by its username. Case does not matter in a
        username; it does in a subject and in a connection's id, which come first."""
        if not by_name and called in self.ids:
            return self.ids[called]
        found = self.names.get(fold(called))
        if found is None or (found.connection is not None and found.name != called):
            return None
        return found if by_name or found.user.subject is None else None

    def everybody(self, but: str | None = None) -> Sequence[Peer]:
        """The peers in order of arrival, except the one with the key `but`."""
        return [peer for key, (peer, _) in self.peers.items() if key != but]
