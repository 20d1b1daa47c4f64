"""Mail on its way, behind the backs of those who asked for it: how long it takes shows nowhere."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from hubbub.core.errors import DomainError, Unavailable
from hubbub.mail.base import Mail, Mailer

log = logging.getLogger(__name__)

MOST_WAITING = 1000
GRACE = 2.0


class Outgoing:
    """Sends letters in the background. One that cannot be sent is logged, without what it says, and
    given up: whoever waits for it asks again."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, work: Coroutine[Any, Any, Mail | None]) -> None:
        """Does `work` in the background, and sends the letter it ends in, if it ends in one.
        Nothing of it is waited for, but it has begun: a letter that need not wait for anything, and
        is only printed, has been.

        Raises:
            Unavailable: `mail_unavailable`: a thousand of them are under way.
        """
        if len(self._tasks) >= MOST_WAITING:
            work.close()
            raise Unavailable("too much mail is under way", "mail_unavailable", retry_after=60)
        task = asyncio.create_task(self._carry_out(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Gives letters under way 2 s to leave."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _carry_out(self, work: Coroutine[Any, Any, Mail | None]) -> None:
        try:
            mail = await work
            if mail is not None:
                await self._mailer.send(mail)
        except DomainError as error:
            log.warning("! a mail was not sent: %s", error.message)
        except Exception:
            log.exception("! a mail was not sent")
