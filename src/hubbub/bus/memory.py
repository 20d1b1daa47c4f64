"""The bus of a server that is one process."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from hubbub.bus.base import OnEvents, OnNotice
from hubbub.core.events import Envelope, Notice

log = logging.getLogger(__name__)

_EVENTS, _NOTICE = 0, 1
"""Which of a subscriber's two functions something is for."""


class MemoryBus:
    """A `Bus` that calls its subscribers at once, in the order they subscribed.

    Calls come and go on one event loop; there is nothing to lose. What a subscriber publishes while
    it is being called waits until everybody has been: nobody hears of an effect before its cause.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[OnEvents, OnNotice], ...] = ()
        self._waiting: deque[tuple[int, Any]] = deque()
        self._telling = False

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._tell(_EVENTS, envelopes)

    def notify(self, notice: Notice) -> None:
        self._tell(_NOTICE, notice)

    def subscribe(self, on_events: OnEvents, on_notice: OnNotice) -> Callable[[], None]:
        entry = (on_events, on_notice)
        self._subscribers = (*self._subscribers, entry)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not entry)

        return unsubscribe

    def _tell(self, kind: int, what: Any) -> None:
        self._waiting.append((kind, what))
        if self._telling:
            return
        self._telling = True
        try:
            while self._waiting:
                kind, what = self._waiting.popleft()
                for subscriber in self._subscribers:
                    try:
                        subscriber[kind](what)
                    except Exception:
                        log.exception("! a subscriber failed")
        finally:
            self._telling = False
