"""The bus: the only way from a cause to a client, on one node as on many."""

from collections.abc import Callable, Sequence
from typing import Protocol

from hubbub.core.events import Envelope, Notice

OnEvents = Callable[[Sequence[Envelope]], None]
OnNotice = Callable[[Notice], None]


class Bus(Protocol):
    """Carries envelopes and notices to every subscriber.

    Guarantees: what one node publishes on a channel arrives in the order published, at most once,
    and what is published in one call arrives in one call where it can, so that receivers gather
    what one commit produced. Promises no replay and no delivery: durable events are read back from
    storage by whoever finds a gap in their `seq`. `publish` and `notify` never wait and never
    raise; a subscriber that raises harms neither the publisher nor other subscribers.
    """

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Sends events to every subscriber, this process's own included."""

    def notify(self, notice: Notice) -> None:
        """Tells every node what the server tells itself."""

    def subscribe(
        self, on_events: OnEvents | None, on_notice: OnNotice | None
    ) -> Callable[[], None]:
        """Calls `on_events` and `on_notice`, on the event loop, for all that comes from now on;
        None is for what is not wanted. Returns a function that ends it."""
