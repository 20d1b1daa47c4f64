"""Names for the things everything else speaks of."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

UserId = NewType("UserId", int)
"""An account's id is positive, a guest's negative; both fit 53 bits."""

ChannelId = NewType("ChannelId", int)
MessageId = NewType("MessageId", int)

ChannelRef = int | str
"""How clients name a channel: an integer is its id, a string its key."""

MAX_INTEGER = 2**53 - 1
"""The largest integer every JSON reader keeps exactly (RFC 8259, 6)."""

MAX_KEY = 128
_KEY = re.compile(r"[A-Za-z0-9._~-]+")
RESERVED_KEYS = frozenset({"auth", "echo", "v1", "chat", "video", "room", "signaling"})
"""Path segments that are routes of their own under `/ws/` and so can be no channel's key."""


@dataclass(frozen=True, slots=True)
class Who:
    """The person behind a request or socket, as the server knows them.

    `session` is the login the token belongs to, None for guests and for whoever has a token of an
    external issuer, whose name for them is `subject`. An account has one as well whose username is
    somebody else's subject. Never built from what a client says inside a frame.
    """

    id: UserId
    name: str
    session: str | None = None
    admin: bool = False
    subject: str | None = None

    @property
    def guest(self) -> bool:
        """Whether nobody's account stands behind this person."""
        return self.id < 0

    @property
    def person(self) -> "Person":
        """This person as events print them."""
        return Person(self.id, self.name, self.subject)


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it, or whom it concerns, as an event prints it. `subject` is as in `Who`, and None in
    what is read back from the journal."""

    id: UserId
    name: str
    subject: str | None = None

    @property
    def handle(self) -> str:
        """What they are called where an application's own ids count: the subject, else the name."""
        return self.name if self.subject is None else self.subject


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a channel's sequence: everything up to and including `seq` has been seen."""

    epoch: str
    seq: int


def parse_ref(text: str) -> ChannelRef:
    """Reads a channel's name where digits are an id and anything else is a key.

    A run of digits beyond 53 bits is no id anybody can hold, and no key either: it comes back as
    0, the id no channel has.
    """
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) <= 16 else 0
        return number if number <= MAX_INTEGER else 0
    return text


def path_name(id: ChannelId, key: str) -> str:
    """What names a channel to `parse_ref`: its key or, where that would be read as an id, its
    id."""
    return str(id) if isinstance(parse_ref(key), int) else key


def is_key(text: str) -> bool:
    """Whether it looks like a channel's key: 1 to 128 of `[A-Za-z0-9._~-]`."""
    return len(text) <= MAX_KEY and _is_key(text)


@lru_cache(maxsize=4096)  # frame after frame names the same few
def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def valid_key(key: str) -> bool:
    """Whether a channel may be called this: it looks like a key, and is no route."""
    return is_key(key) and key not in RESERVED_KEYS
