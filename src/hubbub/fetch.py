"""Asking another server over HTTP: bounded in time and size, to one place, and nowhere else."""

import asyncio
import ssl

import httpx2

SECONDS = 5.0
MOST_BYTES = 256 * 1024


class FetchFailed(Exception):
    """The other server cannot be reached, is too slow, or does not answer as it should."""


class HttpFetch:
    """Reads one document, anew at every call."""

    def __init__(self, url: str, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self._url = url
        self._seconds = seconds
        self._most = most_bytes
        # Made once: reading the system's certificates would hold up the event loop at every call.
        self._tls = ssl.create_default_context()

    async def __call__(self) -> tuple[bytes, str]:
        """The document's bytes, and its Cache-Control. Redirects are not followed, proxies of the
        environment are not used, and all of it takes 5 s at most.

        Raises:
            FetchFailed: there is no such document, or it is longer than 256 KiB.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read()
        except TimeoutError:
            raise FetchFailed(f"no answer within {self._seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise FetchFailed(str(error) or type(error).__name__) from None

    async def _read(self) -> tuple[bytes, str]:
        # What is not compressed cannot be larger than it looks.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        # Connecting and the handshake end by themselves before all of it does: given up from
        # outside, a handshake leaves its socket open.
        timeout = httpx2.Timeout(self._seconds, connect=self._seconds / 3)
        client = httpx2.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=timeout
        )
        async with client, client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code != 200:
                raise FetchFailed(f"the answer is {answer.status_code}")
            if "content-encoding" in answer.headers:
                raise FetchFailed("the answer is compressed")
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > self._most:
                    raise FetchFailed(f"the answer is longer than {self._most} bytes")
            return bytes(body), answer.headers.get("cache-control", "")
