"""Mail in memory, with faults: letters that are refused, and letters that take their time."""

import asyncio
import re
from collections.abc import Callable

from hubbub.core.errors import Unavailable
from hubbub.mail.base import Mail

DEADLINE = 10.0


class FakeMailer:
    """A `Mailer` whose letters can be read."""

    def __init__(self) -> None:
        self.letters: list[Mail] = []
        self.failing = False
        self.broken = False
        self._way = asyncio.Event()
        self._way.set()

    def hold(self) -> None:
        """From now on letters get no further than here."""
        self._way.clear()

    def release(self) -> None:
        """Letters get on their way again."""
        self._way.set()

    async def send(self, mail: Mail) -> None:
        await self._way.wait()
        if self.failing:
            raise Unavailable("the mail server is away", "mail_failed")
        if self.broken:
            raise RuntimeError("nobody foresaw this")
        self.letters.append(mail)

    def to(self, address: str) -> list[Mail]:
        """What was sent to an address."""
        return [letter for letter in self.letters if letter.to == address]

    async def code(self, address: str, number: int = 1) -> str:
        """The code in the `number`th letter to an address, which may still be on its way."""
        await until(lambda: len(self.to(address)) >= number)
        return code_in(self.to(address)[number - 1].text)


def code_in(text: str) -> str:
    """The code that a letter holds on a line of its own."""
    found = re.search(r"^Code: ([0-9]{6})$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


async def until(condition: Callable[[], object]) -> None:
    """Waits for what happens in the background."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)
