"""Mail for development."""

import io
import sys

import pytest

from hubbub.core.errors import Unavailable
from hubbub.mail.base import Mail
from hubbub.mail.console import KEPT, ConsoleMailer
from tests.support.mail import FakeMailer

LETTER = Mail("alice@example.org", "Your code", "Code: 123456\n\nBye.\n")


async def test_a_letter_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleMailer().send(LETTER)
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("To: alice@example.org") < lines.index("Code: 123456")


async def test_a_letter_is_printed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    await ConsoleMailer().send(Mail("a@example.org", "Your username", "Username: Zoë\n"))
    assert b"Username: Zo\\xeb\n" in raw.getvalue()


async def test_the_newest_letters_are_kept_newest_first() -> None:
    mailer = ConsoleMailer(clock=lambda: 1.5)
    assert mailer.sent() == ()
    for number in range(KEPT + 5):
        await mailer.send(Mail(f"{number}@example.org", "s", "t"))
    sent = mailer.sent()
    assert len(sent) == KEPT
    assert [each.mail.to for each in sent[:2]] == ["104@example.org", "103@example.org"]
    assert {each.at for each in sent} == {1500}


async def test_what_is_also_sent_is_printed_whatever_comes_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    also = FakeMailer()
    mailer = ConsoleMailer(also)
    await mailer.send(LETTER)
    assert also.letters == [LETTER]
    also.failing = True
    with pytest.raises(Unavailable):
        await mailer.send(LETTER)
    assert capsys.readouterr().out.count("Code: 123456") == 2
    assert len(mailer.sent()) == 2
