"""What a unit that writes works with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from hubbub.core.events import Envelope
from hubbub.core.ids import ChannelId


@dataclass(slots=True)
class Transaction:
    """An open transaction. `now` is its time, `take_id` gives the next id of the journal; what a
    unit puts into `published` goes to the bus after the commit, in that order; `touched` names the
    channels of which anything remembered is out of date."""

    connection: Connection
    now: int
    take_id: Callable[[], int]
    published: list[Envelope] = field(default_factory=list)
    touched: set[ChannelId] = field(default_factory=set)
