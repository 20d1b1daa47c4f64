"""Who is in which call. Pure bookkeeping: connections in; first-in and last-out events out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hubbub.core.events import PeerJoined, PeerLeft
from hubbub.core.ids import ChannelId
from hubbub.core.limits import TokenBucket
from hubbub.core.signals import Peer


@dataclass(slots=True)
class Call:
    """The peers of one channel's call, and how fast they may signal: `pairs` is by the keys of
    sender and addressee."""

    channel: ChannelId
    room: str
    bucket: TokenBucket
    peers: dict[str, tuple[Peer, set[str]]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], TokenBucket] = field(default_factory=dict)

    def join(self, peer: Peer, connection: str) -> PeerJoined | None:
        """A connection is in the call as `peer`. An event comes back for a peer's first one."""
        entry = self.peers.get(peer.key)
        if entry is not None:
            entry[1].add(connection)
            return None
        self.peers[peer.key] = (peer, {connection})
        return PeerJoined(self.channel, self.room, peer)

    def leave(self, key: str, connection: str) -> PeerLeft | None:
        """A connection is out of the call. An event comes back for a peer's last one."""
        entry = self.peers.get(key)
        if entry is None or connection not in entry[1]:
            return None
        entry[1].discard(connection)
        if entry[1]:
            return None
        del self.peers[key]
        for pair in [pair for pair in self.pairs if key in pair]:
            del self.pairs[pair]
        return PeerLeft(self.channel, self.room, entry[0])

    def find(self, called: str, *, by_name: bool = False) -> Peer | None:
        """The peer called so, by its id or, `by_name`, by its username. Of two with equal ids the
        one whom an external issuer calls so is meant."""
        found = None
        for peer, _ in self.peers.values():
            if (peer.name if by_name else peer.id) == called:
                if by_name or peer.user.subject is not None or peer.connection is not None:
                    return peer
                found = peer
        return found

    def everybody(self, but: str | None = None) -> Sequence[Peer]:
        """The peers in order of arrival, except the one with the key `but`."""
        return [peer for key, (peer, _) in self.peers.items() if key != but]
