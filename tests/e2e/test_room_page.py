"""The page of a meeting (002): people see and hear one another, and read what goes wrong."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.e2e.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, listen_for_complaints
from tests.support.server import PASSWORD, Server, running_server

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

expect.set_options(timeout=PATIENCE_MS)

CAMERA = [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=5",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
]
UNKNOWN = "There is no such meeting"

_REMEMBER_CONNECTIONS = """
    globalThis.calls = [];
    const Original = RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Original {
      constructor(...given) { super(...given); calls.push(this); }
    };
"""
_MOVES = """
    async (video) => {
      if (!video.videoWidth) return false;
      const before = video.currentTime;
      await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      return video.currentTime > before;
    }
"""
_HEARD = """
    async () => {
      const open = calls.filter(({ connectionState }) => connectionState === "connected");
      const reports = await Promise.all(open.map((call) => call.getStats()));
      return reports.flatMap((report) => [...report.values()])
        .filter(({ type, kind }) => type === "inbound-rtp" && kind === "audio")
        .reduce((total, { bytesReceived }) => total + bytesReceived, 0);
    }
"""
_MICROPHONES = """
    () => calls.flatMap((call) => call.getSenders()).map(({ track }) => track)
      .filter((track) => track?.kind === "audio").map(({ enabled }) => enabled)
"""


class Visitor:
    """One browser window at a meeting. `complaints` is what its page complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints = listen_for_complaints(page)
        self.others = page.locator(".tile:not(.own)")
        self.names = self.others.locator(".name")
        self.status = page.locator("#status-text")

    async def presses(self, name: str) -> None:
        """Presses the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def joins(self, name: str = "") -> "Visitor":
        """Gives a name to the page of a meeting, and goes in."""
        await self.page.get_by_label("Your name").fill(name)
        await self.presses("Join")
        return self

    async def reads(self, title: str) -> None:
        """Waits for the words that stand where the meeting was."""
        await expect(self.page.get_by_role("heading", name=title)).to_be_visible()

    async def sees(self, tile: Locator) -> None:
        """Waits until the picture in a tile moves."""
        await expect(tile).not_to_have_class(re.compile("blank"))
        moves = await self._until(lambda: tile.locator("video").evaluate(_MOVES))
        assert moves, "the picture does not move"

    async def hears(self) -> None:
        """Waits until more sound arrives."""
        before = await self.page.evaluate(_HEARD)
        more = await self._until(lambda: self._hears_more_than(before))
        assert more, "no sound arrives"

    async def _hears_more_than(self, before: int) -> bool:
        return int(await self.page.evaluate(_HEARD)) > before

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        # Each question is a round trip to the browser, which is what passes the time.
        for _ in range(3000):
            if await condition():
                return True
        return False


Visit = Callable[..., Awaitable[Visitor]]


async def _launch(*flags: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *flags]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def camera_browser() -> AsyncIterator[Browser]:
    """A browser with a microphone and a camera that everybody may use."""
    async for browser in _launch(*CAMERA):
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def visit(camera_browser: Browser) -> AsyncIterator[Visit]:
    """Opens an address in a window of somebody's own; takes the options of a browser context."""
    contexts = []

    async def open_window(address: str, script: str = "", **options: object) -> Visitor:
        context = await camera_browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        await context.add_init_script(_REMEMBER_CONNECTIONS + script)
        visitor = Visitor(await context.new_page())
        await visitor.page.goto(address)
        return visitor

    yield open_window
    for context in contexts:
        await context.close()


async def new_meeting(server: Server) -> str:
    """The address of a meeting that has just been made."""
    answer = await server.http.post("/create-room")
    answer.raise_for_status()
    return server.url + str(answer.json()["join_link"])


