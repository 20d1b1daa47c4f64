"""A client of the native protocol that keeps a record of what it did and saw.

It behaves as `docs/protocol/native.md` asks of clients: one socket, cursors kept over reconnects,
sends retried under the same `client_id` until they are answered. It heals nothing by itself:
what it is shown twice, in a wrong order or not at all is recorded so.
"""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.chaos.record import (
    Acked,
    Closed,
    Invoked,
    Item,
    ReadBegun,
    ReadDone,
    Received,
    Record,
    Refused,
    Subscribed,
    Unknown,
    Via,
    digest,
    item_of,
)
from tests.support.server import Account, Server

RETRY_SECONDS = 0.1
"""Between attempts to connect to a server that is not there."""


@dataclass(slots=True)
class Cursor:
    """A position in a channel: the last item seen."""

    epoch: str
    seq: int


class CommandError(Exception):
    """The server answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: str = error["code"]
        self.temporary: bool = error["temporary"]


class Disconnected(Exception):
    """The socket broke before the answer came."""


class Client:
    """One socket of a user at a time, on some channels.

    Args:
        p: the name in the record: the user's, or `user/anything`.
        ws: `ws://host:port` of the server, or of a proxy before it.
    """

    def __init__(
        self,
        p: str,
        account: Account,
        ws: str,
        channels: Iterable[int],
        record: Record,
        *,
        receive_buffer: int | None = None,
    ) -> None:
        self.p = p
        self.account = account
        self.ws = ws
        self.record = record
        self.cursors: dict[int, Cursor | None] = dict.fromkeys(channels)
        self.recoveries: list[str] = []
        self.connects = 0
        self.close_code: int | None = None
        self.connected = asyncio.Event()
        self.socket: ClientConnection | None = None
        self._receive_buffer = receive_buffer
        self._streams: dict[int, int] = {}
        self._answers: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._ids = itertools.count(1)
        self._moved = asyncio.Condition()

    async def run(self) -> None:
        """Connects, and reconnects whenever the socket breaks, until cancelled."""
        while True:
            async with self.session() as ended:
                if ended is not None:
                    await ended
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncio.Task[None] | None]:
        """One connection: entered when the answer to `connect` has been recorded.

        Gives the task that reads until the socket ends, or None if there was no answer.
        """
        reading = await self._open()
        if reading is None:
            yield None
            return
        self.connects += 1
        self.connected.set()
        try:
            yield reading
        finally:
            await self._hang_up(reading)

    async def _open(self) -> asyncio.Task[None] | None:
        try:
            self.socket = await self._dial()
        except (OSError, WebSocketException):
            return None
        reading = asyncio.create_task(self._read(self.socket))
        try:
            await self._introduce()
        except Disconnected:
            await self._hang_up(reading)
            return None
        except BaseException:
            await self._hang_up(reading)
            raise
        return reading

    async def _hang_up(self, reading: asyncio.Task[None]) -> None:
        self.connected.clear()
        assert self.socket is not None
        self.socket.transport.abort()
        await reading
        await self.socket.wait_closed()
        self.socket = None

    async def _dial(self) -> ClientConnection:
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "max_size": None}
        if self._receive_buffer is not None:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            raw.setblocking(False)
            host, port = self.ws.removeprefix("ws://").split(":")
            await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
            options["sock"] = raw
        return await connect(f"{self.ws}/ws/v1", proxy=None, **options)

    async def _introduce(self) -> None:
        """The `connect` command, with a cursor for every channel that has one.

        Raises:
            CommandError: the token, or one of the channels, was refused.
        """
        channels = [
            {"channel": ch} | ({"cursor": asdict(cursor)} if cursor else {})
            for ch, cursor in self.cursors.items()
        ]
        await self.command("connect", token=self.account.token, channels=channels)

    async def command(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The result of a command.

        Raises:
            CommandError: the server answered with an error.
            Disconnected: no answer came.
        """
        if self.socket is None:
            raise Disconnected
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send(json.dumps({"id": number, "type": type_, **fields}))
            reply = await answer
        except ConnectionClosed:
            reply = None
        finally:
            del self._answers[number]
        if reply is None:
            raise Disconnected
        if "error" in reply:
            raise CommandError(reply["error"])
        result: dict[str, Any] = reply["result"]
        return result

    async def send(self, channel: int, content: str, cid: str) -> Acked | None:
        """Sends once. None when no answer came.

        Raises:
            CommandError: the server refused, for good or for now.
        """
        self.record.add(Invoked(self.p, channel, cid, digest(content)))
        try:
            result = await self.command("send", channel=channel, content=content, client_id=cid)
        except Disconnected:
            self.record.add(Unknown(self.p, channel, cid))
            return None
        except CommandError as error:
            outcome = Unknown if error.temporary else Refused
            self.record.add(outcome(self.p, channel, cid))
            raise
        acked = Acked(self.p, channel, cid, result["id"], result["seq"])
        self.record.add(acked)
        return acked

    async def publish(self, channel: int, content: str, cid: str) -> Acked:
        """Sends until there is an answer, waiting for a connection before every try."""
        while True:
            await self.connected.wait()
            try:
                acked = await self.send(channel, content, cid)
            except CommandError as error:
                if not error.temporary:
                    raise
                acked = None
            if acked is not None:
                return acked
            await asyncio.sleep(RETRY_SECONDS)

    async def post(self, server: Server, channel: int, content: str, cid: str) -> Acked:
        """Sends once over REST."""
        self.record.add(Invoked(self.p, channel, cid, digest(content)))
        answer = await server.http.post(
            f"/api/v1/channels/{channel}/messages",
            json={"content": content, "client_id": cid},
            headers=self.account.headers,
        )
        answer.raise_for_status()
        posted = answer.json()
        acked = Acked(self.p, channel, cid, posted["id"], posted["seq"])
        self.record.add(acked)
        return acked

    async def read_history(self, server: Server, channel: int, after: int = 0) -> None:
        """Reads a channel's events after a seq over REST, to the end."""
        stream = self.record.new_stream()
        self.record.add(ReadBegun(self.p, channel, stream, after))
        for event in await server.events(self.account, channel, after):
            item = item_of(event)
            self.record.add(Received(self.p, channel, stream, "rest", item))
        self.record.add(ReadDone(self.p, channel, stream))

    async def reach(self, channel: int, seq: int) -> None:
        """Waits until a channel has been shown up to a seq, or further."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.position(channel) >= seq)

    def position(self, channel: int) -> int:
        """The seq of the last item shown; 0 when there was none."""
        cursor = self.cursors[channel]
        return 0 if cursor is None else cursor.seq

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for frame in connection:
                for line in frame.splitlines() if isinstance(frame, str) else ():
                    if line:
                        self._take(json.loads(line))
                async with self._moved:
                    self._moved.notify_all()
        except ConnectionClosed:
            pass
        finally:
            self.close_code = connection.close_code
            self.connected.clear()
            for channel in list(self._streams):
                self._end_stream(channel)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_result(None)
            async with self._moved:
                self._moved.notify_all()

    def _take(self, frame: dict[str, Any]) -> None:
        if "type" not in frame:
            # Here, not where the answer is awaited: live events may follow in the same read.
            for subscription in frame.get("result", {}).get("channels", ()):
                self._subscribed(subscription)
            answer = self._answers.get(frame["id"])
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif "seq" in frame and "channel" in frame:
            self._show(frame["channel"], item_of(frame))

    def _subscribed(self, result: Mapping[str, Any]) -> None:
        if "error" in result:
            raise CommandError(result["error"])
        channel, recovery = result["channel"], result.get("recovery")
        cursor = self.cursors[channel]
        start = result["seq"]
        if recovery == "recovered":
            assert cursor is not None
            start = cursor.seq
        elif recovery == "truncated":
            start = result["oldest"] - 1
        stream = self._streams[channel] = self.record.new_stream()
        self.record.add(Subscribed(self.p, channel, stream, start, result["seq"], recovery))
        if recovery is not None:
            self.recoveries.append(recovery)
        self.cursors[channel] = Cursor(result["epoch"], start)
        for event in result.get("events", ()):
            self._show(channel, item_of(event), resumed=True)
        self.cursors[channel] = Cursor(result["epoch"], result["seq"])

    def _show(self, channel: int, item: Item, *, resumed: bool = False) -> None:
        via: Via = "resume" if resumed else "live"
        self.record.add(Received(self.p, channel, self._streams.get(channel, 0), via, item))
        cursor = self.cursors.get(channel)
        if cursor is not None:
            cursor.seq = item.seq

    def _end_stream(self, channel: int) -> None:
        self.record.add(Closed(self.p, channel, self._streams.pop(channel)))
