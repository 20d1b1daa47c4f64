"""A real SMTP server in this process, whose letters can be read."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

DEADLINE = 20.0


class PostOffice:
    """Takes letters. `refusing` is what it answers to one instead, `logins` who logged in."""

    def __init__(self) -> None:
        self.port = 0
        self.refusing: str | None = None
        self.letters: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.logins: list[tuple[str, str]] = []

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refusing is not None:
            return self.refusing
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.recipients.append(envelope.rcpt_tos)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def log_in(self, _: SMTP, __: Session, ___: Envelope, ____: str, given: Any) -> AuthResult:
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=given.password == b"a password", handled=False)

    async def text(self, number: int = 1) -> str:
        """What the `number`th letter says, once it is there."""
        async with asyncio.timeout(DEADLINE):
            while len(self.letters) < number:
                await asyncio.sleep(0.01)
        return str(self.letters[number - 1].get_content()).replace("\r\n", "\n")


@asynccontextmanager
async def post_office(
    tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[PostOffice]:
    """An SMTP server on a free port of 127.0.0.1. With `tls` it offers STARTTLS, and to log in."""
    office = PostOffice()
    if tls is not None:
        options |= {"authenticator": office.log_in, "auth_require_tls": True}
    loop = asyncio.get_running_loop()
    connections: list[SMTP] = []

    def connect() -> SMTP:
        made = SMTP(office, hostname="localhost", tls_context=tls, loop=loop, **options)
        connections.append(made)
        return made

    server = await loop.create_server(connect, "127.0.0.1", 0)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(DEADLINE):
            while any(each.transport is not None for each in connections):
                await asyncio.sleep(0.01)
