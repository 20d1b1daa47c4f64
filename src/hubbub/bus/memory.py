"""The bus of a server that is one process."""

import logging
from collections.abc import Callable, Sequence

from hubbub.bus.base import OnEvents, OnNotice
from hubbub.core.events import Envelope, Notice

log = logging.getLogger(__name__)


class MemoryBus:
    """A `Bus` that calls its subscribers at once, in the order they subscribed.

    Calls come and go on one event loop; there is nothing to lose and nothing to reorder.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[OnEvents, OnNotice], ...] = ()

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        for on_events, _ in self._subscribers:
            try:
                on_events(envelopes)
            except Exception:
                log.exception("! a subscriber failed on %d events", len(envelopes))

    def notify(self, notice: Notice) -> None:
        for _, on_notice in self._subscribers:
            try:
                on_notice(notice)
            except Exception:
                log.exception("! a subscriber failed on %r", notice)

    def subscribe(self, on_events: OnEvents, on_notice: OnNotice) -> Callable[[], None]:
        entry = (on_events, on_notice)
        self._subscribers = (*self._subscribers, entry)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not entry)

        return unsubscribe
