"""Whose the sockets are, and which of them what happens to people closes."""

from collections.abc import Collection, Sequence
from typing import TypeVar, assert_never

from hubbub.core.events import AccountDisabled, NameTaken, Notice, SessionRevoked
from hubbub.core.ids import UserId, Who
from hubbub.core.names import GUEST_PREFIX, fold
from hubbub.hub.connection import Connection

K = TypeVar("K")


class Owners:
    """An index of sockets by their user, their login and, where guests go by a name of their own
    choosing, by that. No account is ever called like the guests who chose none."""

    def __init__(self) -> None:
        self._of_user: dict[UserId, set[Connection]] = {}
        self._of_login: dict[str, set[Connection]] = {}
        self._of_name: dict[str, set[Connection]] = {}

    @property
    def empty(self) -> bool:
        """Whether no socket is anybody's."""
        return not (self._of_user or self._of_login or self._of_name)

    def sockets(self, user: UserId) -> Collection[Connection]:
        """Those of one user."""
        return self._of_user.get(user, ())

    def add(self, connection: Connection, who: Who) -> None:
        """This socket is `who`'s."""
        self._of_user.setdefault(who.id, set()).add(connection)
        if who.session is not None:
            self._of_login.setdefault(who.session, set()).add(connection)
        if _named(who):
            self._of_name.setdefault(fold(who.name), set()).add(connection)

    def discard(self, connection: Connection, who: Who) -> None:
        """This socket, which was `who`'s, is so no more."""
        _take_from(self._of_user, who.id, connection)
        if who.session is not None:
            _take_from(self._of_login, who.session, connection)
        if _named(who):
            _take_from(self._of_name, fold(who.name), connection)

    def concerned(self, notice: Notice) -> tuple[Sequence[Connection], int, str]:
        """The sockets to be closed, and the code and words to close them with."""
        match notice:
            case SessionRevoked(session=session):
                return list(self._of_login.get(session, ())), 4001, "session revoked"
            case AccountDisabled(user=user):
                return list(self.sockets(user)), 4000, "account disabled"
            case NameTaken():
                return self._namesakes(notice), 4001, "this name is somebody else's now"
            case _:
                assert_never(notice)

    def _namesakes(self, taken: NameTaken) -> Sequence[Connection]:
        """A username is taken in any case, a subject to the letter."""
        found = set(self._of_name.get(fold(taken.username), ()))
        if taken.subject is not None:
            for connection in self._of_name.get(fold(taken.subject), ()):
                who = connection.link.who
                if who is not None and who.name == taken.subject:
                    found.add(connection)
        if taken.displaced is not None:
            found.update(self.sockets(taken.displaced))
        return list(found)


def _named(who: Who) -> bool:
    return who.guest and not who.name.startswith(GUEST_PREFIX)


def _take_from(index: dict[K, set[Connection]], key: K, connection: Connection) -> None:
    index[key].discard(connection)
    if not index[key]:
        del index[key]
