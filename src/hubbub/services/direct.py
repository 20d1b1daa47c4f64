"""Writing to people by the name an application has for them."""

import uuid
from collections.abc import Awaitable, Callable

from hubbub.auth.guests import named_guest
from hubbub.bus.base import Bus
from hubbub.core.commands import SendDirect, SendMessage
from hubbub.core.errors import Invalid, NotFound
from hubbub.core.events import Envelope, MessagePassed, inbox_of
from hubbub.core.ids import ChannelId, Who
from hubbub.services.chat import Chat
from hubbub.storage.base import Account

FindAccount = Callable[[str], Awaitable[Account | None]]


class Direct:
    """Direct messages. What an account gets or sends is stored in the direct chat of the two; what
    one guest writes to another is told, and kept nowhere."""

    def __init__(
        self,
        chat: Chat,
        find: FindAccount,
        bus: Bus,
        reachable: Callable[[str], bool],
        now: Callable[[], float],
    ) -> None:
        """`find` gets the account of a handle, `reachable` says whether a socket is at an address,
        `now` is seconds since 1970."""
        self._chat = chat
        self._find = find
        self._bus = bus
        self._reachable = reachable
        self._now = now

    async def send(self, who: Who, command: SendDirect) -> None:
        """Writes to somebody; returns when it is committed, or told.

        Raises:
            NotFound: `unknown_user`, when there is neither an account nor a socket of that name.
            Invalid: `own_user`.
        """
        account = await self._find(command.to)
        if account is not None and account.is_called(command.to):
            to = Who(account.id, account.username, subject=account.subject)
        else:
            to = named_guest(command.to)
            if not self._reachable(inbox_of(to.id)):
                raise NotFound("there is nobody of that name here", "unknown_user")
        if to.id == who.id:
            raise Invalid("a message is for somebody else", "own_user")
        if who.guest and to.guest:
            at = int(self._now() * 1000)
            passed = MessagePassed(str(uuid.uuid4()), who.person, to.person, command.content, at)
            self._bus.publish([Envelope(ChannelId(0), passed, to=inbox_of(to.id))])
            return
        channel = await self._chat.direct_with(who, to.person)
        await self._chat.post(who, SendMessage(channel.id, command.content))
