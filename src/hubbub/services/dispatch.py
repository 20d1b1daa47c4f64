"""Commands of sockets, each to the service that carries it out."""

from hubbub.auth.tokens import Identity
from hubbub.core.answers import Entered, Messages, Present
from hubbub.core.commands import Enter, ListPresent, ReadHistory
from hubbub.core.events import Departure
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.services.accounts import AccountService
from hubbub.services.calls import Calls
from hubbub.services.chat import Chat
from hubbub.services.direct import Direct
from hubbub.services.meetings import Meetings
from hubbub.services.peerjs import PeerJs
from hubbub.services.presence import Presence


class Dispatch:
    """What the hub may ask of the services, handed to it by `main`."""

    def __init__(
        self,
        chat: Chat,
        presence: Presence,
        accounts: AccountService,
        calls: Calls,
        meetings: Meetings,
        direct: Direct,
        peerjs: PeerJs,
    ) -> None:
        self._chat = chat
        self._presence = presence
        self._accounts = accounts
        self._meetings = meetings
        self._peerjs = peerjs
        self.join_call = calls.join
        self.leave_call = calls.leave
        self.peers = calls.peers
        self.signal = calls.signal
        self.send_direct = direct.send
        self.post = chat.submit
        self.move = chat.submit_move
        self.resolve = chat.resolve
        self.backfill = chat.backfill
        self.opened = chat.opened
        self.claim = peerjs.claim
        self.pass_on = peerjs.carry_out
        self.typing = presence.typing

    def closed(self, connection: str, why: Departure) -> None:
        """A socket is gone."""
        self._peerjs.closed(connection, why)
        self._chat.closed(connection)

    def come(self, channel: ChannelId, who: Who, connection: str) -> None:
        """A socket of `who` is in the channel."""
        self._meetings.come(channel, who.id)
        self._presence.come(channel, who, connection)

    def go(self, channel: ChannelId, user: UserId, connection: str, why: Departure) -> None:
        """A socket of `user` is no longer in the channel."""
        self._presence.go(channel, user, connection, why)
        self._meetings.go(channel, user, lost=why is Departure.LOST)

    async def locate(self, who: Who, command: Enter, address: str) -> ChannelId:
        """The id of the channel that somebody wants to enter, which is not about to end."""
        if command.meeting and isinstance(command.channel, str):
            return await self._meetings.find_or_make(who, address, command.channel)
        while True:
            channel = await self._chat.resolve(command.channel)
            if not await self._meetings.settled(channel):
                return channel

    async def identify(self, token: str) -> Identity:
        """Whose token it is, and until when."""
        return await self._accounts.authenticate(token)

    async def enter(self, who: Who, command: Enter) -> Entered:
        """Reads what entering needs."""
        return await self._chat.enter(who, command)

    async def read(self, who: Who, command: ReadHistory | ListPresent) -> Messages | Present:
        """Answers a question about a channel."""
        if isinstance(command, ReadHistory):
            return await self._chat.history(who, command)
        return await self._chat.present(who, command.channel)
