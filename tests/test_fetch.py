"""Asking another server: its document comes back whole and in time, or not at all."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hubbub.fetch import MOST_BYTES, FetchFailed, HttpFetch
from tests.support.issuer import Publisher


@pytest_asyncio.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with Publisher(b'{"keys": []}').serving() as serving:
        yield serving


def answer(head: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {head}", "Connection: close", "", ""]).encode() + body


async def failed(fetch: HttpFetch) -> str:
    async with asyncio.timeout(20):
        with pytest.raises(FetchFailed) as caught:
            await fetch()
    return str(caught.value)


async def test_a_document_comes_with_how_long_it_counts(publisher: Publisher) -> None:
    publisher.headers = ["Cache-Control: public, max-age=600"]
    fetch = HttpFetch(publisher.url)
    assert await fetch() == (b'{"keys": []}', "public, max-age=600")
    publisher.body, publisher.headers = b"new", []
    assert await fetch() == (b"new", "")
    assert len(publisher.requests) == 2


async def test_a_document_of_the_most_bytes_is_read(publisher: Publisher) -> None:
    publisher.body = b"x" * MOST_BYTES
    body, _ = await HttpFetch(publisher.url)()
    assert len(body) == MOST_BYTES
    publisher.body += b"x"
    assert "longer than 262144 bytes" in await failed(HttpFetch(publisher.url))


async def test_an_answer_without_end_is_given_up(publisher: Publisher) -> None:
    publisher.raw, publisher.endless = answer("200 OK"), b"x" * 65536
    assert "longer" in await failed(HttpFetch(publisher.url))


async def test_a_slow_answer_is_given_up_and_holds_up_nobody(publisher: Publisher) -> None:
    publisher.hold()
    asking = asyncio.create_task(failed(HttpFetch(publisher.url, seconds=0.2)))
    await publisher.asked.wait()
    assert not asking.done(), "the event loop goes on while it waits"
    assert await asking == "no answer within 0.2 s"


async def test_an_answer_that_drips_is_given_up_as_a_whole(publisher: Publisher) -> None:
    """Every part comes in time, and there is never an end."""
    publisher.raw, publisher.endless = answer("200 OK"), b"x"
    fetch = HttpFetch(publisher.url, seconds=0.2, most_bytes=2**40)
    assert await failed(fetch) == "no answer within 0.2 s"


@pytest.mark.parametrize(
    "status", ["302 Found\r\nLocation: http://127.0.0.1:1/", "301 Moved", "204 No Content",
               "206 Partial", "404 Not Found", "500 Oops", "503 Busy"],
)  # fmt: skip
async def test_only_200_is_an_answer_and_redirects_lead_nowhere(
    publisher: Publisher, status: str
) -> None:
    publisher.raw = answer(status, b"" if status.startswith("204") else b"{}")
    assert await failed(HttpFetch(publisher.url)) == f"the answer is {status[:3]}"
    assert len(publisher.requests) == 1


async def test_a_compressed_answer_is_not_unpacked(publisher: Publisher) -> None:
    body = gzip.compress(b"\0" * 10_000_000)
    publisher.raw = answer("200 OK\r\nContent-Encoding: gzip", body)
    assert await failed(HttpFetch(publisher.url)) == "the answer is compressed"
    assert "accept-encoding: identity" in publisher.requests[0].lower()


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
                                 b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00\x02\x02\x16"])  # fmt: skip
async def test_what_is_no_answer_is_a_failure(publisher: Publisher, raw: bytes) -> None:
    publisher.raw = raw
    assert await failed(HttpFetch(publisher.url))


async def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = taken.getsockname()[1]
        assert await failed(HttpFetch(f"http://127.0.0.1:{port}/"))


async def test_a_server_without_tls_is_not_asked_over_https(publisher: Publisher) -> None:
    assert await failed(HttpFetch(publisher.url.replace("http:", "https:"), seconds=0.6))


async def test_proxies_of_the_environment_are_not_used(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await HttpFetch(publisher.url)())[0] == publisher.body
