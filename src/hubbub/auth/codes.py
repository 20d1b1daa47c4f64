"""The codes that are mailed to somebody: proof that they read an address's mail.

Six digits are guessed in a million tries; that nobody has as many is storage's to see to, and
`CodeLimits`'.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from hubbub.auth.attempts import fail, network, reserve
from hubbub.core.errors import Invalid
from hubbub.core.limits import FailureWindow

HOUR = 3600.0
PER_HOUR = 5
PER_DAY = 10
PER_NETWORK = 20
MAX_ADDRESS = 254
VERIFICATION_PREFIX = "hbv_"

# What HTML takes for an address: no list, no comment, no quoting, nothing to break a header with.
# ASCII alone, lest two spellings of "the same" address lead to two mailboxes.
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?",
    re.ASCII | re.IGNORECASE,
)


def check_address(email: str) -> str:
    """Returns an address that mail can be sent to, without the white space around it.

    Raises:
        Invalid: `invalid_email`.
    """
    email = email.strip()
    if len(email) > MAX_ADDRESS or not _ADDRESS.fullmatch(email):
        raise Invalid("this is no e-mail address", "invalid_email")
    return email


def address_key(address: str) -> str:
    """Equal for two spellings of one address."""
    return address.casefold()


class Codes:
    """Makes codes, and what may be stored of them: without the server's secret that tells nobody
    which of the million it is."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"hubbub: codes by mail", "sha256")

    def new(self) -> str:
        """A code: six digits."""
        return f"{secrets.randbelow(1_000_000):06}"

    def digest(self, address: str, code: str) -> str:
        """What is stored of a code for this address, whatever its case."""
        text = f"{address_key(address)}\n{code}"
        return hmac.digest(self._key, text.encode(errors="replace"), "sha256").hex()


def new_verification() -> str:
    """A token of 256 random bits, for what a code was exchanged for."""
    return VERIFICATION_PREFIX + secrets.token_urlsafe(32)


def verification_digest(token: str) -> str:
    """What is stored of a verification's token. A plain hash will do: nobody guesses 256 bits."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class CodeLimits:
    """Lets an address be sent 5 codes an hour and 10 a day, whoever asks, and whoever asks have 20
    an hour sent. The address need not be known: the limit tells nobody whether it is."""

    def __init__(self, monotonic: Callable[[], float], *, per_network: int = PER_NETWORK) -> None:
        self._monotonic = monotonic
        self._hours = FailureWindow(PER_HOUR, HOUR)
        self._days = FailureWindow(PER_DAY, 24 * HOUR)
        self._networks = FailureWindow(per_network, HOUR)

    def take(self, address: str, asker: str) -> None:
        """Counts a code for an address, asked for from the network address `asker`.

        Raises:
            TooMany: it must not be sent; then it is not counted.
        """
        key = address_key(address)
        counts = ((self._hours, key), (self._days, key), (self._networks, network(asker)))
        now = self._monotonic()
        reserve(counts, now, "too many codes were asked for; try again later")
        fail(counts, now)
