"""Who has a socket where. Pure bookkeeping: connections in, first-in and last-out events out."""

from collections.abc import Iterable

from hubbub.core.events import Departure, UserCame, UserWent
from hubbub.core.ids import ChannelId, Person, UserId


class Roster:
    """Counts each user's sockets in each channel.

    `come` and `go` return an event only for a user's first and last socket, so that however many
    devices somebody has, the others hear of one arrival and one departure.
    """

    def __init__(self) -> None:
        self._present: dict[ChannelId, dict[UserId, tuple[Person, set[str]]]] = {}

    def come(self, channel: ChannelId, user: Person, connection: str) -> UserCame | None:
        """A connection is in the channel; coming twice counts once."""
        people = self._present.setdefault(channel, {})
        entry = people.get(user.id)
        if entry is not None:
            entry[1].add(connection)
            return None
        people[user.id] = (user, {connection})
        return UserCame(channel, user)

    def go(
        self, channel: ChannelId, user: UserId, connection: str, why: Departure
    ) -> UserWent | None:
        """A connection is out of the channel; going without having come changes nothing."""
        people = self._present.get(channel)
        entry = people.get(user) if people is not None else None
        if people is None or entry is None or connection not in entry[1]:
            return None
        entry[1].discard(connection)
        if entry[1]:
            return None
        del people[user]
        if not people:
            del self._present[channel]
        return UserWent(channel, entry[0], why)

    def present(self, channel: ChannelId) -> Iterable[Person]:
        """Everybody with a socket in the channel, in order of arrival."""
        return [person for person, _ in self._present.get(channel, {}).values()]
