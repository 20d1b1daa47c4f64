"""Mail as the services know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter to one address, in plain text."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter, and when it left: milliseconds since 1970, UTC."""

    mail: Mail
    at: int


class Mailer(Protocol):
    """Sends letters. What a letter says is between the server and whoever it is to: it stands in
    no log and in no error."""

    async def send(self, mail: Mail) -> None:
        """Hands a letter over to whoever delivers it.

        Raises:
            Unavailable: `mail_failed`: it was not taken, and nobody will try again.
        """


class Outbox(Protocol):
    """Letters one can look at, for development."""

    def sent(self) -> Sequence[Sent]:
        """The newest letters, newest first."""
