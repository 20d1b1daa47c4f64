"""The keys of an external issuer that publishes them: fetched, remembered, and fetched again."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from hubbub.auth.keysets import VerifyingKeys, read_key_set
from hubbub.core.errors import Unavailable

log = logging.getLogger(__name__)

Fetch = Callable[[], Awaitable[tuple[bytes, str]]]
"""Reads the key set: its bytes, and what its Cache-Control said. It ends in bounded time."""

SHORTEST, LONGEST = 5 * 60.0, 24 * 3600.0
"""Seconds for which keys are believed without asking again, whatever their issuer says."""
STALE = 5 * 60.0
"""Seconds for which old keys still count while newer ones are being fetched, or cannot be."""
PAUSE = 10.0
"""Seconds from the end of one fetch to the next, however it ended and whoever asks."""


class PublishedKeys:
    """The key set behind a URL.

    It is fetched when it is first needed, when it has become old, and when a token names a key that
    is not in it; at any time by one fetch alone. Whoever has to know waits for it: for a key that
    is not there, or when nobody has asked for so long that a key may have been withdrawn since.
    Whoever brings a known key does not wait just because it is old, or because the issuer hangs.
    Keys stay good while their issuer cannot be reached. `PAUSE` is what strangers who make up names
    of keys cannot get below.
    """

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: VerifyingKeys | None = None
        self._old_at = self._stale_at = 0.0
        self._next_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def get(self, algorithm: str, kid: str | None) -> VerifyingKeys:
        """The keys, as new as they have to be for a token of that algorithm and key.

        Raises:
            Unavailable: `issuer_unavailable`, when there have never been any.
        """
        now, keys = self._monotonic(), self._keys
        if keys is None or now >= self._stale_at or not keys.has(algorithm, kid):
            fetching = self._renew()
            if fetching is not None:
                # Shielded: whoever gives up does not take the fetch from the others.
                await asyncio.shield(fetching)
        elif now >= self._old_at:
            self._renew()
        if self._keys is None:
            raise Unavailable(
                "the issuer of this token cannot be asked for its keys now",
                "issuer_unavailable",
                retry_after=int(PAUSE),
            )
        return self._keys

    async def close(self) -> None:
        """Gives up a fetch under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _renew(self) -> asyncio.Task[None] | None:
        """The fetch under way, which is started unless the last one has only just ended."""
        if self._fetching is None and self._monotonic() >= self._next_at:
            self._fetching = asyncio.create_task(self._load())
        return self._fetching

    async def _load(self) -> None:
        try:
            body, caching = await self._fetch()
            self._keys = read_key_set(body)
            self._old_at = self._monotonic() + _lifetime(caching)
            self._stale_at = self._old_at + STALE
            log.info("= the external issuer has %d keys", len(self._keys))
        except Exception as error:
            self._stale_at = max(self._stale_at, self._monotonic() + STALE)
            kept = "the ones known stay good" if self._keys else "none are known"
            log.warning("! the keys of the external issuer cannot be read (%s); %s", error, kept)
        finally:
            self._next_at = self._monotonic() + PAUSE
            self._fetching = None


def _lifetime(caching: str) -> float:
    """How long an answer counts by its Cache-Control (RFC 9111, 5.2.2), within our bounds."""
    directives = caching.lower()
    found = re.search(r"(?:^|[\s,])max-age=\"?(\d{1,9})", directives)
    if found is None or re.search(r"no-(?:cache|store)", directives):
        return SHORTEST
    return min(max(float(found[1]), SHORTEST), LONGEST)
