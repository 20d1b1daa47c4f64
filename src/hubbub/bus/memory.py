"""The bus of a server that is one process."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from hubbub.bus.base import OnEvents, OnNotice
from hubbub.core.events import Envelope, Notice

log = logging.getLogger(__name__)


class MemoryBus:
    """A `Bus` that calls its subscribers at once, in the order they subscribed.

    Calls come and go on one event loop; there is nothing to lose. What a subscriber publishes while
    it is being called waits until everybody has been: nobody hears of an effect before its cause.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[OnEvents | None, OnNotice | None], ...] = ()
        self._on_events: tuple[OnEvents, ...] = ()
        self._on_notice: tuple[OnNotice, ...] = ()
        self._waiting: deque[tuple[bool, Any]] = deque()
        self._telling = False

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._tell(False, envelopes)

    def notify(self, notice: Notice) -> None:
        self._tell(True, notice)

    def subscribe(
        self, on_events: OnEvents | None, on_notice: OnNotice | None
    ) -> Callable[[], None]:
        entry = (on_events, on_notice)
        self._take(*self._subscribers, entry)
        return lambda: self._take(*(s for s in self._subscribers if s is not entry))

    def _take(self, *subscribers: tuple[OnEvents | None, OnNotice | None]) -> None:
        self._subscribers = subscribers
        self._on_events = tuple(hear for hear, _ in subscribers if hear is not None)
        self._on_notice = tuple(hear for _, hear in subscribers if hear is not None)

    def _tell(self, notice: bool, what: Any) -> None:
        if self._telling:
            self._waiting.append((notice, what))
            return
        self._telling = True
        try:
            while True:
                for hear in self._on_notice if notice else self._on_events:
                    try:
                        hear(what)
                    except Exception:
                        log.exception("! a subscriber failed")
                if not self._waiting:
                    break
                notice, what = self._waiting.popleft()
        finally:
            self._telling = False