async def test_two_people_see_and_hear_one_another_until_one_leaves(
    dev_server: Server, visit: Visit
) -> None:
    address = await new_meeting(dev_server)
    one = await visit(address)
    await expect(one.page.get_by_text("Nobody is there yet.")).to_be_visible()
    await one.joins("Ann")
    await expect(one.status).to_have_text("Waiting for others")
    await expect(one.page.get_by_role("textbox", name="Link to this meeting")).to_have_value(
        address
    )
    other = await visit(address)
    await expect(other.page.get_by_text("One person is there.")).to_be_visible()
    await other.joins("Bob")
    await expect(one.page.get_by_text("Bob joined.")).to_be_visible()
    await expect(one.names).to_have_text("Bob")
    await expect(other.names).to_have_text("Ann")
    for person in (one, other):
        await expect(person.status).to_have_text("2 people")
        await person.sees(person.others)
        await person.hears()

    assert await other.page.evaluate(_MICROPHONES) == [True]
    await other.presses("Mute")
    await expect(one.others).to_have_class(re.compile("muted"))
    assert await other.page.evaluate(_MICROPHONES) == [False]
    await other.presses("Unmute")
    await expect(one.others).not_to_have_class(re.compile("muted"))

    await other.presses("Camera off")
    await expect(one.others).to_have_class(re.compile("blank"))
    await other.presses("Camera on")
    await one.sees(one.others)

    await other.presses("Leave")
    await other.reads("You left the meeting")
    await expect(one.others).to_have_count(0)
    await expect(one.page.get_by_text("Bob left. You are alone in the meeting.")).to_be_visible()
    await other.presses("Join again")
    await one.sees(one.others)
    await other.page.reload()
    await expect(one.names).to_have_text("Bob")
    assert one.complaints == other.complaints == []


async def test_a_fifth_person_is_told_that_the_meeting_is_full(
    dev_server: Server, visit: Visit
) -> None:
    address = await new_meeting(dev_server)
    # Nobody needs a picture to be counted, and four in one browser are much to draw.
    quiet = "delete Navigator.prototype.mediaDevices;"
    people = []
    for number in range(1, 5):
        people.append(await (await visit(address, quiet)).joins())
        for person in people[1:]:
            await expect(person.status).to_have_text(f"{number} people")
    fifth = await (await visit(address, quiet)).joins()
    await fifth.reads("This meeting is full")
    for person in people:
        await expect(person.status).to_have_text("4 people")


async def test_a_restart_of_the_server_is_waited_for(visit: Visit) -> None:
    async with running_server(dev=True) as server:
        one = await (await visit(await new_meeting(server))).joins()
        await expect(one.status).to_have_text("Waiting for others")
        await server.stop()
        await expect(one.status).to_have_text(re.compile("^Reconnecting"))
        await expect(one.page.get_by_text("The server is restarting.")).to_be_visible()
        await server.start()
        await expect(one.page.get_by_text("The server is restarting.")).to_be_hidden()


@pytest.mark.parametrize("key", ["no-such-meeting/", "123", "v1", "echo", "auth", "a%20b"])
async def test_a_link_to_no_meeting_leads_to_a_new_one(
    dev_server: Server, visit: Visit, key: str
) -> None:
    someone = await visit(f"{dev_server.url}/room/{key}")
    await someone.reads(UNKNOWN)
    await someone.presses("Start a new meeting")
    await someone.joins()
    await expect(someone.status).to_have_text("Waiting for others")


async def test_the_last_one_to_leave_is_not_asked_back(dev_server: Server, visit: Visit) -> None:
    someone = await (await visit(await new_meeting(dev_server))).joins()
    await expect(someone.status).to_have_text("Waiting for others")
    await someone.presses("Leave")
    await someone.reads("You left the meeting")
    await expect(someone.page.get_by_text("Nobody else was there, and")).to_be_visible()
    await expect(someone.page.get_by_role("button", name="Join again")).to_be_hidden()


async def test_a_meeting_that_ended_while_one_was_away_is_over(
    dev_server: Server, visit: Visit
) -> None:
    address = await new_meeting(dev_server)
    one = await (await visit(address)).joins()
    other = await (await visit(address)).joins()
    await expect(one.status).to_have_text("2 people")
    await expect(other.status).to_have_text("2 people")
    await one.presses("Leave")
    await expect(other.others).to_have_count(0)
    await other.presses("Leave")
    about = f"/rooms/{address.rsplit('/', 1)[1]}"
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while (await dev_server.http.get(about)).status_code != 404:
            pass
    await one.presses("Join again")
    await one.reads("This meeting is over")
    await one.page.reload()
    await one.reads("This meeting is over")


@pytest.mark.parametrize(
    ("width", "height", "least"), [(1280, 800, 280), (390, 844, 190), (844, 390, 200)]
)
async def test_three_people_are_shown_alike(
    dev_server: Server, visit: Visit, width: int, height: int, least: int
) -> None:
    address = await new_meeting(dev_server)
    quiet = "delete Navigator.prototype.mediaDevices;"
    size = {"width": width, "height": height}
    people = [await (await visit(address, quiet, viewport=size)).joins() for _ in range(3)]
    await expect(people[0].page.locator(".tile")).to_have_count(3)
    boxes = (
        await people[0]
        .page.locator(".tile")
        .evaluate_all("(all) => all.map((one) => [one.offsetWidth, one.offsetHeight])")
    )
    assert max(w for w, _ in boxes) - min(w for w, _ in boxes) <= 1
    assert max(h for _, h in boxes) - min(h for _, h in boxes) <= 1
    assert min(h for _, h in boxes) >= least


