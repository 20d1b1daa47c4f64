"""Meetings: channels that end when everybody has gone.

A meeting ends at once when its last socket closes as it should, 30 s after somebody was lost who is
not back, and an hour after it was made if nobody came. It gives up its key then.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from hubbub.auth.attempts import network
from hubbub.core.channels import Channel, Kind, Phase
from hubbub.core.errors import DomainError, TooMany
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.core.limits import Buckets, Rates
from hubbub.core.shares import count_down
from hubbub.storage.base import Meetings as MeetingStorage

log = logging.getLogger(__name__)

RETURN_SECONDS = 30.0
AWAIT_SECONDS = 3600.0
MOST_LISTED = 1000

Maker = UserId | str
"""Who is counted as having made a meeting: an account, or the network address of guests."""


@dataclass(frozen=True, slots=True)
class MeetingLimits:
    """How many meetings an account, or the guests of one network address, may make: so many a
    minute, which may be at once, and so many that have not ended; 0 is no limit."""

    per_minute: int
    most: int


class Meetings:
    """Makes meetings and ends them. Somebody calls `tick` once a second.

    While a meeting is being ended nobody can come in: `settled` waits for it to be over.
    """

    def __init__(
        self,
        storage: MeetingStorage,
        limits: MeetingLimits,
        occupied: Callable[[ChannelId], bool],
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        """`occupied` says whether sockets are in a channel, or about to be. `monotonic` and `now`
        are seconds, the latter since 1970."""
        self._storage = storage
        self._rates = Buckets(Rates(limits.per_minute / 60, limits.per_minute))
        self._most = limits.most
        self._occupied = occupied
        self._monotonic = monotonic
        self._now = now
        self._ends: dict[ChannelId, float | None] = {}
        """When each meeting ends if nobody comes; None while somebody is there."""
        self._lost: dict[ChannelId, dict[UserId, float]] = {}
        """Until when whoever was lost may come back, the latest last."""
        self._makers: dict[ChannelId, Maker] = {}
        self._made: Counter[Maker] = Counter()
        """How many each has made that have not ended, those being made included."""
        self._awaited: set[ChannelId] = set()
        self._ending: dict[ChannelId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Takes up the meetings of an earlier run, whose sockets were all lost."""
        for meeting in await self._storage.meetings():
            self._follow(meeting)
            if meeting.created_by is not None:
                self._made[meeting.created_by] += 1
                self._makers[meeting.id] = meeting.created_by

    async def close(self) -> None:
        """Finishes what is being written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def create(self, who: Who, address: str) -> Channel:
        """A new meeting with a key nobody can guess. Guests are counted by their network address.

        Raises:
            TooMany: they make too many.
        """
        return await self._make(who, address, None)

    async def find_or_make(self, who: Who, address: str, key: str) -> ChannelId:
        """The channel with this key, which is a meeting made now when there was none.

        Raises:
            TooMany: there was none, and they make too many.
        """
        while True:
            # What is found here may be about to end, and only writing is in order with that.
            if await self._storage.find(key) is None:
                channel = await self._make(who, address, key)
            else:
                channel = await self._storage.open_meeting(key, _maker(who))
            if channel.id not in self._ending:
                break
            await self.settled(channel.id)
        if channel.kind is Kind.MEETING and channel.id not in self._ends:
            # What was found had ended by then, and this is new.
            maker = _maker(who) or network(address)
            self._made[maker] += 1
            self._take_up(channel, maker)
        return channel.id

    async def _make(self, who: Who, address: str, key: str | None) -> Channel:
        """A new meeting, or the channel that somebody else has made with the key by now."""
        maker = _maker(who) or network(address)
        if self._most and self._made[maker] >= self._most:
            raise TooMany("you have too many meetings", "too_many_meetings", 30)
        wait = self._rates.take(maker, self._monotonic())
        if wait:
            raise TooMany("you are making too many meetings", "too_many_meetings", wait)
        self._made[maker] += 1
        made = False
        try:
            meeting = await self._storage.open_meeting(key, _maker(who))
            made = meeting.kind is Kind.MEETING and meeting.id not in self._ends
        finally:
            if not made:
                count_down(self._made, maker)
        if made:
            self._take_up(meeting, maker)
        return meeting

    def _take_up(self, meeting: Channel, maker: Maker) -> None:
        self._makers[meeting.id] = maker
        self._follow(meeting)

    async def listed(self) -> Sequence[Channel]:
        """The meetings that have not ended, oldest first; of very many the newest."""
        meetings = await self._storage.meetings(MOST_LISTED)
        return [meeting for meeting in meetings if meeting.id not in self._ending]

    async def settled(self, channel: ChannelId) -> bool:
        """Waits while the channel is being ended; whether it was."""
        task = self._ending.get(channel)
        if task is None:
            return False
        await asyncio.shield(task)
        return True

    def come(self, channel: ChannelId, user: UserId) -> None:
        """A socket of `user` is in the channel."""
        if channel not in self._ends:
            return
        self._ends[channel] = None
        self._lost.get(channel, {}).pop(user, None)
        if channel in self._awaited:
            self._awaited.discard(channel)
            self._run(self._storage.begin_meeting(channel))

    def go(self, channel: ChannelId, user: UserId, *, lost: bool) -> None:
        """A socket of `user` is no longer in the channel."""
        if channel not in self._ends:
            return
        now = self._monotonic()
        if lost:
            self._await_return(channel, user, now)
        if not self._occupied(channel):
            self._ends[channel] = self._until(channel, now)
            self._end_if_due(channel, now)

    def tick(self) -> None:
        """Ends the meetings whose time is up."""
        now = self._monotonic()
        for channel, ends in list(self._ends.items()):
            if ends is None and not self._occupied(channel):
                # Whoever was about to come in when the last one left did not.
                self._ends[channel] = self._until(channel, now)
            self._end_if_due(channel, now)

    def _await_return(self, channel: ChannelId, user: UserId, now: float) -> None:
        lost = self._lost.setdefault(channel, {})
        lost.pop(user, None)
        lost[user] = now + RETURN_SECONDS
        for earlier in list(lost):
            if lost[earlier] > now:
                break
            del lost[earlier]

    def _until(self, channel: ChannelId, now: float) -> float:
        """When a meeting ends in which nobody is now."""
        return next(reversed(self._lost.get(channel, {}).values()), now)

    def _follow(self, meeting: Channel) -> None:
        now = self._monotonic()
        ends = now + RETURN_SECONDS
        if meeting.phase is Phase.AWAITED:
            self._awaited.add(meeting.id)
            ends = max(ends, now + meeting.created_at / 1000 + AWAIT_SECONDS - self._now())
        self._ends[meeting.id] = ends

    def _end_if_due(self, channel: ChannelId, now: float) -> None:
        ends = self._ends[channel]
        if ends is None or ends > now or self._occupied(channel) or channel in self._ending:
            return
        self._ending[channel] = self._run(self._end(channel))

    async def _end(self, channel: ChannelId) -> None:
        try:
            await self._storage.end_meeting(channel)
        except DomainError as error:
            log.warning("! meeting %d could not be ended, it is tried again: %s", channel, error)
            self._ends[channel] = self._monotonic() + 1
        else:
            self._ends.pop(channel, None)
            self._lost.pop(channel, None)
            self._awaited.discard(channel)
            maker = self._makers.pop(channel, None)
            if maker is not None:
                count_down(self._made, maker)
        finally:
            del self._ending[channel]

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("! a meeting's state could not be stored: %r", error)


def _maker(who: Who) -> UserId | None:
    return None if who.guest else who.id
