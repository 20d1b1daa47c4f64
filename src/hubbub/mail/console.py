"""Mail for development: printed, and kept to be looked at."""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from hubbub.mail.base import Mail, Mailer, Sent

KEPT = 100


class ConsoleMailer:
    """Prints every letter to the standard output at once, and keeps the newest 100 to be looked at;
    then it gives it to `also`. For a server that answers its own machine alone: a letter holds what
    logs somebody in."""

    def __init__(self, also: Mailer | None = None, clock: Callable[[], float] = time.time) -> None:
        self._also = also
        self._clock = clock
        self._sent: deque[Sent] = deque(maxlen=KEPT)

    async def send(self, mail: Mail) -> None:
        self._sent.appendleft(Sent(mail, int(self._clock() * 1000)))
        text = f"\nTo: {mail.to}\nSubject: {mail.subject}\n\n{mail.text}"
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
        if self._also is not None:
            await self._also.send(mail)

    def sent(self) -> Sequence[Sent]:
        return tuple(self._sent)
