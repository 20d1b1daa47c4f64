"""Sockets by address: how what is for one person, one peer, or one call's peers finds them."""

from hubbub.core.events import Envelope
from hubbub.dialects.base import Dialect
from hubbub.hub.connection import Connection
from hubbub.hub.frames import frame


class Addresses:
    """Which sockets are at which address. An address is a word that `core.events` makes up."""

    def __init__(self) -> None:
        self._at: dict[str, dict[Connection, None]] = {}

    def attach(self, connection: Connection, address: str) -> None:
        """What is sent to the address reaches this socket from now on."""
        self._at.setdefault(address, {})[connection] = None
        if connection.addresses is None:
            connection.addresses = set()
        connection.addresses.add(address)

    def detach(self, connection: Connection, address: str) -> None:
        """What is sent to the address no longer reaches this socket."""
        here = self._at.get(address)
        if here is None or connection not in here or connection.addresses is None:
            return
        connection.addresses.discard(address)
        del here[connection]
        if not here:
            del self._at[address]

    def detach_all(self, connection: Connection) -> None:
        """The socket is gone."""
        for address in tuple(connection.addresses or ()):
            self.detach(connection, address)

    def evict(self, address: str, reason: str) -> None:
        """Closes every socket there; nothing that is sent to the address reaches them any more."""
        for connection in tuple(self._at.get(address, ())):
            self.detach(connection, address)
            connection.close(1000, reason)

    def occupied(self, address: str) -> bool:
        """Whether anybody is there."""
        return address in self._at

    def tell(self, address: str, envelope: Envelope, alone: bool = False) -> None:
        """Gives an event to every socket at the address but those at `envelope.skip`, in the words
        of each one's protocol. `alone` says that nothing else is told with it: then a socket for
        which nothing is queued is written to at once."""
        here = self._at.get(address)
        if here is None:
            return
        passed = self._at.get(envelope.skip, ()) if envelope.skip else ()
        spoken: Dialect | None = None
        frames = b""
        for connection in here:
            if connection in passed:
                continue
            dialect = connection.dialect
            if dialect is not spoken:
                spoken = dialect
                words = dialect.encode(envelope)
                frames = b"" if words is None else frame(words)
            if frames and not (
                alone
                and not connection.out
                and connection.backlog is None
                and not connection.corked
                and connection.sink.write(frames)
            ):
                connection.queue(frames)
