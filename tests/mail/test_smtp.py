"""Letters by SMTP, to a real server."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from hubbub.core.errors import Unavailable
from hubbub.mail.base import Mail
from hubbub.mail.smtp import SmtpMailer
from tests.support.smtp import post_office

LETTER = Mail("alice@example.org", "Your code", "Code: 123456\n\nSee you, Zoë.\n")
SENDER = "hubbub@example.com"


def mailer(
    port: int, user: str | None = None, password: str | None = None, host: str = "localhost"
) -> SmtpMailer:
    return SmtpMailer(host, port, user, password, SENDER)


async def failed(mailer: SmtpMailer) -> str:
    with pytest.raises(Unavailable) as caught:
        await mailer.send(LETTER)
    assert caught.value.code == "mail_failed"
    assert "123456" not in caught.value.message
    return caught.value.message


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server for `localhost` shows, whose issuer this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return shown_by(authority)


def shown_by(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def test_a_letter_arrives_as_it_was_written() -> None:
    async with post_office() as office:
        await mailer(office.port).send(LETTER)
        assert await office.text() == LETTER.text
        [letter] = office.letters
        assert (letter["To"], letter["From"]) == (LETTER.to, SENDER)
        assert letter["Subject"] == "Your code"
        assert letter["Auto-Submitted"] == "auto-generated"
        assert letter["Date"].datetime.tzinfo is not None
        assert letter["Message-ID"].endswith("@example.com>")
        assert office.recipients == [[LETTER.to]]
        assert office.encrypted == [False]


@pytest.mark.parametrize("address", ["a..b@example.org", ".a.@x", "o'neil+{x}|`@example.org"])
async def test_a_strange_address_is_reached_as_it_is(address: str) -> None:
    async with post_office() as office:
        await mailer(office.port).send(Mail(address, "s", "t\n"))
        assert office.recipients == [[address]]


async def test_encryption_is_used_when_it_is_offered(tls: ssl.SSLContext) -> None:
    async with post_office(tls) as office:
        await mailer(office.port, "hubbub", "a password").send(LETTER)
        assert office.encrypted == [True]
        assert office.logins == [("hubbub", "a password")]


async def test_a_name_without_a_password_is_kept_to_itself(tls: ssl.SSLContext) -> None:
    async with post_office(tls) as office:
        await mailer(office.port, "hubbub@example.com", None).send(LETTER)
        assert (len(office.letters), office.logins) == (1, [])


async def test_no_password_is_given_in_the_clear() -> None:
    async with post_office() as office:
        await mailer(office.port, "hubbub", "a password").send(LETTER)
        assert (len(office.letters), office.logins) == (1, [])
    async with post_office(authenticator=lambda *_: None, auth_require_tls=False) as office:
        await mailer(office.port, "hubbub", "a password").send(LETTER)
        assert len(office.letters) == 1


async def test_a_certificate_nobody_vouches_for_is_not_accepted(tls: ssl.SSLContext) -> None:
    async with post_office(shown_by(trustme.CA())) as office:
        assert "certificate" in (await failed(mailer(office.port))).lower()
        assert office.letters == []


async def test_a_wrong_password_is_said(tls: ssl.SSLContext) -> None:
    async with post_office(tls) as office:
        assert "Auth" in await failed(mailer(office.port, "hubbub", "wrong"))
        assert office.letters == []


async def test_a_server_that_refuses_a_letter_is_not_quoted() -> None:
    async with post_office() as office:
        office.refusing = "554 I do not like 'Code: 123456'"
        assert await failed(mailer(office.port)) == "the mail server refused the letter (554)"


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert await failed(mailer(held.getsockname()[1], host="127.0.0.1"))
    assert await failed(mailer(25, host="no-such-host.invalid"))


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.mail.smtp.SECONDS", 0.05)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert await failed(mailer(silent.getsockname()[1], host="127.0.0.1"))


async def test_many_letters_at_once_all_arrive() -> None:
    async with post_office() as office:
        sender = mailer(office.port)
        letters = [Mail(f"{n}@example.org", "s", "t\n") for n in range(20)]
        await asyncio.gather(*(sender.send(letter) for letter in letters))
        assert sorted(r for [r] in office.recipients) == sorted(m.to for m in letters)
