"""Commands of sockets, each to the service that carries it out."""

from hubbub.auth.tokens import Identity
from hubbub.core.answers import Entered, Messages, Present
from hubbub.core.commands import Enter, ListPresent, ReadHistory
from hubbub.core.ids import Who
from hubbub.services.accounts import AccountService
from hubbub.services.chat import Chat
from hubbub.services.presence import Presence


class Dispatch:
    """What the hub may ask of the services, handed to it by `main`."""

    def __init__(self, chat: Chat, presence: Presence, accounts: AccountService) -> None:
        self._chat = chat
        self._accounts = accounts
        self.post = chat.submit
        self.move = chat.submit_move
        self.resolve = chat.resolve
        self.backfill = chat.backfill
        self.opened = chat.opened
        self.closed = chat.closed
        self.typing = presence.typing
        self.come = presence.come
        self.go = presence.go

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
