"""A queue and a gate that cost next to nothing while idle.

`asyncio.Queue` and `asyncio.Event` hold 4 KiB of empty deques between them, in each of thousands of
sockets that mostly wait.
"""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """What `asyncio.Queue` offers uvicorn's protocol: unbounded, first in first out.

    Meant for tens of items: taking one is linear in their number.
    """

    __slots__ = ("_waiters", "items")

    def __init__(self) -> None:
        self.items: list[T] = []
        """What nobody has taken yet, the oldest first."""
        self._waiters: list[asyncio.Future[None]] = []

    def empty(self) -> bool:
        """Whether `get` would wait."""
        return not self.items

    def qsize(self) -> int:
        """The number of items nobody has taken."""
        return len(self.items)

    def put_nowait(self, item: T) -> None:
        """Adds an item at the end."""
        self.items.append(item)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def get(self) -> T:
        """Takes the oldest item, waiting for one; cancelling it loses nothing."""
        while not self.items:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)
        return self.items.pop(0)


class Gate:
    """What `asyncio.Event` offers uvicorn's protocol; starts open."""

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether the gate is open."""
        return self._closed is None

    def clear(self) -> None:
        """Closes the gate."""
        if self._closed is None:
            self._closed = asyncio.Event()

    def set(self) -> None:
        """Opens the gate and lets everybody who waits through."""
        if self._closed is not None:
            self._closed.set()
            self._closed = None

    async def wait(self) -> None:
        """Returns at once while the gate is open, else when it next opens."""
        if self._closed is not None:
            await self._closed.wait()
