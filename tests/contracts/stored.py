"""A storage under test: opened, held up, filled, reopened, and everything it said."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from hubbub.core.answers import Done, Posted
from hubbub.core.channels import Channel, Kind, Role
from hubbub.core.commands import CreateChannel, MoveCursor, SendMessage
from hubbub.core.errors import DomainError
from hubbub.core.events import Envelope, MessagePosted
from hubbub.core.ids import ChannelRef, UserId, Who
from hubbub.storage.base import Storage
from hubbub.storage.sqlite import SqliteStorage

DEADLINE = 20.0

Publish = Callable[[Sequence[Envelope]], None]


class Clock:
    """Time as storage sees it, in seconds. While held, whoever asks for it waits."""

    def __init__(self) -> None:
        self.now = 1_795_257_000.123
        self.waiting = threading.Event()
        self._free = threading.Event()
        self._free.set()

    def __call__(self) -> float:
        self.waiting.set()
        self._free.wait(DEADLINE)
        return self.now

    def hold(self) -> None:
        self._free.clear()
        self.waiting.clear()

    def release(self) -> None:
        self._free.set()


class Adapter(Protocol):
    """What the suite needs of an adapter besides the protocol it tests."""

    async def open(self, publish: Publish, clock: Clock) -> Storage:
        """Opens the database, the same one every time."""

    async def fill(self, storage: Storage) -> None:
        """From now on there is room for nothing more than a few small rows."""

    async def empty(self, storage: Storage) -> None:
        """There is room again."""


class SqliteAdapter:
    """A file. It starts as a copy of `template`, a migrated empty one, to save the time."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.path = folder / "hubbub.db"
        shutil.copy(template, self.path)

    async def open(self, publish: Publish, clock: Clock) -> SqliteStorage:
        return await SqliteStorage.open(self.path, publish, clock=clock)

    async def fill(self, storage: Storage) -> None:
        await self._limit(storage, "1")  # SQLite makes of it the number there are

    async def empty(self, storage: Storage) -> None:
        await self._limit(storage, str(2**30))

    async def _limit(self, storage: Storage, pages: str) -> None:
        assert isinstance(storage, SqliteStorage)
        pragma = f"PRAGMA max_page_count = {pages}"
        await storage._writer.run(lambda tx: tx.connection.exec_driver_sql(pragma).scalar())


async def settled(asked: Coroutine[Any, Any, Any]) -> Any:
    """What came back, be it a refusal."""
    try:
        return await asked
    except DomainError as error:
        return error


class Stored:
    """A storage, people and channels in it, and what it told, in order: `told` holds answers as
    they were called back and publications as lists."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.clock = Clock()
        self.told: list[object] = []
        self.storage: Storage

    async def open(self) -> None:
        self.storage = await self.adapter.open(lambda e: self.told.append(list(e)), self.clock)

    async def reopen(self) -> None:
        await self.storage.close()
        await self.open()

    @property
    def published(self) -> list[Envelope]:
        return [e for batch in self.told if isinstance(batch, list) for e in batch]

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nothing asked for inside happens before the end; then, where commits gather, all of it
        happens in one."""
        self.clock.hold()
        first = await self.ask(self.storage.ready())
        await until(self.clock.waiting.is_set)
        try:
            yield
        finally:
            self.clock.release()
        await first

    async def account(self, name: str) -> Who:
        account = await self.storage.add_account(name, None, None)
        return Who(account.id, account.username)

    async def people(self, *names: str) -> list[Who]:
        return [await self.account(name) for name in names]

    async def channel(
        self, owner: Who, *members: Who, kind: Kind = Kind.ROOM, private: bool = False
    ) -> Channel:
        ids = tuple(member.id for member in members)
        command = CreateChannel(kind, "General", private=private, members=ids)
        return await self.storage.create(owner, command)

    def post(
        self,
        who: Who,
        channel: Channel | ChannelRef,
        content: str = "hello",
        client_id: str | None = None,
    ) -> "asyncio.Future[Posted | DomainError]":
        """Asks at once; what comes back, be it a refusal, is the future's result."""
        command = SendMessage(_ref(channel), content, client_id)
        answer: asyncio.Future[Posted | DomainError] = asyncio.get_running_loop().create_future()
        self.storage.post(who, command, self._tell(answer))
        return answer

    def move(
        self, who: Who, channel: Channel | ChannelRef, read: int = 0, delivered: int = 0
    ) -> "asyncio.Future[Done | DomainError]":
        """Asks at once, like `post`."""
        answer: asyncio.Future[Done | DomainError] = asyncio.get_running_loop().create_future()
        self.storage.move(who, MoveCursor(_ref(channel), read, delivered), self._tell(answer))
        return answer

    async def ask(self, asked: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Asks, and comes back without waiting for the answer, which may be a refusal."""
        task = asyncio.create_task(settled(asked))
        await asyncio.sleep(0)
        return task

    async def log(self, who: Who, channel: Channel) -> list[Envelope]:
        """All durable events of a channel, which are dense and have rising ids."""
        found = list(await self.storage.events(who, channel.id, 0, 1_000_000))
        assert [e.seq for e in found] == list(range(1, len(found) + 1))
        ids = [e.event.id for e in found if isinstance(e.event, MessagePosted)]
        assert ids == sorted(set(ids))
        assert {e.epoch for e in found} <= {channel.epoch}
        return found

    async def role(self, who: Who, channel: Channel) -> Role | None:
        """What somebody is in a channel that they may read."""
        mine = (await self.storage.view(who, channel.id)).mine
        return None if mine is None else mine.role

    async def cursors(self, who: Who, channel: Channel) -> tuple[int, int]:
        """How far somebody has read, and been delivered."""
        mine = (await self.storage.view(who, channel.id)).mine
        assert mine is not None
        return mine.read, mine.delivered

    def _tell(self, answer: "asyncio.Future[Any]") -> Callable[[Any], None]:
        def done(result: object) -> None:
            self.told.append(result)
            answer.set_result(result)  # raises when called twice

        return done


async def until(condition: Callable[[], object]) -> None:
    """Waits for what another thread brings about."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


def contents(envelopes: Iterable[Envelope]) -> list[str]:
    """The words of the messages among these."""
    return [e.event.content for e in envelopes if isinstance(e.event, MessagePosted)]


def good(answers: Iterable[Posted | DomainError]) -> list[Posted]:
    """These answers, none of which may be a refusal."""
    found = list(answers)
    assert all(isinstance(answer, Posted) for answer in found), found
    return [answer for answer in found if isinstance(answer, Posted)]


def codes(answers: Iterable[object]) -> list[str]:
    """Which refusal, or `ok`, for each of these."""
    return [answer.code if isinstance(answer, DomainError) else "ok" for answer in answers]


def stranger(number: int) -> Who:
    """Somebody without an account, known by nothing."""
    return Who(UserId(-number), f"guest-{number}")


def _ref(channel: Channel | ChannelRef) -> ChannelRef:
    return channel.id if isinstance(channel, Channel) else channel
