"""Channels and messages, for REST and sockets alike."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hubbub.core.answers import Done, Entered, Messages, Posted, Present
from hubbub.core.channels import Channel
from hubbub.core.commands import (
    ChannelChange,
    CreateChannel,
    Enter,
    JoinChannel,
    MoveCursor,
    ReadHistory,
    SendMessage,
)
from hubbub.core.errors import DomainError, NotFound, TooMany
from hubbub.core.events import Durable, Envelope
from hubbub.core.ids import ChannelId, ChannelRef, Person, UserId, Who
from hubbub.core.limits import Buckets, Rates
from hubbub.core.messages import MAX_DESCRIPTION, MAX_NAME, check_label
from hubbub.services.presence import Presence
from hubbub.storage.base import ChannelView, ConnectionRow, Storage

MOST_EVENTS = 500
"""How many missed events a recovery carries at most; the rest is paged over REST."""

MOST_BYTES = 256 * 1024
"""And how many bytes of them: a quarter of what a socket's queue holds."""


class Chat:
    """The service of channels and messages.

    Content and client ids are checked by whoever reads them from the wire; permission is decided
    by storage, in the transaction or snapshot it applies to. `clock` is monotonic, `now` the
    seconds since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        presence: Presence,
        rates: Rates,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._storage = storage
        self._presence = presence
        self._rates = Buckets(rates)
        self._clock = clock
        self._now = now

    def submit(
        self, who: Who, command: SendMessage, done: Callable[[Posted | DomainError], None]
    ) -> None:
        """Posts a message; `done` is called once, after the commit or with the refusal."""
        wait = self._rates.take(who.id, self._clock())
        if wait:
            done(TooMany("you are posting too fast", retry_after=wait))
            return
        self._storage.post(who, command, done)

    async def post(self, who: Who, command: SendMessage) -> Posted:
        """Posts a message and waits for the commit."""
        waiting: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        self.submit(who, command, lambda answer: _settle(waiting, answer))
        return await waiting

    def submit_move(
        self, who: Who, command: MoveCursor, done: Callable[[Done | DomainError], None]
    ) -> None:
        """Moves a member's cursors; `done` is called once, after the commit."""
        self._storage.move(who, command, done)

    async def move(self, who: Who, command: MoveCursor) -> Done:
        """Moves a member's cursors and waits for the commit."""
        waiting: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self.submit_move(who, command, lambda answer: _settle(waiting, answer))
        return await waiting

    async def resolve(self, ref: ChannelRef) -> ChannelId:
        """The id of the channel somebody named. Says nothing about what they may do there.

        Raises:
            NotFound: `unknown_channel`.
        """
        if isinstance(ref, int):
            return ChannelId(ref)
        channel = await self._storage.find(ref)
        if channel is None:
            raise NotFound("there is no such channel", "unknown_channel")
        return channel.id

    async def enter(self, who: Who, command: Enter) -> Entered:
        """Reads what a socket needs to enter a channel, becoming a member first where the command
        says so and the channel is public. Guests become members of nothing."""
        if command.join and not who.guest:
            entered = await self._storage.enter(
                who, replace(command, members_only=False), MOST_EVENTS, MOST_BYTES
            )
            if entered.role is not None:
                return entered
            await self._storage.change(who, JoinChannel(entered.channel.id))
        return await self._storage.enter(who, command, MOST_EVENTS, MOST_BYTES)

    async def change(self, who: Who, command: ChannelChange) -> Sequence[Durable]:
        """Changes a channel or who is in it; what happened comes back."""
        return await self._storage.change(who, command)

    async def create(self, who: Who, command: CreateChannel) -> Channel:
        """Makes a channel owned by `who`.

        Raises:
            Invalid: for a name or description outside the limits.
            NotFound: `unknown_user`.
        """
        checked = replace(
            command,
            name=check_label(command.name, "name", MAX_NAME),
            description=check_label(command.description, "description", MAX_DESCRIPTION, 0),
        )
        return await self._storage.create(who, checked)

    async def direct(self, who: Who, other: UserId) -> Channel:
        """The direct chat of two people, made when there is none yet."""
        return await self._storage.direct(who, other)

    async def direct_with(self, who: Who, other: Person) -> Channel:
        """The direct chat of two people of whom one may be a guest."""
        return await self._storage.direct_with(who, other)

    async def ensure_public(self, key: str, name: str, *, guests: bool = False) -> Channel:
        """The server's own public room with this key."""
        return await self._storage.ensure_channel(key, name, guests=guests)

    async def exists(self, ref: ChannelRef) -> bool:
        """Whether there is a channel of that name, whoever may enter it."""
        return await self._storage.find(ref) is not None

    async def history(self, who: Who, command: ReadHistory) -> Messages:
        """Messages, oldest first."""
        return await self._storage.history(who, command)

    async def events(self, who: Who, ref: ChannelRef, after: int, limit: int) -> Sequence[Envelope]:
        """Durable events after a `seq`, oldest first."""
        return await self._storage.events(who, ref, after, limit)

    async def backfill(self, channel: ChannelId, after: int, upto: int) -> Sequence[Envelope]:
        """The server's own reading, to fill a gap in what the bus brought."""
        return await self._storage.backfill(channel, after, upto)

    async def present(self, who: Who, ref: ChannelRef) -> Present:
        """Who has a socket in a channel that `who` may read."""
        channel = await self._storage.authorize_read(who, ref)
        return self._presence.present(channel.id)

    async def readable(self, who: Who, ref: ChannelRef) -> Channel:
        """A channel that `who` may read."""
        return await self._storage.authorize_read(who, ref)

    async def view(self, who: Who, ref: ChannelRef) -> ChannelView:
        """A channel and its members."""
        return await self._storage.view(who, ref)

    async def views(self, who: Who, *, joined: bool) -> Sequence[ChannelView]:
        """The channels of `who`; without `joined` also the public rooms."""
        return await self._storage.views(who, joined=joined)

    async def connections(self, who: Who) -> Sequence[ConnectionRow]:
        """The live sockets of `who`; of everybody for an admin."""
        return await self._storage.connections(None if who.admin else who.id)

    def opened(self, who: Who, connection: str, dialect: str, channel: str, address: str) -> None:
        """Records a live socket of `who`. Never waits."""
        at = int(self._now() * 1000)
        self._storage.connected(
            ConnectionRow(connection, who.id, who.name, dialect, channel or None, address, at)
        )

    def closed(self, connection: str) -> None:
        """Forgets a socket that was `opened`. Never waits."""
        self._storage.disconnected(connection)

    async def ready(self) -> bool:
        """Whether messages can be stored and read right now."""
        return await self._storage.ready()


def _settle(waiting: "asyncio.Future[Any]", answer: object) -> None:
    if waiting.done():
        return
    if isinstance(answer, DomainError):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
