"""Mail by SMTP, each letter over a connection of its own."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid

import aiosmtplib

from hubbub.core.errors import Unavailable
from hubbub.mail.base import Mail

STEP_SECONDS = 10.0
SECONDS = 30.0
AT_ONCE = 4
TLS_PORT = 465


class SmtpMailer:
    """Gives letters to one SMTP server, four at a time. TLS is used from the start on port 465, and
    elsewhere when the server offers STARTTLS; its certificate has to be good. Name and password are
    given to a server that takes them, and never in the clear."""

    def __init__(
        self, host: str, port: int, user: str | None, password: str | None, sender: str
    ) -> None:
        self._host = host
        self._port = port
        self._user = user
        self._password = password
        self._sender = sender
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def send(self, mail: Mail) -> None:
        try:
            async with self._turns, asyncio.timeout(SECONDS):
                await self._send(self._letter(mail), mail.to)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Unavailable(_reason(error), "mail_failed") from None

    async def _send(self, letter: EmailMessage, to: str) -> None:
        tls = self._port == TLS_PORT
        server = aiosmtplib.SMTP(
            hostname=self._host, port=self._port, timeout=STEP_SECONDS, use_tls=tls
        )
        async with server:
            if self._user is not None and self._password is not None:
                await self._log_in(server, self._user, self._password)
            await server.send_message(letter, sender=self._sender, recipients=[to])

    async def _log_in(self, server: aiosmtplib.SMTP, user: str, password: str) -> None:
        if server.get_transport_info("sslcontext") is None:
            return
        # What was offered in the clear does not count any more.
        await server.ehlo()
        if server.supports_extension("auth"):
            await server.login(user, password)

    def _letter(self, mail: Mail) -> EmailMessage:
        letter = EmailMessage(policy=SMTP)
        letter["From"] = self._sender
        letter["To"] = mail.to
        letter["Subject"] = mail.subject
        letter["Date"] = format_datetime(localtime())
        letter["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(mail.text)
        return letter


def _reason(error: Exception) -> str:
    """Why a letter was not taken. A server that has seen the letter may quote it: of what that one
    says only the number is repeated."""
    if isinstance(error, aiosmtplib.SMTPDataError):
        return f"the mail server refused the letter ({error.code})"
    return f"{type(error).__name__}: {error}"
