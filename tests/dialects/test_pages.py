"""Each protocol's page says what the protocol has no word for: that, and nothing else.

The native protocol tells everything that belongs to a channel, and PeerJS has no channels: their
pages need no list.
"""

import re
from pathlib import Path

import pytest

from hubbub.core.events import Durable, Envelope, Event
from hubbub.dialects.base import Dialect
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling
from tests.dialects.test_crossing import ADDRESSED, ROOM, TABLE
from tests.dialects.test_crossing_calls import IN_CALLS, SAID, signalled

PAGES = Path(__file__).parents[2] / "docs" / "protocol"
NATIVE = IN_CALLS[0]

LISTS: tuple[tuple[Dialect, str, str], ...] = (
    (Rooms(), "rooms", ""),
    (Conversations(), "conversations", ""),
    (RelayChat(), "relay", "In chat:"),
    (RelayVideo(), "relay", "In video:"),
    (Conference(), "conference", ""),
    (Signaling(), "signaling", ""),
)
"""A protocol, its page, and what its own list begins with where a page has two."""

_MEMBERSHIP = r"a member joined, left or was given another role|became a member|of membership"
_PRESENCE = r"somebody came, went|somebody is in the room without being in its call"
_PEERS = r"who is in (a|the \w+'s) call"
_SIGNALS = r"what they signal"

PHRASES: dict[str, str] = {
    "a message": r"^- messages(,| in anything but)",
    "a message that is kept nowhere": r"^- messages,|messages between two guests",
    "a member joined": _MEMBERSHIP,
    "a member left": _MEMBERSHIP,
    "a member has another role": _MEMBERSHIP,
    "the channel changed": r"settings changed",
    "somebody came": _PRESENCE,
    "somebody left": _PRESENCE,
    "somebody types": r"somebody types",
    "somebody stopped typing": r"stopped typing",
    "somebody has read": r"how far somebody has read or been delivered",
    "a person is in the call": _PEERS,
    "a person is out of the call": _PEERS,
    "what one claimed id says to another": r"what is said by the PeerJS protocol",
    "offer": _SIGNALS,
    "answer": _SIGNALS,
    "candidate": _SIGNALS,
    "the last candidate": _SIGNALS,
    "hang up": rf"{_SIGNALS}|hung up or declined",
    "decline": rf"{_SIGNALS}|hung up or declined",
    "custom": rf"{_SIGNALS}|the signals of an application's own",
}
"""How pages put it that something is not told."""


def happened(what: str, dialect: Dialect) -> Event:
    """The event of this name in one of the crossing tables."""
    if what in SAID:
        return signalled(SAID[what]["native"], NATIVE, dialect.name)
    return TABLE[what][0] if what in TABLE else ADDRESSED[what][0]


def listed(page: str, start: str) -> str:
    """A page's list, one item a line."""
    text = (PAGES / f"{page}.md").read_text()
    _, found, section = text.partition("## What has no word here\n")
    assert found, f"{page}.md has no such list"
    section = section.partition("\n## ")[0]
    if start:
        _, found, section = section.partition(start)
        assert found, f"{page}.md has no list for {start!r}"
        section = re.split(r"^In \w+:$", section, flags=re.MULTILINE)[0]
    return section.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("dialect", "page", "start"), [pytest.param(*each, id=each[0].name) for each in LISTS]
)
@pytest.mark.parametrize("what", PHRASES)
def test_the_page_lists_what_the_protocol_does_not_tell(
    what: str, dialect: Dialect, page: str, start: str
) -> None:
    event = happened(what, dialect)
    seq = 14 if isinstance(event, Durable) else 0
    silent = dialect.encode(Envelope(ROOM, event, seq, "a1b2")) is None
    said = re.search(PHRASES[what], listed(page, start), re.MULTILINE) is not None
    assert said == silent


def test_every_kind_of_event_is_looked_for() -> None:
    kinds = {type(row[0]) for row in (*TABLE.values(), *ADDRESSED.values())}
    looked_for = {type(happened(what, NATIVE)) for what in PHRASES}
    assert kinds <= looked_for
    assert SAID.keys() - PHRASES.keys() == {"custom without data"}
