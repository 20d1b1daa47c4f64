"""The `peerjs` client from npm, as it is, connects two browsers through this server."""

import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

VENDOR = Path(__file__).parent / "vendor"
CLIENT = VENDOR / "peerjs" / "peerjs.min.js"
CAMERA = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=5",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
]
PAGE = b"""<!doctype html>
<title>Somebody's application</title>
<link rel="icon" href="data:,">
<script src="/peerjs.min.js"></script>
<script>
  const devices = () => navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const watch = (call) => {
    globalThis.call = call;
    call.on("stream", (stream) => {
      const video = document.querySelector("video") ?? document.createElement("video");
      document.body.append(video);
      Object.assign(video, { srcObject: stream, muted: true, autoplay: true });
    });
  };
  const open = (id, options) => new Promise((opened, failed) => {
    const given = { ...options, path: "/peerjs", config: { iceServers: [] } };
    globalThis.peer = id ? new Peer(id, given) : new Peer(given);
    globalThis.errors = [];
    peer.on("open", opened);
    peer.on("error", ({ type }) => { errors.push(type); failed(type); });
    peer.on("connection", (c) => c.on("data", (said) => c.send({ echo: said })));
    peer.on("call", async (call) => { watch(call); call.answer(await devices()); });
  });
  const call = async (id) => watch(peer.call(id, await devices()));
  const echo = (id, said) => new Promise((heard) => {
    const channel = peer.connect(id, { reliable: true });
    channel.on("open", () => channel.send(said));
    channel.on("data", heard);
  });
  const received = async (kind) => {
    const report = await globalThis.call.peerConnection.getStats();
    return [...report.values()]
      .filter((one) => one.type === "inbound-rtp" && one.kind === kind)
      .reduce((total, { bytesReceived }) => total + bytesReceived, 0);
  };
</script>
"""


class Application(BaseHTTPRequestHandler):
    """A web page of somebody else's, on an origin of its own."""

    def do_GET(self) -> None:
        script = self.path == "/peerjs.min.js"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.end_headers()
        self.wfile.write(CLIENT.read_bytes() if script else PAGE)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def application() -> Iterator[str]:
    """The origin of the page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Application) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def camera_browser() -> AsyncIterator[Browser]:
    """A browser with a microphone and a camera that everybody may use."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *CAMERA]
        )
        yield browser
        await browser.close()


Visit = Callable[[], Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(camera_browser: Browser, application: str) -> AsyncIterator[Visit]:
    """Opens the page in a window of somebody's own."""
    contexts = []

    async def open_window() -> Page:
        context = await camera_browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = await context.new_page()
        await page.goto(application)
        return page

    yield open_window
    for context in contexts:
        await context.close()


async def connect(page: Page, server: Server, id: str = "", token: str = "") -> str:
    """Makes a `Peer`; the id it is known by comes back, or the type of the error."""
    options = {"host": "127.0.0.1", "port": server.port, **({"token": token} if token else {})}
    opening = "([id, options]) => open(id, options).catch((type) => `error: ${type}`)"
    return str(await page.evaluate(opening, [id, options]))


async def talk(ann: Page, ben: Page, id: str) -> None:
    """Ann calls Ben by his id: both see and hear the other, and what she writes comes back."""
    said = {"text": "hello", "n": [1, 2, 3]}
    assert await ann.evaluate("([id, said]) => echo(id, said)", [id, said]) == {"echo": said}
    await ann.evaluate("(id) => call(id)", id)
    for page in (ann, ben):
        await page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
        for kind in ("audio", "video"):
            await page.wait_for_function("async (kind) => await received(kind) > 0", arg=kind)
    for page in (ann, ben):
        assert await page.evaluate("() => errors") == []


async def test_the_client_is_the_one_its_authors_published() -> None:
    published = hashlib.sha256(CLIENT.read_bytes()).hexdigest()
    assert f"`peerjs` | 1.5.5 | MIT | `{published}`" in (VENDOR / "README.md").read_text()


async def test_two_browsers_see_hear_and_write_to_one_another(
    dev_server: Server, visit: Visit
) -> None:
    ann, ben = await visit(), await visit()
    assert await connect(ann, dev_server, "ann") == "ann"
    drawn = await connect(ben, dev_server)
    assert len(drawn) == 36, "an id that the server drew"
    await talk(ann, ben, drawn)


async def test_in_closed_mode_two_accounts_do(application: str, visit: Visit) -> None:
    async with running_server(env={"HUBBUB_ORIGINS": application}) as server:
        ann, ben = await visit(), await visit()
        assert await connect(ann, server, "ann") == "error: server-error"
        ann = await visit()
        for page, name in ((ann, "ann"), (ben, "ben")):
            account = await server.account(name)
            assert await connect(page, server, name, account.token) == name
        await talk(ann, ben, "ben")


async def test_what_goes_wrong_has_the_names_of_the_client(
    dev_server: Server, visit: Visit
) -> None:
    ann, other = await visit(), await visit()
    assert await connect(ann, dev_server, "one of a kind") == "one of a kind"
    assert await connect(other, dev_server, "one of a kind") == "error: unavailable-id"
    await ann.evaluate("() => { peer.connect('nobody at home'); }")
    await ann.wait_for_function("() => errors.includes('peer-unavailable')")


async def test_a_client_that_was_cut_off_reconnects_under_its_id(
    dev_server: Server, visit: Visit
) -> None:
    ann, ben = await visit(), await visit()
    await connect(ann, dev_server, "returner")
    await connect(ben, dev_server, "friend")
    again = (
        "() => new Promise((on) => { peer.on('open', on); peer.disconnect(); peer.reconnect(); })"
    )
    assert await ann.evaluate(again) == "returner"
    echoed = await ben.evaluate("(id) => echo(id, 'there?')", "returner")
    assert echoed == {"echo": "there?"}