async def test_a_call_that_cannot_connect_says_so_early(dev_server: Server, visit: Visit) -> None:
    address = await new_meeting(dev_server)
    # Without a relay server, this leaves no way at all.
    relayed = """
        const Plain = RTCPeerConnection;
        globalThis.RTCPeerConnection = class extends Plain {
          constructor(given) { super({ ...given, iceTransportPolicy: "relay" }); }
        };
    """
    one = await (await visit(address, relayed)).joins("Ann")
    await expect(one.status).to_have_text("Waiting for others")
    other = await (await visit(address, relayed)).joins("Bob")
    await expect(one.others.locator(".note")).to_contain_text("Still connecting to Bob")
    await expect(other.others.locator(".note")).to_contain_text("Still connecting to Ann")


async def test_a_meeting_is_started_from_the_landing_page(dev_server: Server, visit: Visit) -> None:
    someone = await visit(f"{dev_server.url}/static/index.html")
    await someone.presses("Start a meeting")
    await someone.joins()
    await expect(someone.status).to_have_text("Waiting for others")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("delete Navigator.prototype.mediaDevices;", "pages of https and of localhost alone"),
        (
            "MediaDevices.prototype.getUserMedia = async () => {"
            "  throw new DOMException('No.', 'NotAllowedError'); };",
            "the browser does not allow the camera and microphone",
        ),
        (
            "MediaDevices.prototype.getUserMedia = async () => {"
            "  throw new DOMException('No.', 'NotFoundError'); };",
            "there is no camera or microphone",
        ),
    ],
)
async def test_who_has_no_camera_joins_to_listen_and_reads_why(
    dev_server: Server, visit: Visit, script: str, words: str
) -> None:
    address = await new_meeting(dev_server)
    speaker = await (await visit(address)).joins()
    await expect(speaker.status).to_have_text("Waiting for others")
    listener = await (await visit(address, script)).joins()
    await expect(listener.page.get_by_text(words)).to_be_visible()
    await listener.sees(listener.others)
    await listener.hears()
    await expect(speaker.others).to_have_class(re.compile("blank"))
    assert listener.complaints == []


async def test_a_closed_server_asks_who_it_is(visit: Visit) -> None:
    async with running_server() as server:
        alice = await server.account("alice")
        answer = await server.http.post("/create-room", headers=alice.headers)
        answer.raise_for_status()
        someone = await visit(server.url + answer.json()["join_link"])
        await someone.page.get_by_label("Username").fill("alice")
        await someone.page.get_by_label("Password").fill("wrong")
        await someone.presses("Log in and join")
        alert = someone.page.get_by_role("alert").filter(has_text="Wrong username or password.")
        await expect(alert).to_be_visible()
        await someone.page.get_by_label("Password").fill(PASSWORD)
        await someone.presses("Log in and join")
        await expect(someone.status).to_have_text("Waiting for others")
        await expect(someone.page.locator(".own .avatar")).to_have_text("A")
        # What is no meeting for anybody needs no login to be said.
        stranger = await visit(f"{server.url}/room/auth")
        await stranger.reads(UNKNOWN)


async def test_a_newcomer_to_a_closed_server_makes_an_account_and_a_meeting(visit: Visit) -> None:
    async with running_server() as server:
        await server.account("alice")
        someone = await visit(f"{server.url}/static/index.html")
        await someone.presses("Start a meeting")
        await someone.presses("Create an account")
        await someone.page.get_by_label("Username").fill("alice")
        await someone.page.get_by_label("Password").fill(PASSWORD)
        await someone.presses("Create account and start")
        await expect(someone.page.get_by_text("This username is taken.")).to_be_visible()
        await someone.page.get_by_label("Username").fill("bob")
        await someone.presses("Create account and start")
        await expect(someone.page.get_by_label("Your name")).to_have_value("bob")
        await someone.presses("Join")
        await expect(someone.status).to_have_text("Waiting for others")

        other = await visit(someone.page.url)
        await other.presses("Create an account")
        await other.page.get_by_label("Username").fill("carol")
        await other.page.get_by_label("Password").fill("short")
        await other.presses("Create account and join")
        await expect(other.page.get_by_text("A password must be 8 to")).to_be_visible()
        await other.page.get_by_label("Password").fill(PASSWORD)
        await other.presses("Create account and join")
        await expect(other.names).to_have_text("bob")
        await expect(someone.names).to_have_text("carol")
