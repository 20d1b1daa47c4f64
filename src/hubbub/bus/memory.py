"""The bus of a server that is one process."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

from hubbub.bus.base import OnEvents, OnNotice
from hubbub.core.events import Envelope, Notice

log = logging.getLogger(__name__)


class MemoryBus:
    """A `Bus` that calls its subscribers at once, in the order they subscribed.

    Calls come and go on one event loop; there is nothing to lose. What a subscriber publishes while
    it is being called waits until everybody has been: nobody hears of an effect before its cause.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[OnEvents, OnNotice], ...] = ()
        self._waiting: deque[Sequence[Envelope] | Notice] = deque()
        self._telling = False

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._tell(envelopes)

    def notify(self, notice: Notice) -> None:
        self._tell(notice)

    def subscribe(self, on_events: OnEvents, on_notice: OnNotice) -> Callable[[], None]:
        entry = (on_events, on_notice)
        self._subscribers = (*self._subscribers, entry)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not entry)

        return unsubscribe

    def _tell(self, what: Sequence[Envelope] | Notice) -> None:
        self._waiting.append(what)
        if self._telling:
            return
        self._telling = True
        try:
            while self._waiting:
                self._tell_everybody(self._waiting.popleft())
        finally:
            self._telling = False

    def _tell_everybody(self, what: Sequence[Envelope] | Notice) -> None:
        for on_events, on_notice in self._subscribers:
            try:
                if isinstance(what, Notice):
                    on_notice(what)
                else:
                    on_events(what)
            except Exception:
                log.exception("! a subscriber failed")
